"""Case and Manifest: what a prepared folder holds, and who is in which split.

Not here: making a manifest (``mmmed.preparation``) or opening the images it names
(``mmmed.io``, ``mmmed.datasets``). The schema is described in ``docs/manifest.md``.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from mmmed.files import write_json_atomic

SCHEMA_VERSION = 1
SPLITS = ('train', 'val')

# A case id becomes the name of a prediction file, so it must be a plain file name.
_CASE_ID = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._-]{0,199}')
_SHA256 = re.compile(r'[0-9a-f]{64}')
_MAX_BYTES = 1 << 30


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
        if not isinstance(item, Mapping):
            raise ValueError(f'{where} is {type(item).__name__}, expected an object')
        missing = [name for name in _COLUMNS if name not in item]
        if missing:
            raise ValueError(
                f'{where} ({item.get("case_id", "no case_id")!r}) lacks '
                f'{", ".join(missing)}; prepare the data again'
            )
        known = {name: item[name] for name in _COLUMNS}
        if isinstance(known['spacing'], list):
            known['spacing'] = tuple(known['spacing'])
        extra = {name: item[name] for name in item if name not in _COLUMNS}
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
    and the ``fold`` number of cross-validation.

    Args:
        metainfo: Facts about the whole folder; needs ``schema_version``, ``dataset``,
            ``task``, ``classes``, ``channels`` and ``num_folds``.
        cases: Entries in the order of the file.
    """

    metainfo: Mapping[str, Any]
    cases: tuple[Case, ...]

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
            manifest = cls.from_dict(_load_json(path))
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
        cases = tuple(
            Case.from_dict(item, where=f'data_list[{index}]')
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
        _check_metainfo(self.metainfo)
        for index, case in enumerate(self.cases):
            _check_case(case, index, num_folds=self.metainfo['num_folds'])
        _check_unique('case_id', (c.case_id for c in self.cases))
        _check_unique('img_path', (c.img_path for c in self.cases))
        _check_unique('seg_map_path', (c.seg_map_path for c in self.cases))
        _check_patients(self.cases, 'split')
        _check_patients(self.cases, 'fold')

    def select(
        self, split: str | None = None, fold: int | None = None
    ) -> tuple[Case, ...]:
        """Cases of one side of one partition, in the order of the manifest.

        Args:
            split: ``'train'``, ``'val'``, or None for all cases.
            fold: None for the hold-out partition; k to train on the cases of all
                other folds and validate on those of fold k.

        Returns:
            The cases; possibly none.

        Raises:
            ValueError: No such split or fold.
        """
        if split is not None and split not in SPLITS:
            raise ValueError(f'no split {split!r}, expected one of {SPLITS} or None')
        num_folds = self.metainfo['num_folds']
        if fold is not None and not (_is_int(fold) and 0 <= fold < num_folds):
            raise ValueError(
                f'no fold {fold!r}, expected 0 to {num_folds - 1} or None; '
                'another number of folds needs another preparation (--folds)'
            )
        if split is None:
            return self.cases
        if fold is None:
            return tuple(case for case in self.cases if case.split == split)
        validated = split == 'val'
        return tuple(case for case in self.cases if (case.fold == fold) == validated)


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


def _load_json(path: Path) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'larger than {_MAX_BYTES} bytes, not a manifest of ours')
    try:
        text = path.read_text(encoding='utf-8')
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError('not a manifest: nested too deeply') from error
    except ValueError as error:  # includes UnicodeDecodeError and JSONDecodeError
        raise ValueError(f'not readable as JSON ({error})') from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON')


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_metainfo(meta: Mapping[str, Any]) -> None:
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
        if not _is_int(meta.get(name)) or meta[name] < least:
            raise ValueError(
                f'metainfo.{name} is {meta.get(name)!r}, expected an integer >= {least}'
            )


def _check_case(case: Case, index: int, *, num_folds: int) -> None:
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
        if not _is_int(value) or value < low or (high is not None and value > high):
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
    if hidden := sorted(set(case.extra) & set(_COLUMNS)):
        raise ValueError(f'{where}: extra repeats the columns {", ".join(hidden)}')


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


def _check_unique(name: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        # Names that differ only in case are one file on macOS and Windows.
        if value.casefold() in seen:
            raise ValueError(f'{name} {value!r} occurs twice, expected it once')
        seen.add(value.casefold())


def _check_patients(cases: Iterable[Case], column: str) -> None:
    side: dict[str, Any] = {}
    for case in cases:
        value = getattr(case, column)
        if side.setdefault(case.patient_id, value) != value:
            raise ValueError(
                f'patient {case.patient_id!r} is in {column} '
                f'{side[case.patient_id]!r} and, with case {case.case_id!r}, in '
                f'{value!r}; a patient belongs to one'
            )
