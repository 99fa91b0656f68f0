"""The radiologists' per-slice diagnosis table of the ct-ich data set."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmmed.preparation.findings import InputError

SUBTYPES = (
    'intraventricular',
    'intraparenchymal',
    'subarachnoid',
    'epidural',
    'subdural',
)
_PATIENT, _SLICE = 'patientnumber', 'slicenumber'
_NEGATIVE, _FRACTURE = 'nohemorrhage', 'fractureyesno'
_REMEDY = 'fetch the file again, or move it out of the folder to go on without it'


@dataclass(frozen=True)
class Diagnosis:
    """What the table says about one slice.

    Args:
        subtypes: Whether each of ``SUBTYPES`` is seen.
        hemorrhage: Whether any hemorrhage is.
        fracture: Whether a skull fracture is seen; None without that column.
    """

    subtypes: Mapping[str, bool]
    hemorrhage: bool
    fracture: bool | None


def read_diagnoses(path: Path) -> dict[tuple[str, int], Diagnosis]:
    """Read ``hemorrhage_diagnosis.csv`` or ``hemorrhage_diagnosis_raw_ct.csv``.

    Args:
        path: UTF-8 text with or without byte order mark, comma separated, one row a
            slice. Case, blanks and underscores of the header do not matter, empty
            rows are passed over, numbers may have a decimal point (``49.0``).

    Returns:
        Diagnosis by patient id (three digits) and slice number (from 1).

    Raises:
        InputError: Not such a table, a cell is not a number, or a slice is listed
            twice with different findings; the message names file and line.
    """
    try:
        # The whole text first: a csv reader over a stream meets bad bytes mid-way.
        text = path.read_bytes().decode('utf-8-sig')
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'{path}: not a readable CSV file ({error}); {_REMEDY}'
        ) from error
    header = [_normalize(cell) for cell in lines[0]] if lines else []
    first = ','.join(lines[0])[:200] if lines else ''
    missing = {_PATIENT, _SLICE, _NEGATIVE, *SUBTYPES} - set(header)
    if missing:
        raise InputError(
            f'{path}: the header lacks {", ".join(sorted(missing))} '
            f'(it reads {first!r}); {_REMEDY}'
        )
    diagnoses: dict[tuple[str, int], Diagnosis] = {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != len(header):
                raise ValueError(f'{len(cells)} cells, expected {len(header)}')
            key, diagnosis = _read_row(dict(zip(header, cells, strict=True)))
        except ValueError as error:
            raise InputError(f'{path}, line {number}: {error}; {_REMEDY}') from error
        if diagnoses.setdefault(key, diagnosis) != diagnosis:
            raise InputError(
                f'{path}, line {number}: patient {key[0]} slice {key[1]} is listed '
                f'twice with different findings; {_REMEDY}'
            )
    return diagnoses


def _normalize(cell: str) -> str:
    return re.sub('[^a-z]', '', cell.lower())


def _read_row(row: Mapping[str, str]) -> tuple[tuple[str, int], Diagnosis]:
    subtypes = {name: _read_number(row, name) == 1 for name in SUBTYPES}
    flags = [*SUBTYPES, _NEGATIVE] + ([_FRACTURE] if _FRACTURE in row else [])
    for name in flags:
        if _read_number(row, name) not in (0, 1):
            raise ValueError(f'{name} is {row[name]!r}, expected 0 or 1')
    patient, number = _read_number(row, _PATIENT), _read_number(row, _SLICE)
    if patient < 1 or number < 1:
        raise ValueError(f'patient {patient}, slice {number}, expected 1 or more')
    diagnosis = Diagnosis(
        subtypes=subtypes,
        hemorrhage=_read_number(row, _NEGATIVE) == 0 or any(subtypes.values()),
        fracture=_read_number(row, _FRACTURE) == 1 if _FRACTURE in row else None,
    )
    return (f'{patient:03d}', number), diagnosis


def _read_number(row: Mapping[str, str], name: str) -> int:
    try:
        value = float(row[name])
        if value != int(value):
            raise ValueError
    except (OverflowError, ValueError):
        raise ValueError(f'{name} is {row[name]!r}, expected a whole number') from None
    return int(value)
