"""What ``tools/evaluate.py`` left behind, read and checked.

Not here: what is shown of it (``score_page``, ``score_plots``).
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.reporting.evaluation_folder import read_run

KIND, SCHEMA_VERSION = 'mmmed-scores', 1
Row = dict[str, Any]
# What is text in the tables; everything else is a number or empty.
_TEXT = ('case_id', 'label', 'outcome', 'side', 'metric', 'patient_id', 'plane')
_NEEDED = {
    'cases.csv': ('case_id', 'label', 'outcome', 'dice'),
    'lesions.csv': ('case_id', 'label', 'side', 'outcome', 'dice', 'volume_mm3'),
    'comparison.csv': ('case_id', 'label', 'metric', 'a', 'b', 'difference'),
}


@dataclass(frozen=True)
class ScoreFolder:
    """One evaluation of a folder of masks.

    Args:
        folder: Where it lies.
        summary: Content of ``summary.json``.
        cases: Rows of ``cases.csv``; undefined numbers are NaN.
        lesions: Rows of ``lesions.csv``.
        comparison: Rows of ``comparison.csv``; none if nothing was compared.
        run: Content of ``run.json``; empty if there is none.
    """

    folder: Path
    summary: Mapping[str, Any]
    cases: Sequence[Row]
    lesions: Sequence[Row] = ()
    comparison: Sequence[Row] = ()
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Structures in the order of the summary."""
        return list(self.summary['structures'])

    @property
    def metrics(self) -> Mapping[str, Mapping[str, str]]:
        """Title, unit, direction and definition of every column."""
        return self.summary['metrics']

    @property
    def confidence(self) -> float:
        """Nominal coverage of the intervals."""
        return float(self.summary['bootstrap']['confidence'])

    @property
    def unit(self) -> str:
        """What the intervals resample: ``case`` or ``patient``."""
        return str(self.summary['bootstrap']['unit'])

    def get_structure(self, label: str) -> Mapping[str, Any]:
        """Numbers of one structure."""
        return self.summary['structures'][label]

    def get_column(self, label: str, name: str) -> NDArray[np.float64]:
        """A column of the cases of one structure, NaN where undefined."""
        values = [row[name] for row in self.cases if row['label'] == label]
        return np.array(values, np.float64)

    def select_pairs(self, label: str, metric: str) -> list[Row]:
        """Rows of the comparison of one structure and score."""
        key = (label, metric)
        return [row for row in self.comparison if (row['label'], row['metric']) == key]


def read_score_folder(folder: str | Path) -> ScoreFolder:
    """Read an output folder of the folder evaluator.

    Raises:
        FileNotFoundError: There is no such folder, or nothing was evaluated in it.
        ValueError: A file is damaged; the message names it.
    """
    folder = Path(folder)
    summary_path = folder / 'summary.json'
    if not summary_path.is_file():
        raise FileNotFoundError(
            f'{folder} holds no summary.json; give the --out of `tools/evaluate.py`'
        )
    summary = read_run(summary_path)
    form = summary.get('kind'), summary.get('schema_version')
    if form != (KIND, SCHEMA_VERSION):
        raise ValueError(
            f'{summary_path}: kind and version are {form}, expected '
            f'{(KIND, SCHEMA_VERSION)}, as `tools/evaluate.py` writes them; evaluate '
            'again'
        )
    cases = _read_table(folder / 'cases.csv', summary)
    if not cases:
        raise ValueError(f'{folder / "cases.csv"}: holds no case; evaluate again')
    others = {
        name: _read_table(folder / f'{name}.csv', summary)
        if (folder / f'{name}.csv').is_file()
        else []
        for name in ('lesions', 'comparison')
    }
    return ScoreFolder(
        folder, summary, cases, run=read_run(folder / 'run.json'), **others
    )


def _read_table(path: Path, summary: Mapping[str, Any]) -> list[Row]:
    """Rows with numbers, NaN for an empty cell; texts stay."""
    if not path.is_file():
        raise ValueError(f'{path} is missing; evaluate again')
    text = {*_TEXT, *(summary.get('groups') or {})}
    try:
        with open(path, encoding='utf-8', newline='') as stream:
            reader = csv.DictReader(stream)
            names = reader.fieldnames or ()
            missing = [n for n in _NEEDED[path.name] if names and n not in names]
            if missing:
                raise ValueError(f'lacks the columns {", ".join(missing)}')
            return [_read_row(cells, text, number) for number, cells in _count(reader)]
    except (ValueError, csv.Error) as error:
        raise ValueError(f'{path}: {error}; evaluate again') from error


def _count(reader: Iterable[dict[str, str]]) -> Iterable[tuple[int, dict[str, str]]]:
    return enumerate(reader, 2)  # line 1 is the header


def _read_row(cells: Mapping[str, str], text: set[str], number: int) -> Row:
    if None in cells or None in cells.values():
        raise ValueError(f'line {number} has more or fewer cells than the header')
    row: Row = {}
    for name, cell in cells.items():
        if name in text:
            row[name] = cell
            continue
        try:
            value = float(cell) if cell else math.nan
        except ValueError as error:
            raise ValueError(f'line {number}: {name} is {cell!r}, no number') from error
        row[name] = value if math.isfinite(value) else math.nan
    return row
