"""What ``tools/classify.py`` and ``tools/explain.py`` left behind, read and checked.

Not here: what the numbers say, how they look.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.structures.json_file import load_json
from mmmed.structures.region_explanation import RegionExplanation, read_explanation

SCHEMA_VERSION = 1
Row = Mapping[str, str]


@dataclass(frozen=True)
class ClassificationFolder:
    """Results of a classification.

    Args:
        folder: Where they lie.
        metrics: Content of ``metrics.json``; empty without labels.
        rows: Of ``predictions.csv``, one a case and target.
        explanations: Of single cases, by name.
        run: Content of ``run.json``; empty if there is none.
    """

    folder: Path
    metrics: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    explanations: Mapping[str, RegionExplanation] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def targets(self) -> Mapping[str, Mapping[str, Any]]:
        """Scores of the ensemble by target, those with a labelled case."""
        found = self.metrics.get('ensemble') or {}
        return {name: target for name, target in found.items() if target['n']}

    @property
    def case_ids(self) -> list[str]:
        """Cases with a prediction."""
        return list(dict.fromkeys(row['case_id'] for row in self.rows))

    def get_prob(self, target: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Probabilities (n, K) and true class (n,) of the labelled cases.

        Raises:
            ValueError: A row has no numbers, or a class that is none.
        """
        classes = list(self.targets[target]['classes'])
        rows = [row for row in self.rows if row['target'] == target and row['truth']]
        try:
            prob = [[float(row[f'prob_{k}']) for k in range(len(classes))]
                    for row in rows]  # fmt: skip
            truth = [classes.index(row['truth']) for row in rows]
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'{self.folder / "predictions.csv"}: not as tools/classify.py writes '
                f'it ({error}); classify again'
            ) from error
        return np.array(prob).reshape(len(rows), len(classes)), np.array(truth, int)


def read_classification(folder: str | Path) -> ClassificationFolder:
    """Read a folder; everything in it is optional but something has to be there.

    Raises:
        FileNotFoundError: There is no such folder, or nothing of ours in it.
        ValueError: A file is damaged; the message names it.
    """
    folder = Path(folder)
    paths = sorted(folder.glob('explanations/*.json'))
    found = [n for n in ('metrics.json', 'predictions.csv') if (folder / n).is_file()]
    if not paths and not found:
        raise FileNotFoundError(
            f'{folder} holds no predictions.csv and no explanations; run '
            'tools/classify.py or tools/explain.py first'
        )
    explanations = {path.stem: read_explanation(path) for path in paths}
    # Pages are named after cases, and no name inside a file may choose where.
    for name, one in explanations.items():
        if one.case_id != name:
            raise ValueError(
                f'{folder / "explanations" / name}.json is about case '
                f'{one.case_id!r}, expected the name of the file; explain again'
            )
    metrics = _read_json(folder / 'metrics.json')
    if metrics and metrics.get('schema_version') != SCHEMA_VERSION:
        raise ValueError(
            f'{folder / "metrics.json"}: schema_version '
            f'{metrics.get("schema_version")!r}, expected {SCHEMA_VERSION}; classify '
            'again'
        )
    return ClassificationFolder(
        folder,
        metrics,
        _read_rows(folder / 'predictions.csv'),
        explanations,
        _read_json(folder / 'run.json'),
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = load_json(path)
    except ValueError as error:
        raise ValueError(f'{path}: {error}; classify again') from error
    if not isinstance(value, dict):
        raise ValueError(f'{path}: holds {type(value).__name__}, expected an object')
    return value


def _read_rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        with path.open(encoding='utf-8', newline='') as stream:
            reader = csv.DictReader(stream)
            needed = {'case_id', 'patient_id', 'target', 'truth', 'pred', 'confidence'}
            missing = needed - set(reader.fieldnames or ())
            if missing:
                raise ValueError(f'lacks the columns {", ".join(sorted(missing))}')
            return [{k: v or '' for k, v in row.items() if k} for row in reader]
    except (ValueError, csv.Error) as error:
        raise ValueError(f'{path}: {error}; classify again') from error
