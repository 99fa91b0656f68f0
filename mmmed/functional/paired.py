"""Two methods on the same cases: difference, its interval and a rank test.

Not here: which scores are compared (``mmmed.evaluation``), one sample
(``statistics``).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mmmed.functional.statistics import (
    compute_percentile_interval,
    draw_resample_weights,
)

# Differences that agree to so many digits are ties: 0.9 - 0.8 and 0.5 - 0.4.
_DIGITS = 12
# Largest sample of the exact distribution of the signed-rank statistic.
_EXACT = 50


@dataclass(frozen=True)
class SignedRankTest:
    """Result of :func:`compute_signed_rank`.

    Args:
        statistic: Smaller of the rank sums of positive and negative differences.
        p_value: Two-sided; NaN without a difference that is not zero.
        n: Differences.
        n_nonzero: Those that are not zero, which the test is made of.
        method: ``'exact'`` or ``'normal'`` (with a correction for ties); ``''`` if
            there is nothing to test.
    """

    statistic: float
    p_value: float
    n: int
    n_nonzero: int
    method: str


@dataclass(frozen=True)
class PairedComparison:
    """Result of :func:`compare_paired`; undefined numbers are NaN.

    Args:
        n: Pairs of which both values are defined.
        n_undefined: Pairs left out because a value is NaN.
        n_units: Independent units behind the pairs.
        mean_a: Of the first method, over these pairs.
        mean_b: Of the second.
        mean_difference: First minus second.
        low: Lower bound of the bootstrap interval of the mean difference.
        high: Upper bound.
        statistic: As in :class:`SignedRankTest`; p_value, n_nonzero, method too.
        p_value: Two-sided.
        n_nonzero: Units that differ.
        method: Of the test.
        higher: Pairs in which the first method has the higher value.
        ties: Pairs of equal values.
        lower: Pairs in which the first method has the lower value.
    """

    n: int
    n_undefined: int
    n_units: int
    mean_a: float
    mean_b: float
    mean_difference: float
    low: float
    high: float
    statistic: float
    p_value: float
    n_nonzero: int
    method: str
    higher: int
    ties: int
    lower: int

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Fields by name, NaN as ``None``: JSON carries no NaN."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


def compute_signed_rank(differences: ArrayLike) -> SignedRankTest:
    """Wilcoxon's signed-rank test of paired differences.

    Zero differences are left out (Wilcoxon's own treatment), equal sizes share their
    mean rank. Up to 50 differences without ties the distribution is exact, else
    normal with the tie correction and without a continuity correction.

    Args:
        differences: Shape (n,), of independent units, without NaN.

    Raises:
        ValueError: Another shape, or NaN.

    Source:
        Wilcoxon 1945, doi:10.2307/3001968; computed by ``scipy.stats.wilcoxon``.

    Example:
        >>> compute_signed_rank([1.0, 2.0, 3.0, 0.0]).p_value
        0.25
    """
    array = np.asarray(differences, np.float64)
    if array.ndim != 1 or np.isnan(array).any():
        raise ValueError(
            f'differences have shape {array.shape}, expected (n,) without NaN'
        )
    kept = np.round(array, _DIGITS)
    kept = kept[kept != 0]
    if not kept.size:
        return SignedRankTest(math.nan, math.nan, array.size, 0, '')
    has_ties = np.unique(np.abs(kept)).size < kept.size
    is_exact = kept.size <= _EXACT and not has_ties
    result = stats.wilcoxon(
        kept, correction=False, method='exact' if is_exact else 'asymptotic'
    )
    return SignedRankTest(
        float(result.statistic),
        float(result.pvalue),
        array.size,
        kept.size,
        'exact' if is_exact else 'normal',
    )


def compare_paired(
    a: ArrayLike,
    b: ArrayLike,
    *,
    rng: np.random.Generator,
    units: Sequence[str] | None = None,
    confidence: float = 0.95,
    num_resamples: int = 2000,
) -> PairedComparison:
    """Compare two methods by one score on the same cases.

    Args:
        a: Scores of the first method, shape (n,); NaN where undefined.
        b: Scores of the second, same cases in the same order.
        rng: Source of the bootstrap resamples.
        units: Independent unit of each case, such as its patient. The interval
            resamples units, and the test takes the mean difference of each. None:
            every case is its own.
        confidence: Nominal coverage of the interval.
        num_resamples: Bootstrap resamples.

    Returns:
        The comparison. Without a pair every number is NaN; with one unit the bounds
        are.

    Raises:
        ValueError: Shapes differ.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f'scores have shapes {first.shape} and {second.shape}, expected (n,) twice'
        )
    names = np.arange(first.size).astype(str) if units is None else np.asarray(units)
    if names.shape != first.shape:
        raise ValueError(f'{len(names)} units for {first.size} cases')
    defined = ~(np.isnan(first) | np.isnan(second))
    kept_a, kept_b = first[defined], second[defined]
    difference = np.round(kept_a - kept_b, _DIGITS)
    _, index = np.unique(names[defined], return_inverse=True)
    sizes = np.bincount(index)
    sums = np.bincount(index, difference, len(sizes)).astype(np.float64)
    low, high = _bound(sums, sizes, rng, confidence, num_resamples)
    test = compute_signed_rank(sums / sizes)
    return PairedComparison(
        n=kept_a.size,
        n_undefined=int(first.size - kept_a.size),
        n_units=len(sizes),
        mean_a=_compute_mean(kept_a),
        mean_b=_compute_mean(kept_b),
        mean_difference=_compute_mean(difference),
        low=low,
        high=high,
        statistic=test.statistic,
        p_value=test.p_value,
        n_nonzero=test.n_nonzero,
        method=test.method,
        higher=int((difference > 0).sum()),
        ties=int((difference == 0).sum()),
        lower=int((difference < 0).sum()),
    )


def _bound(
    sums: NDArray[np.float64],
    sizes: NDArray[np.intp],
    rng: np.random.Generator,
    confidence: float,
    num_resamples: int,
) -> tuple[float, float]:
    """Bounds of the mean difference over cases, resampling units."""
    weights = draw_resample_weights(len(sums), rng=rng, num_resamples=num_resamples)
    # einsum, not a matrix product: the same bits whatever the number of threads.
    totals = np.einsum('bu,u->b', weights, sums)
    numbers = np.einsum('bu,u->b', weights, sizes.astype(np.float64))
    undefined = np.full(len(totals), math.nan)
    means = np.divide(totals, numbers, out=undefined, where=numbers > 0)
    interval = compute_percentile_interval(means, n=len(sums), confidence=confidence)
    return interval.low, interval.high


def _compute_mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else math.nan
