"""Weights and threshold of a weighted fusion, fitted on predictions.

A subject is reduced to a table of how often each combination of rounded probabilities
occurs, inside and outside the lesion. On that table every choice of weights and
threshold is evaluated exactly, in whole numbers. Not here: which predictions may be
used (out-of-fold ones only: the caller's duty).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.masks import check_mask

# Rounded to percent: with three planes a dense table has about a million entries.
LEVELS = 100
_MOST_ENTRIES = 1 << 25
_SLAB = 1 << 20


@dataclass(frozen=True)
class JointTable:
    """How often combinations of rounded probabilities occur in one subject.

    Args:
        combos: Rounded probabilities times ``levels``, shape (B, P), those that occur.
        lesion: Voxels of each inside the reference, shape (B,).
        other: Voxels of each outside of it, shape (B,).
        levels: Steps between probability 0 and 1.
    """

    combos: NDArray[np.int64]
    lesion: NDArray[np.int64]
    other: NDArray[np.int64]
    levels: int = LEVELS


@dataclass(frozen=True)
class FittedWeights:
    """The best of all weights and thresholds that were tried.

    Args:
        weights: One per plane, >= 0, sum 1.
        threshold: Weighted mean probability from which on a voxel is lesion.
        dice: Mean Dice over the subjects with a lesion.
        mean_dice: The same for equal weights and threshold 0.5, to compare.
        num_subjects: Subjects with a lesion.
    """

    weights: tuple[float, ...]
    threshold: float
    dice: float
    mean_dice: float
    num_subjects: int


def count_combos(
    probs: Sequence[NDArray], target: ArrayLike, *, levels: int = LEVELS
) -> JointTable:
    """Reduce the probabilities of one subject to a table.

    Args:
        probs: Of P planes, same shape, values in [0, 1].
        target: Reference mask, same shape.
        levels: Steps between 0 and 1; probabilities are rounded to the nearest.

    Returns:
        Only combinations that occur, in lexicographic order.

    Raises:
        ValueError: Shapes differ, a value is outside [0, 1], or the table of all
            combinations would be too large.
    """
    mask = check_mask(target, 'target').reshape(-1)
    size = (levels + 1) ** len(probs)
    if not probs or size > _MOST_ENTRIES:
        raise ValueError(
            f'{len(probs)} planes with {levels} levels make a table of {size} entries, '
            f'expected 1 to {_MOST_ENTRIES}; use fewer levels'
        )
    flat = [prob.reshape(-1) for prob in probs]
    if any(part.size != mask.size for part in flat):
        raise ValueError('probabilities and target differ in shape, expected the same')
    counts = np.zeros((2, size), np.int64)
    for start in range(0, mask.size, _SLAB):
        part = slice(start, start + _SLAB)
        code = np.zeros(mask[part].shape, np.int64)
        for prob in flat:
            code = code * (levels + 1) + _round(prob[part], levels)
        inside = mask[part]
        counts[1] += np.bincount(code[inside], minlength=size)
        counts[0] += np.bincount(code[~inside], minlength=size)
    used = np.flatnonzero(counts.any(axis=0))
    combos = np.stack(np.unravel_index(used, (levels + 1,) * len(probs)), axis=1)
    return JointTable(combos, counts[1, used], counts[0, used], levels)


def fit_weights(tables: Sequence[JointTable], *, steps: int = 10) -> FittedWeights:
    """Weights and threshold of the largest mean Dice over subjects.

    Every vector of weights in multiples of ``1 / steps`` and every threshold in
    multiples of ``1 / levels`` is tried. Subjects without lesion are left out: Dice
    says nothing about them. Of equally good choices the one nearest to equal weights
    and then to threshold 0.5 wins.

    Args:
        tables: One a subject, from predictions of networks that never saw it.
        steps: Divisions of a weight, >= 1.

    Raises:
        ValueError: No subject has a lesion, or tables differ in planes or levels.
    """
    tables = [table for table in tables if table.lesion.sum() > 0]
    if not tables:
        raise ValueError('no subject with a lesion, so there is no Dice to maximise')
    levels, planes = tables[0].levels, tables[0].combos.shape[1]
    if any(t.levels != levels or t.combos.shape[1] != planes for t in tables):
        raise ValueError('tables differ in levels or planes, expected the same')
    if steps < 1:
        raise ValueError(f'steps are {steps}, expected at least 1')
    ranked = []
    for parts in _list_simplex(planes, steps):
        curve = _compute_dice_curve(tables, np.array(parts), steps)
        uneven = sum((planes * part - steps) ** 2 for part in parts)
        for level in range(1, levels + 1):
            # Rounded: sums in another order must not decide between equals.
            rank = (-round(curve[level], 12), uneven, abs(2 * level - levels))
            ranked.append((*rank, level, parts))
    best = min(ranked)
    mean = _compute_dice_curve(tables, np.ones(planes, np.int64), planes)
    return FittedWeights(
        weights=tuple(part / steps for part in best[4]),
        threshold=best[3] / levels,
        dice=-best[0],
        mean_dice=float(mean[math.ceil(levels / 2)]),
        num_subjects=len(tables),
    )


def _round(prob: NDArray, levels: int) -> NDArray[np.int64]:
    if not (prob.min() >= 0 and prob.max() <= 1):  # also for NaN
        raise ValueError(
            f'probabilities from {prob.min()} to {prob.max()}, expected 0 to 1'
        )
    return np.rint(prob * levels).astype(np.int64)


def _list_simplex(count: int, steps: int) -> Iterator[tuple[int, ...]]:
    """Whole numbers >= 0 that add up to ``steps``."""
    for inner in itertools.product(range(steps + 1), repeat=count - 1):
        if sum(inner) <= steps:
            yield (*inner, steps - sum(inner))


def _compute_dice_curve(
    tables: Sequence[JointTable], parts: NDArray[np.int64], steps: int
) -> NDArray[np.float64]:
    """Mean Dice at each threshold 0, 1, ..., ``levels``, shape (levels + 1,)."""
    levels = tables[0].levels
    total = np.zeros(levels + 1)
    for table in tables:
        # A voxel is lesion at every threshold up to its score: whole steps suffice.
        score = table.combos @ parts // steps
        inside = np.bincount(score, table.lesion, levels + 1)
        outside = np.bincount(score, table.other, levels + 1)
        tp = inside[::-1].cumsum()[::-1]
        predicted = tp + outside[::-1].cumsum()[::-1]
        total += 2 * tp / (predicted + table.lesion.sum())
    return total / len(tables)
