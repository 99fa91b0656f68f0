"""From counts per image to numbers per level: image, patient and pooled.

The training metric, the evaluation tool and the report all call this, so they
print the same numbers. Not here: scores of one case (``overlap``), files.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.overlap import (
    DEFAULT_POLICY,
    OUTCOMES,
    SCORE_NAMES,
    EmptyPolicy,
    compute_scores,
    label_outcomes,
)
from mmmed.functional.statistics import (
    compute_percentile_interval,
    draw_resample_weights,
    summarize,
)

LEVELS = ('image', 'positive_image', 'patient', 'pooled')

DEFINITIONS = {
    'dice': '2 TP / (2 TP + FP + FN), in pixels',
    'iou': 'TP / (TP + FP + FN), in pixels',
    'precision': 'TP / (TP + FP): share of the predicted pixels that is right',
    'recall': 'TP / (TP + FN): share of the true pixels that was found',
    'image': 'mean over images of the score of each image',
    'positive_image': 'the same, only over images whose truth holds the structure',
    'patient': (
        "mean over patients; the counts of a patient's images are summed before the "
        'score is taken'
    ),
    'pooled': 'score of the counts summed over all images; large lesions dominate',
    'detection': (
        'is anything predicted where something is, and nothing where nothing is; '
        'place and size do not matter'
    ),
}


def sum_by_group(
    counts: ArrayLike, groups: Sequence[str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Sum the counts of all rows that share a group.

    Args:
        counts: Shape (N, ...), integers.
        groups: N names, for instance patient ids.

    Returns:
        The G group names, sorted, and their sums, shape (G, ...).

    Raises:
        ValueError: Lengths differ.
    """
    array = np.asarray(counts, np.int64)
    if len(groups) != len(array):
        raise ValueError(f'{len(array)} counts for {len(groups)} groups')
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), *array.shape[1:]), np.int64)
    np.add.at(sums, index, array)
    return names.tolist(), sums


def summarize_levels(
    counts: ArrayLike,
    patient_ids: Sequence[str],
    *,
    rng: np.random.Generator,
    policy: EmptyPolicy = DEFAULT_POLICY,
    confidence: float = 0.95,
    num_resamples: int = 2000,
) -> dict[str, Any]:
    """Scores, outcomes and detection of one structure at every level.

    All intervals resample patients, also those of image means and pooled scores:
    images of one patient resemble each other, and treating them as independent
    would make the interval too narrow.

    Args:
        counts: Shape (N, 4), one row of tp, fp, fn, tn per image.
        patient_ids: Patient of each image, N names.
        rng: Source of the bootstrap resamples.
        policy: Value of a score where a side is empty.
        confidence: Nominal coverage of the intervals.
        num_resamples: Bootstrap resamples.

    Returns:
        Plain, JSON-ready values; undefined numbers are ``None``:
        ``scores[level][score]`` holds ``value``, ``low``, ``high``, ``n`` (images or
        patients in the mean), ``n_undefined`` (left out by the policy),
        ``n_patients`` behind it, ``sd``, ``median``, ``q25``, ``q75``, ``minimum``,
        ``maximum``; pooled scores have no spread. ``outcomes[level]`` counts every
        outcome, ``detection[level]`` holds ``sensitivity`` and ``specificity`` with
        intervals; their levels are ``image`` and ``patient``.

    Raises:
        ValueError: ``counts`` is not (N, 4) or the lengths differ.
    """
    array = np.asarray(counts, np.int64).reshape(-1, 4)
    patients, patient_counts = sum_by_group(array, patient_ids)
    index = np.searchsorted(patients, np.asarray(patient_ids, dtype=str))
    own = np.arange(len(patients))
    positive = array[:, 0] + array[:, 2] > 0
    weights = draw_resample_weights(len(patients), rng=rng, num_resamples=num_resamples)
    levels = {
        'image': (array, index),
        'positive_image': (array[positive], index[positive]),
        'patient': (patient_counts, own),
    }
    result: dict[str, Any] = {
        'n_images': len(array),
        'n_patients': len(patients),
        'scores': {},
        'outcomes': {},
        'detection': {},
    }
    for level, (level_counts, units) in levels.items():
        scores = compute_scores(level_counts, policy=policy)
        result['scores'][level] = {
            name: summarize_mean(scores[name], units, weights, confidence)
            for name in SCORE_NAMES
        }
    result['scores']['pooled'] = _summarize_pooled(
        patient_counts, weights, policy, confidence
    )
    for level in ('image', 'patient'):
        level_counts, units = levels[level]
        outcomes = label_outcomes(level_counts)
        result['outcomes'][level] = {
            name: int(np.count_nonzero(outcomes == name)) for name in OUTCOMES
        }
        result['detection'][level] = _summarize_detection(
            outcomes, units, weights, confidence
        )
    return result


