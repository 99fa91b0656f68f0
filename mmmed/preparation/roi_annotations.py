"""Reading ``annotations.json`` of lesion folders; whatever it says is not trusted.

The files store lists as text (``"['t2.nii.gz']"``), which their own software
evaluates as a program. Here only literals are parsed, with limits on length and
nesting. Not here: which folders there are (``roi_layouts``).
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.io import VOLUME_SUFFIXES
from mmmed.structures.json_file import load_json

_MAX_TEXT = 1 << 16
_MAX_DEPTH = 3
_MAX_ITEMS = 4096
_KNOWN = ('id', 'tag', 'nifti_files', 'phy_loc_xyz', 'np_loc_zyx', 'distance')
_DISTANCE = re.compile(r'\s*(\d{1,6}(?:\.\d{1,6})?)\s*(?:mm)?\s*', re.IGNORECASE)
_INTEGER = re.compile(r'\s*([+-]?\d{1,9})(?:\.0{1,6})?\s*')
_NO_LABEL = frozenset({'', 'nan', 'na', 'n/a', 'none', 'null', '-1', '-1.0'})


@dataclass(frozen=True)
class ROIAnnotation:
    """One lesion of an annotation file.

    Args:
        roi_id: Key of its record.
        files: File names of its sequences, in the order of the record.
        centers_lps: Middle of the lesion (x, y, z) in mm towards left, posterior and
            superior, one for each file; empty where nothing says so.
        size_mm: Diameter; None where it is missing.
        labels: All other entries as they are stored, for :func:`parse_label`.
    """

    roi_id: str
    files: tuple[str, ...]
    centers_lps: tuple[tuple[float, float, float], ...] = ()
    size_mm: float | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)


def read_annotations(path: Path) -> tuple[ROIAnnotation, ...]:
    """All lesions of a file, in its order.

    Raises:
        ValueError: Not such a file; the message names record, reason and remedy, not
            the file.
    """
    value = load_json(path)
    if not isinstance(value, Mapping) or not value:
        raise ValueError('not an annotation file, expected {"0": {...}}; export it')
    found = []
    for key, record in value.items():
        if not isinstance(record, Mapping):
            raise ValueError(f'ROI {key!r} is no object, expected {{...}}; correct it')
        try:
            found.append(_read_record(str(key), record))
        except ValueError as error:
            raise ValueError(f'ROI {key!r}: {error}') from error
    return tuple(found)


def parse_literal(value: Any) -> Any:
    """A list that is stored as a list, or as the text of one.

    Text is parsed as a literal of Python: lists, tuples, numbers and strings. Names,
    calls, attributes and operators are refused, and nothing is ever run.

    Raises:
        ValueError: Anything else, or too long, too deep or too many items.
    """
    if isinstance(value, str):
        if len(value) > _MAX_TEXT:
            raise ValueError(f'a text of {len(value)} characters, expected a list')
        if _measure_nesting(value) > _MAX_DEPTH:
            raise ValueError('a text with too many brackets, expected a list')
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            short = value if len(value) < 60 else value[:57] + '...'
            raise ValueError(
                f'{short!r} is no plain list; write it as a JSON list'
            ) from None
    _check_literal(value, _MAX_DEPTH)
    return value


def parse_label(value: Any) -> int | None:
    """Class index of a stored label: an integer or the text of one.

    Returns:
        The index; None where the label is missing: null, empty, ``'nan'``, -1 and the
        like.

    Raises:
        ValueError: Anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float) and float(value).is_integer():
        value = str(int(value))
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str):
        if value.strip().casefold() in _NO_LABEL:
            return None
        match = _INTEGER.fullmatch(value)
        if match and int(match[1]) >= 0:
            return int(match[1])
    raise ValueError(
        f'{str(value)[:60]!r} is no class index, expected 0, 1, ... or nothing; '
        'correct it, or leave it out of --targets'
    )


def _read_record(key: str, record: Mapping[str, Any]) -> ROIAnnotation:
    files = _read_files(record.get('nifti_files', []))
    centers = _read_centers(record.get('phy_loc_xyz'), len(files))
    return ROIAnnotation(
        key,
        files,
        centers,
        _read_distance(record.get('distance')),
        {name: value for name, value in record.items() if name not in _KNOWN},
    )


def _read_files(value: Any) -> tuple[str, ...]:
    names = parse_literal(value)
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) for name in names
    ):
        raise ValueError(f'nifti_files {names!r}, expected a list of file names')
    for name in names:
        # Whoever wrote this must not choose a file outside the folder of the case.
        if (
            not name.isprintable()
            or set(name) & set('/\\:')
            or name.startswith('.')
            or not name.lower().endswith(VOLUME_SUFFIXES)
        ):
            raise ValueError(
                f'nifti_files names {name!r}, expected a plain file name with one of '
                f'{", ".join(VOLUME_SUFFIXES)}; correct it'
            )
    if len(set(names)) < len(names):
        raise ValueError('nifti_files names a file twice; name it once')
    return tuple(names)


def _read_centers(value: Any, count: int) -> tuple[tuple[float, float, float], ...]:
    if value in (None, '', [], '[]'):
        return ()
    places = parse_literal(value)
    if not isinstance(places, list | tuple) or len(places) != count:
        raise ValueError(
            f'phy_loc_xyz has {len(places) if hasattr(places, "__len__") else 0} '
            f'places for {count} files, expected one [x, y, z] each; correct it'
        )
    centers = []
    for place in places:
        if (
            not isinstance(place, list | tuple)
            or len(place) != 3
            or not all(isinstance(v, int | float) and math.isfinite(v) for v in place)
        ):
            raise ValueError(f'phy_loc_xyz has {place!r}, expected [x, y, z] in mm')
        x, y, z = (float(v) for v in place)
        centers.append((x, y, z))
    return tuple(centers)


def _read_distance(value: Any) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match = _DISTANCE.fullmatch(str(value))
    size_mm = float(match[1]) if match else 0.0
    if not 0 < size_mm < 2000:
        raise ValueError(
            f'distance {str(value)[:40]!r}, expected such as "16.7 mm"; correct it, or '
            'leave it empty'
        )
    return size_mm


def _measure_nesting(text: str) -> int:
    depth = most = 0
    for sign in text:
        if sign in '([{':
            depth += 1
            most = max(most, depth)
        elif sign in ')]}':
            depth -= 1
    return most


def _check_literal(value: Any, depth: int) -> None:
    if isinstance(value, list | tuple):
        if depth == 0 or len(value) > _MAX_ITEMS:
            raise ValueError('a list that is too deep or too long')
        for item in value:
            _check_literal(item, depth - 1)
    elif not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f'{type(value).__name__} in a list, expected text or numbers')


def check_labels(
    annotations: Sequence[ROIAnnotation], targets: Sequence[str]
) -> dict[str, dict[str, int | None]]:
    """Class index of each target, by ROI.

    Raises:
        ValueError: A label is no class index; the message names ROI and target.
    """
    result: dict[str, dict[str, int | None]] = {}
    for annotation in annotations:
        parsed = {}
        for name in targets:
            try:
                parsed[name] = parse_label(annotation.labels.get(name))
            except ValueError as error:
                raise ValueError(
                    f'ROI {annotation.roi_id!r}, {name!r}: {error}'
                ) from error
        result[annotation.roi_id] = parsed
    return result
