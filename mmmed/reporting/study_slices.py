"""Slices of a run, with lesion and without apart, and the number that mixes them.

Published tables of this task average a smoothed Dice over all slices, which gives 1 to
an empty slice left empty. That number is computed here too, and beside it what a
predictor scores on the same slices that never marks anything. Not here: whole volumes
(``study_subjects``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.overlap import compute_scores
from mmmed.functional.statistics import compute_bootstrap_interval, summarize

Row = dict[str, Any]
_SEED = 0


@dataclass(frozen=True)
class SliceTable:
    """Counts of the slices of one method.

    Args:
        title: What a reader knows it by.
        subjects: Subject of each slice, N names.
        counts: (N, 4): tp, fp, fn, tn in pixels.
    """

    title: str
    subjects: tuple[str, ...]
    counts: NDArray[np.int64]


def summarize_slices(table: SliceTable) -> Row:
    """One row: how slices with lesion are segmented, and how many without are marked.

    Returns:
        ``lesion_slices``; Dice over them (``dice_mean``, ``dice_sd``); over subjects,
        of the mean of each (``dice_subjects_mean``, ``_low``, ``_high``);
        ``left_empty``, the share of them without a mark; ``free_slices`` and
        ``free_marked``, the share with a false alarm, over slices. NaN without such
        slices.
    """
    has_lesion = _has_lesion(table.counts)
    marked = table.counts[:, 0] + table.counts[:, 1] > 0
    dice = compute_scores(table.counts[has_lesion])['dice']
    names = np.asarray(table.subjects, dtype=str)[has_lesion]
    means = np.array([dice[names == name].mean() for name in np.unique(names)])
    interval = compute_bootstrap_interval(means, rng=np.random.default_rng(_SEED))
    over_slices, over_subjects = summarize(dice), summarize(means)
    return {
        'method': table.title,
        'lesion_slices': int(has_lesion.sum()),
        'lesion_subjects': over_subjects.n,
        'dice_mean': over_slices.mean,
        'dice_sd': over_slices.sd,
        'dice_subjects_mean': over_subjects.mean,
        'dice_subjects_sd': over_subjects.sd,
        'dice_subjects_low': interval.low,
        'dice_subjects_high': interval.high,
        'left_empty': _mean(~marked[has_lesion]),
        'free_slices': int((~has_lesion).sum()),
        'free_marked': _mean(marked[~has_lesion]),
    }


def summarize_published(table: SliceTable) -> Row:
    """One row: the published arithmetic on these slices, and a predictor of nothing.

    Returns:
        ``all_dice``: smoothed Dice over all slices; ``all_background``: what an empty
        mask scores on the same slices. ``half_dice`` and ``half_background``: the
        same if half of the slices had a lesion, as in the published validation.
        ``half_background`` never falls below 0.5.
    """
    has_lesion = _has_lesion(table.counts)
    share = _mean(has_lesion)
    row: Row = {'method': table.title, 'lesion_share': share}
    for name, counts in (
        ('dice', table.counts),
        ('background', remove_marks(table.counts)),
    ):
        dice = compute_smoothed_dice(counts)
        lesion, free = _mean(dice[has_lesion]), _mean(dice[~has_lesion])
        row |= {
            f'all_{name}': _mean(dice),
            f'half_{name}': (lesion + free) / 2,
            f'lesion_{name}': lesion,
            f'free_{name}': free,
        }
    return row


def compute_smoothed_dice(counts: ArrayLike) -> NDArray[np.float64]:
    """Dice with 1 added above and below, as the published evaluation has it.

    Args:
        counts: (..., 4): tp, fp, fn, tn.

    Returns:
        (2 TP + 1) / (2 TP + FP + FN + 1): 1 where both sides are empty, 1 / (n + 1)
        for n lesion pixels of which none is marked.

    Source:
        Metrics of the code of Mousavi et al. 2025, medRxiv 2025.09.26.25336733.
    """
    tp, fp, fn, _ = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return (2 * tp + 1) / (2 * tp + fp + fn + 1)


def remove_marks(counts: ArrayLike) -> NDArray[np.int64]:
    """Counts (..., 4) as they would be had nothing been marked."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, np.int64), -1, 0)
    nothing = np.zeros_like(tp)
    return np.stack([nothing, nothing, tp + fn, fp + tn], axis=-1)


def _has_lesion(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    return counts[:, 0] + counts[:, 2] > 0


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else float('nan')
