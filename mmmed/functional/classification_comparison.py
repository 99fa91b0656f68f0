"""Two classifiers on the same cases: DeLong's test of AUCs, McNemar's of labels.

Both take cases for independent: where patients have several, compare patient means with
``paired.compare_paired`` too. Not here: one classifier (``classification_scores``).
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mmmed.functional.classification_counts import Floats


@dataclass(frozen=True)
class AucComparison:
    """Result of :func:`compare_aucs`; NaN without a positive or a negative case.

    Args:
        auc_a: Of the first classifier.
        auc_b: Of the second.
        difference: First minus second.
        standard_error: Of the difference.
        low: Lower bound of its normal interval.
        high: Upper bound.
        p_value: Two-sided; 1 for equal scores.
        n_positive: Positive cases.
        n_negative: Negative cases.
    """

    auc_a: float
    auc_b: float
    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float
    n_positive: int
    n_negative: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Fields by name, NaN as ``None``."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class LabelComparison:
    """Result of :func:`compare_labels`.

    Args:
        n: Cases.
        both_right: Cases that both classify correctly.
        only_a: Cases that only the first does.
        only_b: Cases that only the second does.
        both_wrong: Cases that none does.
        p_value: Two-sided; 1 if they are right on the same cases.
    """

    n: int
    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p_value: float

    def as_dict(self) -> dict[str, float | int]:
        """Fields by name."""
        return asdict(self)


def compare_aucs(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    positive: ArrayLike,
    *,
    confidence: float = 0.95,
) -> AucComparison:
    """DeLong's test of two correlated areas under the ROC curve.

    Args:
        scores_a: Of the first classifier, shape (n,).
        scores_b: Of the second, same cases in the same order.
        positive: Bool, shape (n,).
        confidence: Nominal coverage of the interval.

    Raises:
        ValueError: Shapes differ.

    Source:
        DeLong et al. 1988, doi:10.2307/2531595, by midranks as in Sun and Xu 2014,
        doi:10.1109/LSP.2014.2337313.
    """
    both = np.stack([np.asarray(scores_a, float), np.asarray(scores_b, float)])
    truth = np.asarray(positive, bool)
    if both.ndim != 2 or truth.shape != both.shape[1:]:
        raise ValueError(
            f'scores have shape {both.shape[1:]} and positive {truth.shape}, expected '
            '(n,) each'
        )
    m, n = int(truth.sum()), int((~truth).sum())
    if not m or not n:
        nan = math.nan
        return AucComparison(nan, nan, nan, nan, nan, nan, nan, m, n)
    above, below = _place(both, truth)  # (2, m), (2, n): each case's own share
    aucs = above.mean(axis=1)
    spread = _covary(above) / m + _covary(below) / n
    difference = float(aucs[0] - aucs[1])
    # Rounding must not make a variance negative, nor equal classifiers differ.
    variance = max(float(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1]), 0.0)
    error = math.sqrt(variance)
    if abs(difference) < 1e-12:
        p_value = 1.0
    elif error < 1e-12:
        p_value = math.nan if m < 2 or n < 2 else 0.0
    else:
        p_value = float(2 * stats.norm.sf(abs(difference) / error))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return AucComparison(
        float(aucs[0]),
        float(aucs[1]),
        difference,
        error,
        difference - reach,
        difference + reach,
        p_value,
        m,
        n,
    )


def compare_labels(right_a: ArrayLike, right_b: ArrayLike) -> LabelComparison:
    """McNemar's exact test of who is right on which cases.

    Args:
        right_a: Whether the first classifier is right, bool, shape (n,).
        right_b: Whether the second is.

    Raises:
        ValueError: Shapes differ.

    Source:
        McNemar 1947, doi:10.1007/BF02295996; exact binomial form.
    """
    first, second = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f'shapes are {first.shape} and {second.shape}, expected (n,) twice'
        )
    only_a = int((first & ~second).sum())
    only_b = int((second & ~first).sum())
    p_value = 1.0
    if only_a + only_b:
        p_value = float(stats.binomtest(only_a, only_a + only_b).pvalue)
    both = int((first & second).sum())
    return LabelComparison(
        first.size, both, only_a, only_b, first.size - both - only_a - only_b, p_value
    )


def _place(scores: Floats, truth: np.ndarray) -> tuple[Floats, Floats]:
    """Share of negatives below each positive, and of positives above each negative."""
    above, below = scores[:, truth], scores[:, ~truth]
    m, n = above.shape[1], below.shape[1]
    ranks = stats.rankdata(np.concatenate([above, below], axis=1), axis=1)
    own = stats.rankdata(above, axis=1), stats.rankdata(below, axis=1)
    return (ranks[:, :m] - own[0]) / n, 1 - (ranks[:, m:] - own[1]) / m


def _covary(values: Floats) -> Floats:
    if values.shape[1] < 2:
        return np.full((2, 2), math.nan)
    return np.asarray(np.cov(values))
