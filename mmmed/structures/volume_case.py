"""VolumeCase: one subject's volumes and mask, an entry of a volume manifest.

Not here: slice images (``manifest.Case``), the array of a volume (``volume``), how
the files are made (``mmmed.preparation``). The schema is in ``docs/manifest.md``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mmmed.structures.grid_rules import check_grid, check_sequence, freeze
from mmmed.structures.manifest_rules import (
    check_case_names,
    check_fold,
    check_hashes,
    check_relative_path,
    check_volume_split,
    is_int,
    split_columns,
)

_Affine = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class VolumeCase:
    """Image volumes of one examination on one grid, with or without a mask.

    Args:
        case_id: Unique name, also a legal file name stem, e.g. ``'sub-r001s001'``.
        patient_id: Person it belongs to; splits never divide a patient.
        split: ``'train'`` or ``'val'`` of the hold-out partition; ``'test'`` belongs
            to no partition (published without masks).
        fold: Cross-validation fold in which the case is validated; None where it
            takes no part in cross-validation.
        img_paths: File of each sequence, relative to the manifest's folder, e.g.
            ``{'t1w': 'volumes/sub-r001s001/t1w.npy'}``.
        seg_map_path: Mask file, likewise; None without a mask.
        shape: (Z, Y, X) in voxels.
        spacing: (Z, Y, X) in mm.
        affine: 4x4 rows; index (z, y, x, 1) of the stored array to RAS+ mm.
        foreground_voxels: Voxels of the mask; None without a mask.
        positive: Whether there are any; None without a mask.
        sha256: Content hash of each sequence's file and, if there is one, ``'seg'``.
        extra: Columns of the subject at hand, stored beside the others.
    """

    case_id: str
    patient_id: str
    split: str
    fold: int | None
    img_paths: Mapping[str, str]
    seg_map_path: str | None
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: _Affine
    foreground_voxels: int | None
    positive: bool | None
    sha256: Mapping[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, item: Any, *, where: str = 'case') -> 'VolumeCase':
        """Case from one JSON entry; unknown keys go to ``extra``.

        Args:
            item: Decoded JSON value.
            where: Name of the entry for error messages.

        Raises:
            ValueError: Not an object, or a key is missing.
        """
        known, extra = split_columns(item, COLUMNS, where)
        for name in ('shape', 'spacing', 'affine'):
            known[name] = freeze(known[name])
        return cls(**known, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """JSON entry: the columns in their declared order, then ``extra``."""
        item = {name: getattr(self, name) for name in COLUMNS}
        item |= {
            'img_paths': dict(self.img_paths),
            'shape': list(self.shape),
            'spacing': list(self.spacing),
            'affine': [list(row) for row in self.affine],
            'sha256': dict(self.sha256),
        }
        return item | dict(self.extra)

    @property
    def paths(self) -> tuple[str, ...]:
        """All files of the case, relative to the manifest's folder."""
        mask = () if self.seg_map_path is None else (self.seg_map_path,)
        return (*self.img_paths.values(), *mask)

    def validate(self, index: int, *, num_folds: int, folds_on: str) -> None:
        """Refuse a value of the wrong type, out of range or unsafe.

        Args:
            index: Place in the ``data_list``, for messages.
            num_folds: Of the manifest.
            folds_on: ``'all'`` or ``'train'``: which cases have a fold.

        Raises:
            ValueError: The message names the case.
        """
        where = f'data_list[{index}] ({self.case_id!r})'
        check_case_names(self.case_id, self.patient_id, where)
        check_volume_split(self.split, where)
        check_fold(self.fold, self.split, where, num_folds=num_folds, folds_on=folds_on)
        self._check_files(where)
        check_grid(self.shape, self.spacing, self.affine, where)
        self._check_foreground(where)

    def _check_files(self, where: str) -> None:
        names = self.img_paths
        if not isinstance(names, Mapping) or not names:
            raise ValueError(f'{where}: img_paths {names!r}, expected one or more')
        for name in names:
            check_sequence(name, where)
        try:
            for path in self.paths:
                check_relative_path(path)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        mask = () if self.seg_map_path is None else ('seg',)
        check_hashes(self.sha256, where, needed=(*names, *mask))

    def _check_foreground(self, where: str) -> None:
        count = self.foreground_voxels
        if self.seg_map_path is None:
            if count is not None or self.positive is not None:
                raise ValueError(
                    f'{where}: foreground_voxels and positive say something about a '
                    'mask that is not there, expected null'
                )
            return
        if (
            not is_int(count)
            or count is None
            or not 0 <= count <= math.prod(self.shape)
        ):
            raise ValueError(
                f'{where}: foreground_voxels {count!r}, expected an integer from 0 to '
                f'{math.prod(self.shape)}'
            )
        if self.positive is not (count > 0):
            raise ValueError(
                f'{where}: positive is {self.positive!r} with {count} foreground voxels'
            )


COLUMNS = tuple(f.name for f in fields(VolumeCase) if f.name != 'extra')
