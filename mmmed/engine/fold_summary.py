"""What the folds of a cross-validation amount to together.

Mean and spread over folds describe how much the result hangs on who was left out;
the pooled patients (each tested once, by a network that never saw him) describe the
method. Not here: training and testing the folds (``cross_validation``).
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.engine.cross_validation import Run, find_summary
from mmmed.files import write_csv_atomic, write_json_atomic
from mmmed.functional.statistics import compute_bootstrap_interval, summarize
from mmmed.structures.json_file import load_json

SCORES = ('dice', 'iou', 'precision', 'recall')
# Of ``mmmed.ClassificationMetric``: what a line for people says of each target.
_CLASSIFICATION = re.compile(r'cls/.+_(accuracy|auc_macro)')


def summarize_folds(runs: Sequence[Run]) -> dict[str, Any]:
    """Mean and SD over folds, and scores over all patients, of the finished runs.

    Args:
        runs: Runs of one grid; those not tested yet are named, and left out.

    Returns:
        ``missing``: names of runs without a result. ``split_hash``. ``folds``: one
        entry per plane and metric with ``values`` by fold, ``n``, ``mean`` and
        ``sd`` (of a sample, None for fewer than two folds). ``patients``: one
        entry per plane, structure and score over the patients of all tested folds: n,
        n_undefined, mean, sd, median, quartiles, extremes, bootstrap interval.

    Raises:
        ValueError: Folds were tested on different splits, or a patient was tested in
            two folds of a plane.
    """
    done = [(run, path) for run in runs if (path := find_summary(run.folder))]
    found = [(run, path, load_json(path)) for run, path in done]
    hashes = {summary.get('split_hash') for _, _, summary in found}
    if len(hashes) > 1:
        raise ValueError(
            'folds were tested on different splits of the data: '
            f'{sorted(map(str, hashes))}; train all folds on one manifest'
        )
    planes = list(dict.fromkeys(run.plane for run in runs))
    return {
        'schema_version': 1,
        'missing': [run.name for run in runs if not run.is_done],
        'split_hash': next(iter(hashes), None),
        'folds': [
            entry
            for plane in planes
            for entry in _summarize_metrics(
                plane,
                {run.fold: s['metrics'] for run, _, s in found if run.plane == plane},
            )
        ],
        'patients': [
            entry
            for plane in planes
            for entry in _summarize_patients(
                plane, [path.parent for run, path, _ in found if run.plane == plane]
            )
        ],
    }


def write_fold_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Write ``cross_validation.json``, ``folds.csv`` and ``patients.csv``."""
    rows = [
        {
            'plane': entry['plane'],
            'metric': entry['metric'],
            'fold': fold,
            'value': value,
        }
        for entry in summary['folds']
        for fold, value in entry['values'].items()
    ]
    write_csv_atomic(folder / 'folds.csv', rows)
    write_csv_atomic(folder / 'patients.csv', summary['patients'])
    write_json_atomic(folder / 'cross_validation.json', dict(summary))


def format_fold_summary(summary: Mapping[str, Any]) -> list[str]:
    """Lines for people: what is missing, and the scores of the patients."""
    lines = []
    if summary['missing']:
        lines.append(f'not tested yet: {", ".join(summary["missing"])}')
    lines += [
        f'{entry["plane"] or "all"}: {entry["metric"]} {_show(entry["mean"])} ± '
        f'{_show(entry["sd"])} over {entry["n"]} folds'
        for entry in summary['folds']
        if _CLASSIFICATION.fullmatch(entry['metric'])
    ]
    by_key = {(e['plane'], e['metric']): e for e in summary['folds']}
    for entry in summary['patients']:
        if entry['score'] != 'dice':
            continue
        metric = f'overlap/dice_patient_{entry["label"]}'
        folds = by_key.get((entry['plane'], metric), {'n': 0, 'mean': None, 'sd': None})
        lines.append(
            f'{entry["plane"] or "all"}: Dice of {entry["label"]} '
            f'{_show(folds["mean"])} ± {_show(folds["sd"])} over {folds["n"]} folds; '
            f'{_show(entry["mean"])} ± {_show(entry["sd"])} over {entry["n"]} patients'
            f' [{_show(entry["low"])}, {_show(entry["high"])}]'
            + (f', {entry["n_undefined"]} without it' if entry['n_undefined'] else '')
        )
    return lines


def _summarize_metrics(
    plane: str | None, folds: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for metrics in folds.values() for name in metrics)
    entries = []
    for name in names:
        values = {fold: metrics.get(name) for fold, metrics in sorted(folds.items())}
        known = [v for v in values.values() if v is not None]
        stats = summarize(np.array(known, np.float64)).as_dict()
        entries.append(
            {'plane': plane, 'metric': name, 'values': values}
            | {key: stats[key] for key in ('n', 'mean', 'sd')}
        )
    return entries


def _summarize_patients(
    plane: str | None, folders: Sequence[Path]
) -> list[dict[str, Any]]:
    """Scores over the patients of all folds of a plane."""
    seen: dict[tuple[str, str], Path] = {}
    scores: dict[tuple[str, str], list[float]] = {}
    for folder in folders:
        for row in _read_patients(folder):
            key = (row['patient_id'], row['label'])
            if key in seen:
                raise ValueError(
                    f'patient {key[0]!r} was tested in {seen[key]} and in {folder}; '
                    'folds must not share patients'
                )
            seen[key] = folder
            for name in SCORES:
                value = float(row[name]) if row.get(name) else math.nan
                scores.setdefault((row['label'], name), []).append(value)
    entries = []
    for (label, name), values in scores.items():
        known = np.array([v for v in values if not math.isnan(v)])
        interval = compute_bootstrap_interval(known, rng=np.random.default_rng(0))
        entries.append(
            {'plane': plane, 'label': label, 'score': name}
            | summarize(values).as_dict()
            | {key: interval.as_dict()[key] for key in ('low', 'high')}
        )
    return entries


def _read_patients(folder: Path) -> list[dict[str, str]]:
    path = folder / 'patients.csv'
    if not path.is_file():
        return []
    with path.open(newline='', encoding='utf-8') as stream:
        return list(csv.DictReader(stream))


def _show(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'
