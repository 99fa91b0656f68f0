"""Numbers of a report, computed again from the table of cases, as rows of CSV files.

Nothing is copied from what a run printed: a number that cannot be computed from the
cases is not shown. Not here: the maths (``mmmed.functional``), HTML.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmmed.functional.aggregation import LEVELS, sum_by_group, summarize_levels
from mmmed.functional.overlap import (
    COUNT_NAMES,
    SCORE_NAMES,
    compute_scores,
    label_outcomes,
)
from mmmed.reporting.evaluation_folder import CaseRow, Evaluation
from mmmed.reporting.training_log import TrainingLog

Row = dict[str, Any]

# Columns of one number in scores.csv, beside its names.
_SCORE_COLUMNS = (
    'value', 'low', 'high', 'n', 'n_undefined', 'n_patients',
    'sd', 'median', 'q25', 'q75', 'minimum', 'maximum',
)  # fmt: skip


def compute_levels(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Scores, outcomes and detection per structure, with intervals over patients.

    Returns:
        Structure name to the value of ``summarize_levels``, with the policy, seed,
        resamples and confidence that the run recorded.
    """
    bootstrap = evaluation.bootstrap
    result = {}
    for label in evaluation.labels:
        rows, counts = evaluation.select(label)
        result[label] = summarize_levels(
            counts,
            [row.patient_id for row in rows],
            policy=evaluation.policy,
            rng=np.random.default_rng(int(bootstrap['seed'])),
            confidence=evaluation.confidence,
            num_resamples=int(bootstrap['num_resamples']),
        )
    return result


def list_scores(
    evaluation: Evaluation, exposure: str, levels: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Rows of ``scores.csv``: every number of the score and detection tables."""
    rows = []
    for label, summary in levels.items():
        names = {'evaluation': evaluation.name, 'exposure': exposure, 'label': label}
        entries = [
            (level, score, summary['scores'][level][score])
            for level in LEVELS
            for score in SCORE_NAMES
        ] + [
            (level, f'detection_{name}', entry)
            for level, shares in summary['detection'].items()
            for name, entry in shares.items()
        ]
        for level, score, entry in entries:
            cells = {name: entry.get(name) for name in _SCORE_COLUMNS}
            rows.append(names | {'level': level, 'score': score} | cells)
        for level, outcomes in summary['outcomes'].items():
            for outcome, number in outcomes.items():
                cell = {'level': level, 'score': f'num_{outcome}', 'value': number}
                rows.append(names | cell)
    return rows


def list_cases(evaluation: Evaluation) -> list[Row]:
    """Rows of ``cases.csv``: one per case and structure."""
    facts = [
        {
            'case_id': row.case_id,
            'patient_id': row.patient_id,
            'slice_index': row.slice_index,
            'pixel_area_mm2': row.pixel_area_mm2,
            'label': row.label,
        }
        for row in evaluation.rows
    ]
    counts = np.array([row.counts for row in evaluation.rows], np.int64)
    return _add_scores(facts, counts, evaluation)


def list_patients(evaluation: Evaluation) -> list[Row]:
    """Rows of ``patients.csv``: counts of a patient's images summed, then scored."""
    result = []
    for label in evaluation.labels:
        rows, counts = evaluation.select(label)
        positive = (counts[:, 0] + counts[:, 2] > 0).astype(np.int64)
        extended = np.c_[counts, np.ones_like(positive), positive]
        names, sums = sum_by_group(extended, [row.patient_id for row in rows])
        facts = [
            {
                'patient_id': name,
                'label': label,
                'num_images': int(sums[index, 4]),
                'num_positive_images': int(sums[index, 5]),
            }
            for index, name in enumerate(names)
        ]
        result += _add_scores(facts, sums[:, :4], evaluation)
    return result


def _add_scores(
    facts: list[Row], counts: np.ndarray, evaluation: Evaluation
) -> list[Row]:
    """Facts, outcome, counts and scores side by side; undefined scores are None."""
    scores = compute_scores(counts, policy=evaluation.policy)
    outcomes = label_outcomes(counts)
    rows = []
    for index, fact in enumerate(facts):
        tp, fp, fn, _ = cells = counts[index].tolist()
        row = fact | {
            'outcome': str(outcomes[index]),
            'target_pixels': tp + fn,
            'pred_pixels': tp + fp,
        }
        row |= dict(zip(COUNT_NAMES, cells, strict=True))
        for name, values in scores.items():
            value = float(values[index])
            row[name] = None if math.isnan(value) else value
        rows.append(row)
    return rows


def list_curves(log: TrainingLog) -> list[Row]:
    """Rows of ``curves.csv``: one value of one training step or validation."""
    return [
        {'phase': phase, 'step': step, 'name': name, 'value': value}
        for phase in ('train', 'val')
        for name in log.list_names(phase)
        for step, value in zip(*log.get_series(phase, name), strict=True)
    ]


def find_contradictions(
    evaluation: Evaluation, levels: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Numbers that the run logged and the table of cases does not confirm.

    Returns:
        One sentence per contradicting number; empty if all agree to 1e-9.
    """
    logged = evaluation.summary.get('metrics') or {}
    found = []
    for label, summary in levels.items():
        suffix = re.sub(r'\W+', '_', label)  # as the metric names its keys
        for level in LEVELS:
            for score in SCORE_NAMES:
                key = f'overlap/{score}_{level}_{suffix}'
                ours, theirs = summary['scores'][level][score]['value'], logged.get(key)
                if key not in logged or ours == theirs:
                    continue
                if ours is None or theirs is None or abs(ours - theirs) > 1e-9:
                    found.append(f'{key} was logged as {theirs}, the cases give {ours}')
    return found


@dataclass(frozen=True)
class Ranking:
    """Names of the cases worth a look, no case twice.

    Args:
        worst: Lowest Dice among cases whose truth holds something.
        false_alarms: Most predicted pixels among cases whose truth is empty.
        best: Highest Dice among cases whose truth holds something.
    """

    worst: tuple[str, ...]
    false_alarms: tuple[str, ...]
    best: tuple[str, ...]


def rank_cases(evaluation: Evaluation, max_cases: int) -> Ranking:
    """Worst, falsely alarming and best cases, at most ``max_cases`` each.

    The Dice of a case with several structures is the mean over those that are not
    empty on both sides. Ties are broken by the number of wrong pixels (worst first),
    then by name.
    """
    with_target, without = [], []
    for case_id, rows in group_cases(evaluation).items():
        counts = np.array([row.counts for row in rows])
        wrong = int(counts[:, 1:3].sum())
        if (counts[:, 0] + counts[:, 2]).any():
            dice = compute_scores(counts, policy=evaluation.policy)['dice']
            present = counts[:, :3].sum(axis=1) > 0
            with_target.append((float(dice[present].mean()), -wrong, case_id))
        elif wrong:
            without.append((-wrong, case_id))
    ranked = [case_id for *_, case_id in sorted(with_target)]
    num_worst = min(max_cases, (len(ranked) + 1) // 2)
    return Ranking(
        worst=tuple(ranked[:num_worst]),
        false_alarms=tuple(case_id for _, case_id in sorted(without)[:max_cases]),
        best=tuple(ranked[num_worst:][::-1][:max_cases]),
    )


def group_cases(evaluation: Evaluation) -> dict[str, list[CaseRow]]:
    """Rows of every case: one per structure."""
    grouped: dict[str, list[CaseRow]] = {}
    for row in evaluation.rows:
        grouped.setdefault(row.case_id, []).append(row)
    return grouped
