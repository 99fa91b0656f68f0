"""What a manifest must satisfy, so that readers may rely on it.

Not here: reading and writing, see ``manifest``. Checks raise ValueError with a message
that names the case, what was found and what was expected.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmmed.structures.manifest import Case
    from mmmed.structures.roi_case import ROICase
    from mmmed.structures.split_manifest import SplitCase
    from mmmed.structures.volume_case import VolumeCase

SCHEMA_VERSION = 1
SPLITS = ('train', 'val')
VOLUME_SPLITS = (*SPLITS, 'test')
UNITS = ('slice', 'volume', 'roi')
FOLDS_ON = ('all', 'train')

# A case id becomes the name of a prediction file, so it must be a plain file name.
_CASE_ID = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._-]{0,199}')
_SHA256 = re.compile(r'[0-9a-f]{64}')


def check_relative_path(path: Any) -> None:
    """Refuse what is not a plain relative path below its folder.

    Backslashes and drive letters are refused on every platform, so that a manifest
    that is safe on one is safe on all.

    Raises:
        ValueError: Not a string, empty, absolute, or with ``..``, ``.``, empty or
            unprintable parts, backslashes or colons.
    """
    if not isinstance(path, str) or not path:
        raise ValueError(f'path {path!r} is not a non-empty string')
    parts = path.split('/')
    if '\\' in path or ':' in path or not path.isprintable():
        raise ValueError(f'path {path!r} is not a plain posix path')
    if any(part in ('', '.', '..') for part in parts):
        raise ValueError(f'path {path!r} is absolute or leaves its folder')


def split_columns(
    item: Any, columns: Sequence[str], where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One JSON entry of a case: its columns, and everything else.

    Args:
        item: Decoded JSON value.
        columns: Keys that a case must have.
        where: Name of the entry for error messages.

    Raises:
        ValueError: Not an object, or a key is missing.
    """
    if not isinstance(item, Mapping):
        raise ValueError(f'{where} is {type(item).__name__}, expected an object')
    missing = [name for name in columns if name not in item]
    if missing:
        raise ValueError(
            f'{where} ({item.get("case_id", "no case_id")!r}) lacks '
            f'{", ".join(missing)}; prepare the data again'
        )
    known = {name: item[name] for name in columns}
    return known, {name: item[name] for name in item if name not in columns}