def summarize_mean(
    values: NDArray[np.float64],
    units: NDArray[np.intp],
    weights: NDArray[np.float64],
    confidence: float,
) -> dict[str, Any]:
    """Mean of the defined values, its spread, and its interval over patients.

    Args:
        values: Shape (N,), one score per image; NaN is counted, not averaged.
        units: Number of the patient of each image, shape (N,), in [0, P).
        weights: Shape (B, P), as ``draw_resample_weights`` gives them.
        confidence: Nominal coverage of the interval.

    Returns:
        One entry ``scores[level][score]`` of :func:`summarize_levels`.
    """
    fields = summarize(values).as_dict()
    defined = ~np.isnan(values)
    total = np.bincount(units[defined], values[defined], weights.shape[1])
    number = np.bincount(units[defined], minlength=weights.shape[1])
    entry = _bound(total, number, weights, confidence)
    entry['value'] = fields.pop('mean')
    return entry | fields


def _summarize_detection(
    outcomes: NDArray[np.str_],
    units: NDArray[np.intp],
    weights: NDArray[np.float64],
    confidence: float,
) -> dict[str, Any]:
    """Share of present structures that got any answer, of absent ones that got none."""
    found, silent = np.isin(outcomes, ['hit', 'disjoint']), outcomes == 'both_empty'
    present = found | (outcomes == 'missed')
    absent = silent | (outcomes == 'false_alarm')
    result = {}
    for name, right, of in (
        ('sensitivity', found, present),
        ('specificity', silent, absent),
    ):
        total = np.bincount(units, right, weights.shape[1])
        number = np.bincount(units, of, weights.shape[1])
        result[name] = _bound(total, number, weights, confidence)
        result[name]['n'] = int(of.sum())
    return result


def _bound(
    total: NDArray[Any],
    number: NDArray[Any],
    weights: NDArray[np.float64],
    confidence: float,
) -> dict[str, Any]:
    """Ratio of sums over patients and its percentile interval."""
    # einsum, not a matrix product: the same bits whatever the number of threads.
    totals = np.einsum('bp,p->b', weights, total.astype(np.float64))
    numbers = np.einsum('bp,p->b', weights, number.astype(np.float64))
    undefined = np.full(len(totals), math.nan)
    estimates = np.divide(totals, numbers, out=undefined, where=numbers > 0)
    n_patients = int(np.count_nonzero(number))
    interval = compute_percentile_interval(
        estimates, n=n_patients, confidence=confidence
    ).as_dict()
    value = float(total.sum() / number.sum()) if n_patients else None
    return {
        'value': value,
        'low': interval['low'],
        'high': interval['high'],
        'n_patients': n_patients,
    }


def _summarize_pooled(
    patient_counts: NDArray[np.int64],
    weights: NDArray[np.float64],
    policy: EmptyPolicy,
    confidence: float,
) -> dict[str, Any]:
    """Scores of the summed counts with intervals over patients."""
    n_patients = len(patient_counts)
    pooled = compute_scores(patient_counts.sum(axis=0), policy=policy)
    totals = np.einsum('bp,pc->bc', weights, patient_counts.astype(np.float64))
    resampled = compute_scores(totals, policy=policy)
    result = {}
    for name in SCORE_NAMES:
        interval = compute_percentile_interval(
            resampled[name], n=n_patients, confidence=confidence
        ).as_dict()
        value = float(pooled[name])
        result[name] = {
            'value': None if math.isnan(value) else value,
            'low': interval['low'],
            'high': interval['high'],
            'n_patients': n_patients,
            'n': 0 if math.isnan(value) else 1,
            'n_undefined': int(math.isnan(value)),
        }
    return result
