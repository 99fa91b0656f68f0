"""Folds that somebody published, from their table.

Not here: tables of our own (``split_table``), drawing folds (``splits``).
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError

_SUBJECT_COLUMNS = ('subject', 'subject_name', 'subject_id', 'patient_id', 'case_id')
_FOLD_COLUMN = 'fold'
_INDEX = re.compile(r'\d{1,4}')


@dataclass(frozen=True)
class GivenFolds:
    """Folds of named patients.

    Args:
        path: Where they were read.
        sha256: Of that file.
        folds: Fold of each patient, from 0.
        num_folds: How many there are.
    """

    path: Path
    sha256: str
    folds: Mapping[str, int]
    num_folds: int

    def check(self, patients: set[str]) -> None:
        """Whether the table and the data name the same patients.

        Raises:
            InputError: A patient is in only one of them.
        """
        for names, text in (
            (sorted(patients - self.folds.keys()), 'prepared but in no fold'),
            (sorted(self.folds.keys() - patients), 'in a fold but not in the data'),
        ):
            if names:
                raise InputError(
                    f'{self.path}: {len(names)} patient(s) are {text}, first '
                    f'{names[0]}; a published fold file fits its whole data set only'
                )

    def to_dict(self) -> dict[str, Any]:
        """Which file it was, for the manifest."""
        return {'name': self.path.name, 'sha256': self.sha256}


def read_given_folds(
    path: str | Path, name_patient: Callable[[str], str]
) -> GivenFolds:
    """Read a table of folds.

    Two forms are understood: one row a patient with the columns ``fold`` and
    ``subject`` (or ``patient_id`` and the like), or one column (or one row) a fold
    that lists its patients, with or without a header and an index.

    Args:
        path: CSV file.
        name_patient: Patient id for a name as the file writes it; raises InputError
            for what is none.

    Raises:
        InputError: No such file, neither form, a patient twice, or fewer than two
            folds; the message names the file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f'--split-file {path}: cannot be read ({error}); give a CSV of folds'
        ) from error
    rows = [[c.strip() for c in row] for row in csv.reader(text.splitlines()) if row]
    if not rows:
        raise InputError(f'--split-file {path}: is empty; give a CSV of folds')
    header = [cell.casefold() for cell in rows[0]]
    if _FOLD_COLUMN in header:
        groups = _read_long(path, header, rows[1:])
    else:
        groups = _read_matrix(path, rows, name_patient)
    if len(groups) < 2:
        raise InputError(
            f'--split-file {path}: {len(groups)} fold(s), expected 2 or more'
        )
    named = [(name_patient(name), fold) for fold, g in enumerate(groups) for name in g]
    twice = [name for name, n in Counter(name for name, _ in named).items() if n > 1]
    if twice:
        raise InputError(
            f'--split-file {path}: {len(twice)} patient(s) are listed twice, first '
            f'{twice[0]}; each belongs to one fold'
        )
    return GivenFolds(path, hash_file(path), dict(named), len(groups))


def _read_long(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[list[str]]:
    column = next((c for c in _SUBJECT_COLUMNS if c in header), None)
    if column is None:
        raise InputError(
            f'--split-file {path}: a column "fold" but none of '
            f'{", ".join(_SUBJECT_COLUMNS)}; rename yours'
        )
    at, fold_at = header.index(column), header.index(_FOLD_COLUMN)
    groups: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 2):
        if len(row) != len(header) or not row[fold_at]:
            raise InputError(
                f'--split-file {path}: line {number} is {row}, expected a value in '
                'each column'
            )
        groups.setdefault(row[fold_at], []).append(row[at])
    # Folds 0..4, 1..5, or by name; ten after nine.
    return [
        groups[name]
        for name in sorted(groups, key=lambda n: (not n.isdigit(), len(n), n))
    ]


def _read_matrix(
    path: Path,
    rows: Sequence[Sequence[str]],
    name_patient: Callable[[str], str],
) -> list[list[str]]:
    def is_name(cell: str) -> bool:
        if not cell or _INDEX.fullmatch(cell):
            return False
        try:
            name_patient(cell)
        except InputError:
            return False
        return True

    cells = [[cell if is_name(cell) else '' for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        raise InputError(
            f'--split-file {path}: names no patient; expected columns "fold" and '
            '"subject", or one column of patients a fold'
        )
    wide = max(map(len, cells))
    columns = [[row[i] if i < len(row) else '' for row in cells] for i in range(wide)]
    columns = [column for column in columns if any(column)]
    # There are more patients in a fold than folds.
    groups = columns if len(columns) <= len(cells) else cells
    return [[cell for cell in group if cell] for group in groups]
