"""Whose scans a folder of synthetic lesions was made from.

Several synthetic scans of one source show one patient, and may not be divided among
training and validation. Not here: making them (``synthetic_set``).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.structures.json_file import load_json

MANIFEST = 'synthetic.json'
_SHA256 = re.compile(r'[0-9a-f]{64}')
_LONGEST = 200


def read_synthetic_patients(root: Path) -> dict[str, str] | None:
    """Patient of each case that ``synthetic.json`` of a folder lists.

    Only names are taken from the file, never a path.

    Args:
        root: Folder that ``tools/synthesize.py generate`` wrote.

    Returns:
        Patient by case id, scans of the same source image as one; of sets that name
        no patients, one patient per source image. None without such a file.

    Raises:
        InputError: It is damaged, or a case is there twice or without its source.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        value = load_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: {error}; generate the set again') from error
    cases = value.get('cases') if isinstance(value, Mapping) else None
    if not isinstance(cases, list) or not cases:
        raise InputError(f'{path}: lists no cases; generate the set again')
    by_source: dict[str, str] = {}
    patients: dict[str, str] = {}
    for number, case in enumerate(cases):
        case_id, patient, source = _read_case(case, f'{path}: cases[{number}]')
        if case_id in patients:
            raise InputError(f'{path}: {case_id!r} is listed twice; keep one of them')
        patients[case_id] = by_source.setdefault(source, patient)
    return patients


def _read_case(case: Any, where: str) -> tuple[str, str, str]:
    """Case id, patient and hash of the source of an entry."""
    entry = case if isinstance(case, Mapping) else {}
    source = entry.get('source_sha256')
    if not isinstance(source, str) or not _SHA256.fullmatch(source):
        raise InputError(f'{where} does not name its source; generate the set again')
    patient = entry.get('patient_id', f'source-{source[:16]}')
    for name in (entry.get('case_id'), patient):
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= _LONGEST
            or not name.isprintable()
        ):
            raise InputError(f'{where}: {name!r} is no name; generate the set again')
    return entry['case_id'], patient, source
