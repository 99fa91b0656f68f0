"""What a manifest must satisfy, so that readers may rely on it.

Not here: reading and writing, see ``manifest``. Checks raise ValueError with a message
that names the case, what was found and what was expected.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmmed.structures.manifest import Case
    from mmmed.structures.split_manifest import SplitCase

SCHEMA_VERSION = 1
SPLITS = ('train', 'val')

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
    if (
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


def check_case(case: 'Case', index: int, *, num_folds: int) -> None:
    """Refuse a case with a value of the wrong type, out of range or unsafe."""
    where = f'data_list[{index}] ({case.case_id!r})'
    if not isinstance(case.case_id, str) or not _CASE_ID.fullmatch(case.case_id):
        raise ValueError(f'{where}: case_id must be letters, digits, "_", "-", "."')
    if not isinstance(case.patient_id, str) or not case.patient_id:
        raise ValueError(f'{where}: patient_id {case.patient_id!r} is not a name')
    for path in (case.img_path, case.seg_map_path):
        try:
            check_relative_path(path)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
    if case.split not in SPLITS:
        raise ValueError(f'{where}: split {case.split!r}, expected one of {SPLITS}')
    for name, low, high in (
        ('slice_index', 0, None),
        ('fold', 0, num_folds - 1),
        ('height', 1, None),
        ('width', 1, None),
        ('foreground_pixels', 0, None),
    ):
        value = getattr(case, name)
        if not is_int(value) or value < low or (high is not None and value > high):
            limit = f'>= {low}' if high is None else f'{low} to {high}'
            raise ValueError(f'{where}: {name} {value!r}, expected an integer {limit}')
    if case.foreground_pixels > case.height * case.width:
        raise ValueError(f'{where}: more foreground pixels than pixels')
    if case.positive is not (case.foreground_pixels > 0):
        raise ValueError(
            f'{where}: positive is {case.positive!r} with '
            f'{case.foreground_pixels} foreground pixels'
        )
    _check_spacing(case.spacing, where)
    _check_hashes(case.sha256, where)


def _check_spacing(spacing: Any, where: str) -> None:
    if spacing is None:
        return
    if (
        not isinstance(spacing, tuple)
        or len(spacing) != 2
        or not all(
            isinstance(v, int | float)
            and not isinstance(v, bool)
            and math.isfinite(v)
            and v > 0
            for v in spacing
        )
    ):
        raise ValueError(f'{where}: spacing {spacing!r}, expected two mm > 0 or null')


def _check_hashes(hashes: Any, where: str) -> None:
    if not isinstance(hashes, Mapping) or not {'img', 'seg'} <= hashes.keys():
        raise ValueError(f'{where}: sha256 must hold "img" and "seg"')
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


def check_patients(cases: Iterable['Case | SplitCase'], column: str) -> None:
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