def is_int(value: Any) -> bool:
    """Whether a value is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_metainfo(meta: Mapping[str, Any]) -> None:
    """Refuse another schema version, and missing or impossible facts."""
    version = meta.get('schema_version')
    if version != SCHEMA_VERSION:
        raise ValueError(
            f'schema_version is {version!r}, this mmmed reads {SCHEMA_VERSION}; '
            'prepare the data again or use the matching mmmed'
        )
    for name in ('dataset', 'task'):
        if not isinstance(meta.get(name), str) or not meta[name]:
            raise ValueError(f'metainfo.{name} is {meta.get(name)!r}, expected a name')
    classes = meta.get('classes')
    # Regions of interest have classes by target: roi_case.check_roi_metainfo.
    if meta.get('unit') != 'roi' and (
        not isinstance(classes, list | tuple)
        or len(classes) < 2
        or not all(isinstance(name, str) and name for name in classes)
    ):
        raise ValueError(f'metainfo.classes is {classes!r}, expected two or more names')
    for name, least in (('channels', 1), ('num_folds', 2)):
        if not is_int(meta.get(name)) or meta[name] < least:
            raise ValueError(
                f'metainfo.{name} is {meta.get(name)!r}, expected an integer >= {least}'
            )
    for name, known in (('unit', UNITS), ('folds_on', FOLDS_ON)):
        if meta.get(name, known[0]) not in known:
            raise ValueError(
                f'metainfo.{name} is {meta[name]!r}, expected one of {known}'
            )


def check_case(
    case: 'Case', index: int, *, num_folds: int, folds_on: str = 'all'
) -> None:
    """Refuse a case with a value of the wrong type, out of range or unsafe."""
    where = f'data_list[{index}] ({case.case_id!r})'
    check_case_names(case.case_id, case.patient_id, where)
    for path in (case.img_path, case.seg_map_path):
        try:
            check_relative_path(path)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
    if case.split not in SPLITS:
        raise ValueError(f'{where}: split {case.split!r}, expected one of {SPLITS}')
    check_fold(case.fold, case.split, where, num_folds=num_folds, folds_on=folds_on)
    for name, low in (
        ('slice_index', 0),
        ('height', 1),
        ('width', 1),
        ('foreground_pixels', 0),
    ):
        value = getattr(case, name)
        if not is_int(value) or value < low:
            raise ValueError(f'{where}: {name} {value!r}, expected an integer >= {low}')
    if case.foreground_pixels > case.height * case.width:
        raise ValueError(f'{where}: more foreground pixels than pixels')
    if case.positive is not (case.foreground_pixels > 0):
        raise ValueError(
            f'{where}: positive is {case.positive!r} with '
            f'{case.foreground_pixels} foreground pixels'
        )
    if case.spacing is not None:
        check_spacing(case.spacing, where, axes=2)
    check_hashes(case.sha256, where, needed=('img', 'seg'))


def check_case_names(case_id: Any, patient_id: Any, where: str) -> None:
    """Refuse a case id that is no file name stem, or a missing patient."""
    if not isinstance(case_id, str) or not _CASE_ID.fullmatch(case_id):
        raise ValueError(f'{where}: case_id must be letters, digits, "_", "-", "."')
    if not isinstance(patient_id, str) or not patient_id:
        raise ValueError(f'{where}: patient_id {patient_id!r} is not a name')


def check_volume_split(split: Any, where: str) -> None:
    """Refuse a side that a case of volumes cannot be on.

    Raises:
        ValueError: The message names the case.
    """
    if split not in VOLUME_SPLITS:
        raise ValueError(f'{where}: split {split!r}, expected one of {VOLUME_SPLITS}')


def check_fold(
    fold: Any, split: str, where: str, *, num_folds: int, folds_on: str
) -> None:
    """Refuse a fold that is out of range, missing, or where none should be.

    Args:
        fold: Value to check.
        split: Of the same case.
        where: Name of the case for messages.
        num_folds: Of the manifest.
        folds_on: ``'all'``: every case of a partition has a fold; ``'train'``: only
            those on the training side of the hold-out split, the others None.
    """
    if split == 'test' or (folds_on == 'train' and split == 'val'):
        if fold is not None:
            raise ValueError(
                f'{where}: fold {fold!r}, expected null: split {split!r} takes no part '
                'in cross-validation'
            )
    elif not is_int(fold) or not 0 <= fold < num_folds:
        raise ValueError(
            f'{where}: fold {fold!r}, expected an integer 0 to {num_folds - 1}'
        )


def check_spacing(spacing: Any, where: str, *, axes: int) -> None:
    """Refuse what is not one positive number an axis."""
    if (
        not isinstance(spacing, tuple)
        or len(spacing) != axes
        or not all(
            isinstance(v, int | float)
            and not isinstance(v, bool)
            and math.isfinite(v)
            and v > 0
            for v in spacing
        )
    ):
        wanted = 'two mm > 0 or null' if axes == 2 else f'{axes} mm > 0'
        raise ValueError(f'{where}: spacing {spacing!r}, expected {wanted}')


def check_hashes(hashes: Any, where: str, *, needed: Sequence[str]) -> None:
    """Refuse anything but SHA-256 digests, one for each needed name."""
    if not isinstance(hashes, Mapping) or not set(needed) <= hashes.keys():
        names = ' and '.join(f'"{name}"' for name in needed)
        raise ValueError(f'{where}: sha256 must hold {names}')
    for name, value in hashes.items():
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise ValueError(f'{where}: sha256.{name} is not 64 hexadecimal digits')


def check_unique(name: str, values: Iterable[str]) -> None:
    """Refuse a value that occurs twice, in any letter case."""
    seen: set[str] = set()
    for value in values:
        # Names that differ only in case are one file on macOS and Windows.
        if value.casefold() in seen:
            raise ValueError(f'{name} {value!r} occurs twice, expected it once')
        seen.add(value.casefold())


def check_patients(
    cases: Iterable['Case | ROICase | SplitCase | VolumeCase'], column: str
) -> None:
    """Refuse a patient with two values in a column."""
    side: dict[str, Any] = {}
    for case in cases:
        value = getattr(case, column)
        if side.setdefault(case.patient_id, value) != value:
            raise ValueError(
                f'patient {case.patient_id!r} is in {column} '
                f'{side[case.patient_id]!r} and, with case {case.case_id!r}, in '
                f'{value!r}; a patient belongs to one'
            )
