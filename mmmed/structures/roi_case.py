"""ROICase: one lesion cut out of several sequences, an entry of an ROI manifest.

A region of interest (ROI) is classified as a whole: it has class indices for any
number of questions (targets) and no mask. Not here: whole volumes with masks
(``volume_case``), the arrays, how the files are made (``mmmed.preparation``).
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

ROLES = ('train', 'val', 'test')


@dataclass(frozen=True)
class ROIGrid:
    """Where the voxels of one sequence lie.

    Args:
        shape: (Z, Y, X) in voxels.
        spacing: (Z, Y, X) in mm.
        affine: 4x4 rows; index (z, y, x, 1) of the stored array to RAS+ mm.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]

    @classmethod
    def from_dict(cls, item: Any, *, where: str) -> 'ROIGrid':
        """Grid from its JSON object.

        Raises:
            ValueError: Not an object, or a key is missing.
        """
        known, _ = split_columns(item, ('shape', 'spacing', 'affine'), where)
        return cls(**{name: freeze(value) for name, value in known.items()})

    def to_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            'shape': list(self.shape),
            'spacing': list(self.spacing),
            'affine': [list(row) for row in self.affine],
        }


@dataclass(frozen=True)
class ROICase:
    """One lesion in one or more sequences, which may lie on different grids.

    Args:
        case_id: Unique name, also a legal file name stem, e.g. ``'p01_lesion0'``.
        patient_id: Person it belongs to; a person has one role in every fold.
        split: ``'train'`` or ``'val'`` of the hold-out partition; ``'test'`` belongs
            to no partition.
        fold: Fold in which the case is tested; None where it takes no part.
        img_paths: File of each sequence that there is, relative to the manifest's
            folder, e.g. ``{'t2': 'rois/p01_lesion0/t2.npy'}``.
        grids: Grid of each of them.
        size_mm: Diameter of the lesion in mm; None where nobody measured it.
        targets: Class index of each target, None where nobody knows it.
        sha256: Content hash of each file.
        val_of: Folds in which the case is validated on, in rising order; never its
            own ``fold``. In every other fold it is trained on.
        extra: Columns of the subject at hand, stored beside the others.
    """

    case_id: str
    patient_id: str
    split: str
    fold: int | None
    img_paths: Mapping[str, str]
    grids: Mapping[str, ROIGrid]
    size_mm: float | None
    targets: Mapping[str, int | None]
    sha256: Mapping[str, str]
    val_of: tuple[int, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, item: Any, *, where: str = 'case') -> 'ROICase':
        """Case from one JSON entry; unknown keys go to ``extra``.

        Args:
            item: Decoded JSON value.
            where: Name of the entry for error messages.

        Raises:
            ValueError: Not an object, or a key is missing.
        """
        needed = [name for name in COLUMNS if name != 'val_of']
        known, extra = split_columns(item, needed, where)
        known['val_of'] = freeze(extra.pop('val_of', []))
        grids = known['grids']
        if not isinstance(grids, Mapping):
            raise ValueError(f'{where}: grids {grids!r}, expected one a sequence')
        known['grids'] = {
            name: ROIGrid.from_dict(grid, where=f'{where}.grids[{name!r}]')
            for name, grid in grids.items()
        }
        return cls(**known, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """JSON entry: the columns in their declared order, then ``extra``."""
        item = {name: getattr(self, name) for name in COLUMNS}
        item |= {
            'img_paths': dict(self.img_paths),
            'grids': {name: grid.to_dict() for name, grid in self.grids.items()},
            'targets': dict(self.targets),
            'sha256': dict(self.sha256),
            'val_of': list(self.val_of),
        }
        return item | dict(self.extra)

    @property
    def paths(self) -> tuple[str, ...]:
        """All files of the case, relative to the manifest's folder."""
        return tuple(self.img_paths.values())

    def get_role(self, fold: int | None) -> str | None:
        """Role in a fold, or in the hold-out partition.

        Args:
            fold: None for the hold-out partition: the role is the ``split``.

        Returns:
            ``'train'``, ``'val'`` or ``'test'``; None where it takes no part.
        """
        if fold is None:
            return self.split
        if self.fold is None:
            return None
        if self.fold == fold:
            return 'test'
        return 'val' if fold in self.val_of else 'train'

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
        check_val_of(self.val_of, self.fold, where, num_folds=num_folds)
        self._check_files(where)
        size = self.size_mm
        if size is not None and not (
            isinstance(size, int | float)
            and not isinstance(size, bool)
            and math.isfinite(size)
            and size > 0
        ):
            raise ValueError(f'{where}: size_mm {size!r}, expected mm > 0 or null')

    def check_targets(self, index: int, targets: Mapping[str, Any]) -> None:
        """Refuse labels that the manifest does not name.

        Args:
            index: Place in the ``data_list``, for messages.
            targets: Class names of each target of the manifest.

        Raises:
            ValueError: A target is missing or unknown, or a class has no name.
        """
        where = f'data_list[{index}] ({self.case_id!r})'
        if not isinstance(self.targets, Mapping) or set(self.targets) != set(targets):
            raise ValueError(
                f'{where}: targets {self.targets!r}, expected exactly '
                f'{", ".join(targets)}, null where a label is missing'
            )
        for name, value in self.targets.items():
            count = len(targets[name])
            if value is not None and not (is_int(value) and 0 <= value < count):
                raise ValueError(
                    f'{where}: target {name!r} is {value!r}, expected 0 to {count - 1} '
                    'or null'
                )

    def _check_files(self, where: str) -> None:
        names = self.img_paths
        if not isinstance(names, Mapping) or not names:
            raise ValueError(f'{where}: img_paths {names!r}, expected one or more')
        for name, path in names.items():
            check_sequence(name, where)
            try:
                check_relative_path(path)
            except ValueError as error:
                raise ValueError(f'{where}: {error}') from error
        if self.grids.keys() != names.keys():
            raise ValueError(
                f'{where}: grids of {sorted(self.grids)}, expected those of '
                f'{sorted(names)}'
            )
        for name, grid in self.grids.items():
            check_grid(grid.shape, grid.spacing, grid.affine, f'{where}: {name}')
        check_hashes(self.sha256, where, needed=tuple(names))


def check_val_of(val_of: Any, fold: int | None, where: str, *, num_folds: int) -> None:
    """Refuse folds of validation that are unknown, doubled or the test fold.

    Raises:
        ValueError: The message says what was expected.
    """
    if (
        not isinstance(val_of, tuple)
        or not all(is_int(k) and 0 <= k < num_folds for k in val_of)
        or sorted(set(val_of)) != list(val_of)
        or fold in val_of
        or (fold is None and val_of)
    ):
        raise ValueError(
            f'{where}: val_of {val_of!r} with fold {fold!r}, expected rising folds of '
            f'0 to {num_folds - 1} other than its own'
        )


def check_roi_metainfo(meta: Mapping[str, Any]) -> None:
    """Refuse a manifest of ROIs without sequences or targets.

    Raises:
        ValueError: ``sequences`` are not different plain names, or ``targets`` does
            not name the classes of one or more targets.
    """
    sequences = meta.get('sequences')
    if not isinstance(sequences, list | tuple) or not sequences:
        raise ValueError(f'metainfo.sequences is {sequences!r}, expected names')
    for name in sequences:
        check_sequence(name, 'metainfo.sequences')
    if len(set(sequences)) < len(sequences):
        raise ValueError(f'metainfo.sequences {sequences!r}: a name is there twice')
    targets = meta.get('targets')
    if not isinstance(targets, Mapping) or not targets:
        raise ValueError(f'metainfo.targets is {targets!r}, expected one or more')
    for name, classes in targets.items():
        if (
            not isinstance(classes, list | tuple)
            or not classes
            or not all(isinstance(text, str) and text for text in classes)
        ):
            raise ValueError(
                f'metainfo.targets[{name!r}] is {classes!r}, expected class names'
            )


COLUMNS = tuple(f.name for f in fields(ROICase) if f.name != 'extra')
