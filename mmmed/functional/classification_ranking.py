"""How well scores rank positive cases above the others: AUC, AP, threshold.

With weights every function answers for all resamples of a bootstrap at once, which
scikit-learn's do one by one. Not here: scores of labels (``classification_counts``).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.classification_counts import Floats, divide


def compute_auc(
    scores: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Area under the ROC curve; a tie counts half.

    Args:
        scores: Shape (n,), higher for positive.
        positive: Bool, shape (n,).
        weights: How often each case counts, shape (B, n); None for once.

    Returns:
        Shape (), or (B,) with weights; NaN without a positive or a negative case.

    Raises:
        ValueError: Shapes differ, or a score is NaN.

    Source:
        Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    Example:
        >>> float(compute_auc([0.1, 0.4, 0.4, 0.8], [False, False, True, True]))
        0.875
    """
    above, below = _sum_ties(scores, positive, weights)  # (B, G), rising score
    lower = np.cumsum(below, axis=1) - below
    pairs = above.sum(1) * below.sum(1)
    result = divide((above * (lower + below / 2)).sum(1), pairs)
    return result if weights is not None else result[0]


def compute_average_precision(
    scores: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Mean precision over the steps of recall, without interpolation.

    Args:
        scores: Shape (n,), higher for positive.
        positive: Bool, shape (n,).
        weights: As in :func:`compute_auc`.

    Returns:
        Shape (), or (B,) with weights; NaN without a positive case.

    Source:
        scikit-learn's ``average_precision_score``.
    """
    above, below = _sum_ties(scores, positive, weights)
    above, below = above[:, ::-1], below[:, ::-1]  # falling score
    hits = np.cumsum(above, axis=1)
    precision = divide(hits, hits + np.cumsum(below, axis=1))
    # Nothing was gained where nothing was called yet, whose precision is NaN.
    gained = np.where(above > 0, above * np.nan_to_num(precision), 0.0).sum(1)
    result = divide(gained, above.sum(1))
    return result if weights is not None else result[0]


def find_youden_threshold(scores: ArrayLike, positive: ArrayLike) -> float:
    """Threshold that a score must exceed for the best sensitivity + specificity.

    Choose it on validation cases and use it on others: on its own cases it is
    optimistic.

    Args:
        scores: Shape (n,).
        positive: Bool, shape (n,).

    Returns:
        The middle between two neighbouring scores, the lowest of equally good ones;
        NaN without a positive or a negative case, or if all scores are equal.

    Source:
        Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::aid-cncr2820030106>3.0.co;2-3.

    Example:
        >>> find_youden_threshold([0.1, 0.2, 0.6, 0.8], [False, False, True, True])
        0.4
    """
    values = np.unique(np.asarray(scores, np.float64))
    above, below = (part[0] for part in _sum_ties(scores, positive, None))
    if not above.sum() or not below.sum() or len(values) < 2:
        return math.nan
    specificity = np.cumsum(below)[:-1] / below.sum()
    sensitivity = 1 - np.cumsum(above)[:-1] / above.sum()
    # Rounded, so that equal sums of shares are equal.
    best = int(np.argmax(np.round(specificity + sensitivity, 12)))
    return float((values[best] + values[best + 1]) / 2)


def _sum_ties(
    scores: ArrayLike, positive: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats]:
    """Weight of positive and of negative cases at each distinct score, rising."""
    values = np.asarray(scores, np.float64)
    truth: NDArray[np.bool_] = np.asarray(positive, bool)
    if values.ndim != 1 or values.shape != truth.shape or np.isnan(values).any():
        raise ValueError(
            f'scores have shape {values.shape} and positive {truth.shape}, expected '
            '(n,) twice, without NaN'
        )
    given = np.ones((1, values.size)) if weights is None else np.asarray(weights)
    if given.ndim != 2 or given.shape[1] != values.size:
        raise ValueError(
            f'weights have shape {given.shape}, expected (B, {values.size})'
        )
    if not values.size:
        return np.zeros((len(given), 0)), np.zeros((len(given), 0))
    order = np.argsort(values, kind='stable')
    ranked = values[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] > ranked[:-1]])
    chosen = given[:, order].astype(np.float64)
    above = np.add.reduceat(chosen * truth[order], starts, axis=1)
    return above, np.add.reduceat(chosen, starts, axis=1) - above
