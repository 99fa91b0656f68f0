"""Two folders of predictions of the same cases: who is better, and is it chance?

Not here: the tests (``mmmed.functional.classification_comparison``), predicting.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.classification_comparison import compare_aucs, compare_labels
from mmmed.functional.paired import compare_paired
from mmmed.structures.json_file import load_json

_COLUMNS = ('case_id', 'patient_id', 'target', 'truth', 'pred')
_CAUTION = (
    'DeLong and McNemar take cases for independent; where patients have several, trust '
    'the interval of accuracy, which resamples patients'
)

Row = Mapping[str, str]
Rows = Mapping[tuple[str, str], Row]


def compare_folders(first: str | Path, second: str | Path) -> dict[str, Any]:
    """Compare ``predictions.csv`` of two runs of ``tools/classify.py``.

    Args:
        first: Folder of the results of the first run.
        second: Of the second.

    Returns:
        By target, over the labelled cases of both: ``accuracy`` (paired difference with
        its patient-level interval), ``mcnemar``, and ``auc`` by class (DeLong; of two
        classes the second). JSON-ready; differences are first minus second.

    Raises:
        FileNotFoundError: A folder has no predictions.
        ValueError: A file is damaged, the truth differs, or no labelled case is shared.
    """
    ours, classes = _read(Path(first))
    theirs, others = _read(Path(second))
    result = {}
    for target in [name for name in classes if name in others]:
        if classes[target] != others[target]:
            raise ValueError(
                f'classes of {target!r} are {classes[target]} in {first} and '
                f'{others[target]} in {second}'
            )
        result[target] = _compare_target(target, classes[target], ours, theirs)
    if not any(result.values()):
        raise ValueError(
            f'{first} and {second} share no labelled case of a target; compare runs on '
            'the same data'
        )
    return {
        'schema_version': 1,
        'caution': _CAUTION,
        'targets': {name: entry for name, entry in result.items() if entry},
    }


def _read(folder: Path) -> tuple[dict[tuple[str, str], Row], dict[str, list[str]]]:
    """Rows by case and target, and class names by target."""
    path, metrics = folder / 'predictions.csv', folder / 'metrics.json'
    for name in (path, metrics):
        if not name.is_file():
            raise FileNotFoundError(
                f'{name} does not exist; run tools/classify.py on labelled cases first'
            )
    with path.open(newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    if not rows or any(name not in rows[0] for name in _COLUMNS):
        raise ValueError(f'{path}: no predictions of tools/classify.py')
    try:
        targets = load_json(metrics)['ensemble']
        classes = {name: list(target['classes']) for name, target in targets.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{metrics} is damaged: {error}') from error
    return {(row['case_id'], row['target']): row for row in rows}, classes


def _compare_target(
    target: str, classes: Sequence[str], ours: Rows, theirs: Rows
) -> dict[str, Any]:
    keys = [k for k in ours if k[1] == target and k in theirs and ours[k]['truth']]
    if not keys:
        return {}
    for key in keys:
        if ours[key]['truth'] != theirs[key]['truth']:
            raise ValueError(
                f'case {key[0]!r} is {ours[key]["truth"]!r} in one run and '
                f'{theirs[key]["truth"]!r} in the other; compare runs on the same data'
            )
    right = [
        np.array([rows[key]['pred'] == rows[key]['truth'] for key in keys])
        for rows in (ours, theirs)
    ]
    accuracy = compare_paired(
        right[0].astype(float),
        right[1].astype(float),
        rng=np.random.default_rng(0),
        units=[ours[key]['patient_id'] for key in keys],
    ).as_dict()
    wanted = ('n', 'n_units', 'mean_a', 'mean_b', 'mean_difference', 'low', 'high')
    asked = list(enumerate(classes))[1 if len(classes) == 2 else 0 :]
    return {
        'accuracy': {name: accuracy[name] for name in wanted},
        'mcnemar': compare_labels(*right).as_dict(),
        'auc': {
            label: compare_aucs(
                _list_scores(ours, keys, place),
                _list_scores(theirs, keys, place),
                np.array([ours[key]['truth'] == label for key in keys]),
            ).as_dict()
            for place, label in asked
        },
    }


def _list_scores(
    rows: Rows, keys: Sequence[tuple[str, str]], place: int
) -> NDArray[np.float64]:
    try:
        return np.array([float(rows[key][f'prob_{place}']) for key in keys])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f'predictions.csv has no number in prob_{place} for every case ({error})'
        ) from error
