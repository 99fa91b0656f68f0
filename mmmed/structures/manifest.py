"""Case and Manifest: what a prepared folder holds, and who is in which split.

Not here: making a manifest (``mmmed.preparation``) or opening the images it names
(``mmmed.io``, ``mmmed.datasets``). The schema is described in ``docs/manifest.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.structures.json_file import load_json
from mmmed.structures.manifest_rules import SCHEMA_VERSION as SCHEMA_VERSION
from mmmed.structures.manifest_rules import (
    SPLITS,
    VOLUME_SPLITS,
    check_case,
    check_metainfo,
    check_patients,
    check_unique,
    is_int,
    split_columns,
)
from mmmed.structures.roi_case import COLUMNS as ROI_COLUMNS
from mmmed.structures.roi_case import ROLES, ROICase, check_roi_metainfo
from mmmed.structures.split_manifest import SplitManifest, hash_assignment
from mmmed.structures.volume_case import COLUMNS as VOLUME_COLUMNS
from mmmed.structures.volume_case import VolumeCase


@dataclass(frozen=True)
class Case:
    """One image with its label map: an entry of a manifest's ``data_list``.

    Args:
        case_id: Unique name, also a legal file name stem, e.g. ``'077_14'``.
        patient_id: Person the image belongs to; splits never divide a patient.
        slice_index: Number of the slice in its source, as the source counts.
        img_path: Image file, relative to the manifest's folder, ``/`` separated.
        seg_map_path: Label map file, likewise.
        split: ``'train'`` or ``'val'`` of the hold-out partition.
        fold: Number of the cross-validation fold in which the case is validated,
            0 .. ``num_folds`` - 1.
        height: Rows of the image, in pixels.
        width: Columns of the image, in pixels.
        spacing: Pixel size ``(Y, X)`` in mm, or None where the source has none.
        foreground_pixels: Pixels of the label map that are not background.
        positive: Whether there are any.
        sha256: Content hashes, ``{'img': ..., 'seg': ...}``.
        extra: Columns of the subject at hand, stored beside the others.
    """

    case_id: str
    patient_id: str
    slice_index: int
    img_path: str
    seg_map_path: str
    split: str
    fold: int
    height: int
    width: int
    spacing: tuple[float, float] | None
    foreground_pixels: int
    positive: bool
    sha256: Mapping[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, item: Any, *, where: str = 'case') -> 'Case':
        """Case from one JSON entry; unknown keys go to ``extra``.

        Args:
            item: Decoded JSON value.
            where: Name of the entry for error messages.

        Raises:
            ValueError: Not an object, or a key is missing.
        """
        known, extra = split_columns(item, _COLUMNS, where)
        if isinstance(known['spacing'], list):
            known['spacing'] = tuple(known['spacing'])
        return cls(**known, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """JSON entry: the columns in their declared order, then ``extra``."""
        item = {name: getattr(self, name) for name in _COLUMNS}
        item['spacing'] = None if self.spacing is None else list(self.spacing)
        item['sha256'] = dict(self.sha256)
        return item | dict(self.extra)


_COLUMNS = tuple(f.name for f in fields(Case) if f.name != 'extra')


@dataclass(frozen=True)
class Manifest:
    """Content of a prepared folder in the OpenMMLab 2.0 annotation form.

    Two partitions of the same patients live side by side: the hold-out ``split``
    and the ``fold`` number of cross-validation. With ``folds_on`` ``'train'`` in
    ``metainfo`` the folds divide only the training side of the hold-out.

    Args:
        metainfo: Facts about the whole folder; needs ``schema_version``, ``dataset``,
            ``task``, ``classes``, ``channels`` and ``num_folds``.
        cases: Entries in the order of the file: :class:`Case`, or
            :class:`~mmmed.structures.volume_case.VolumeCase` where ``unit`` in
            ``metainfo`` is ``'volume'``,
            :class:`~mmmed.structures.roi_case.ROICase` where it is ``'roi'``.
    """

    metainfo: Mapping[str, Any]
    # Case, VolumeCase or ROICase: whoever reads one kind of folder knows which.
    cases: tuple[Any, ...]

    @property
    def unit(self) -> str:
        """What a case is: ``'slice'``, ``'volume'`` or ``'roi'``."""
        return str(self.metainfo.get('unit', 'slice'))

    @classmethod
    def read(cls, path: str | Path) -> 'Manifest':
        """Read and validate a manifest; its content is not trusted.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: Not JSON, of another schema, or inconsistent; the message
                names the file and the case.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f'no manifest at {path}; make one with tools/prepare_dataset.py'
            )
        try:
            manifest = cls.from_dict(load_json(path))
            manifest.validate()
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        return manifest

    @classmethod
    def from_dict(cls, value: Any) -> 'Manifest':
        """Manifest from decoded JSON, structure checked, content not.

        Raises:
            ValueError: The value is not ``{"metainfo": {...}, "data_list": [...]}``.
        """
        if (
            not isinstance(value, Mapping)
            or not isinstance(value.get('metainfo'), Mapping)
            or not isinstance(value.get('data_list'), list)
        ):
            raise ValueError(
                'not a manifest, expected {"metainfo": {...}, "data_list": [...]}'
            )
        kind, _ = _get_kind(value['metainfo'].get('unit'))
        cases = tuple(
            kind.from_dict(item, where=f'data_list[{index}]')
            for index, item in enumerate(value['data_list'])
        )
        return cls(metainfo=dict(value['metainfo']), cases=cases)

    def to_dict(self) -> dict[str, Any]:
        """Value that :meth:`write` stores."""
        return {
            'metainfo': dict(self.metainfo),
            'data_list': [case.to_dict() for case in self.cases],
        }

    def write(self, path: str | Path) -> None:
        """Validate, then write atomically; equal manifests give equal bytes.

        Raises:
            ValueError: The manifest is inconsistent; nothing is written.
            OSError: The file cannot be written; an older one stays.
        """
        self.validate()
        write_json_atomic(path, self.to_dict())

    def validate(self) -> None:
        """Check every rule a reader may rely on.

        Raises:
            ValueError: A value is of the wrong type or out of range, a path is not
                relative or leaves the folder, a case id or path occurs twice, or a
                patient is on both sides of the split or in two folds. The message
                names the case.
        """
        check_metainfo(self.metainfo)
        kind, columns = _get_kind(self.unit)
        if kind is ROICase:
            check_roi_metainfo(self.metainfo)
        folds: Any = {
            'num_folds': self.metainfo['num_folds'],
            'folds_on': self.metainfo.get('folds_on', 'all'),
        }
        for index, case in enumerate(self.cases):
            if not isinstance(case, kind):
                raise ValueError(
                    f'data_list[{index}] is a {type(case).__name__}, but '
                    f'metainfo.unit is {self.unit!r}'
                )
            if kind is Case:
                check_case(case, index, **folds)
            else:
                case.validate(index, **folds)
            if kind is ROICase:
                case.check_targets(index, self.metainfo['targets'])
            if hidden := sorted(set(case.extra) & set(columns)):
                raise ValueError(
                    f'data_list[{index}] ({case.case_id!r}): extra repeats the '
                    f'columns {", ".join(hidden)}'
                )
        check_unique('case_id', (c.case_id for c in self.cases))
        if kind is Case:
            check_unique('img_path', (c.img_path for c in self.cases))
            # Pictures with a class and no label map share an empty one.
            if self.metainfo['task'] != 'classification':
                check_unique('seg_map_path', (c.seg_map_path for c in self.cases))
        else:
            check_unique('path', (path for c in self.cases for path in c.paths))
        if kind is ROICase:
            check_patients(self.cases, 'val_of')
        check_patients(self.cases, 'split')
        check_patients(self.cases, 'fold')

    def select(
        self, split: str | None = None, fold: int | None = None
    ) -> tuple[Any, ...]:
        """Cases of one side of one partition, in the order of the manifest.

        Args:
            split: ``'train'``, ``'val'``, or None for all cases; ``'test'`` for those
                volumes that belong to no partition.
            fold: None for the hold-out partition; k to train on the cases of all
                other folds and validate on those of fold k. Cases without a fold are
                on neither side.

        Returns:
            The cases; possibly none.

        Raises:
            ValueError: No such split or fold.
        """
        splits = SPLITS if self.unit == 'slice' else VOLUME_SPLITS
        if split is not None and split not in splits:
            raise ValueError(f'no split {split!r}, expected one of {splits} or None')
        self._check_fold(fold)
        if split is None:
            return self.cases
        if fold is None or split == 'test':
            return tuple(case for case in self.cases if case.split == split)
        validated = split == 'val'
        return tuple(
            case
            for case in self.cases
            if case.fold is not None and (case.fold == fold) == validated
        )

    def _check_fold(self, fold: int | None) -> None:
        num_folds = self.metainfo['num_folds']
        if fold is not None and not (is_int(fold) and 0 <= fold < num_folds):
            raise ValueError(
                f'no fold {fold!r}, expected 0 to {num_folds - 1} or None; '
                'another number of folds needs another preparation (--folds)'
            )

    def select_role(self, role: str, fold: int | None = None) -> tuple[Any, ...]:
        """Regions of interest with a role in a fold, in the order of the manifest.

        Args:
            role: ``'train'``, ``'val'`` or ``'test'``, or several joined by ``_`` in
                this order, such as ``'train_val'``.
            fold: None for the hold-out partition.

        Returns:
            The cases; possibly none.

        Raises:
            ValueError: No such role or fold, or the manifest has no roles.
        """
        if self.unit != 'roi':
            raise ValueError(
                f'{self.unit}s have no roles; choose them by split and fold'
            )
        roles = role.split('_')
        if not roles or roles != [name for name in ROLES if name in roles]:
            raise ValueError(
                f'no role {role!r}, expected one or more of {ROLES} joined by "_"'
            )
        self._check_fold(fold)
        return tuple(case for case in self.cases if case.get_role(fold) in roles)

    @property
    def split_hash(self) -> str:
        """Hash of who is where, equal to that of a split manifest that says so too.

        Cases of split ``'test'`` belong to no partition and do not count.
        """
        return hash_assignment(self._parted)

    @property
    def _parted(self) -> list[Any]:
        return [case for case in self.cases if case.split != 'test']

    def with_split(self, split: SplitManifest) -> 'Manifest':
        """The same cases, placed as another split says.

        Files stay where they are: ``train`` and ``val`` in their paths name the
        first split. ``metainfo`` gets the new seed, ratio and folds, and the hash.
        Cases of split ``'test'`` stay what they are.

        Args:
            split: Places of exactly these cases, but for ``'test'``; its patients are
                ours.

        Raises:
            ValueError: A case is absent from either, or belongs to someone else.
        """
        places = {place.case_id: place for place in split.cases}
        ours = {case.case_id for case in self._parted}
        for names, where in (
            (sorted(ours - places.keys()), 'split'),
            (sorted(places.keys() - ours), 'manifest'),
        ):
            if names:
                raise ValueError(
                    f'{len(names)} case(s) are not in the {where}, first {names[0]!r}; '
                    'make the split from this manifest'
                )
        cases = []
        for case in self.cases:
            place = places.get(case.case_id)
            if place is None:
                cases.append(case)
                continue
            if place.patient_id != case.patient_id:
                raise ValueError(
                    f'case {case.case_id!r} belongs to {case.patient_id!r}, in the '
                    f'split to {place.patient_id!r}; group by patient_id'
                )
            changes: dict[str, Any] = {'split': place.split, 'fold': place.fold}
            if isinstance(case, ROICase):
                changes['val_of'] = place.val_of
            cases.append(replace(case, **changes))
        taken = ('seed', 'val_ratio', 'num_folds')
        facts = {name: split.metainfo.get(name) for name in taken}
        metainfo = {**self.metainfo, **facts, 'val_patients': []}
        metainfo.pop('folds_on', None)  # a split manifest places every case
        return Manifest({**metainfo, 'split_hash': split.hash}, tuple(cases))


def _get_kind(unit: Any) -> tuple[Any, tuple[str, ...]]:
    """Class and columns of the cases of a manifest."""
    if unit == 'volume':
        return VolumeCase, VOLUME_COLUMNS
    return (ROICase, ROI_COLUMNS) if unit == 'roi' else (Case, _COLUMNS)
