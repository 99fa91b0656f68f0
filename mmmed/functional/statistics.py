"""Numbers that describe a sample of cases: summary and bootstrap interval.

Not here: which scores a case has (``overlap``) and how cases make a level of
analysis (``aggregation``).
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Resampled elements held at a time (float64: 64 MB), whatever the sample size.
_BLOCK = 1 << 23

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True)
class Summary:
    """Location and spread of a sample; fields without a value are NaN.

    Args:
        n: Values that entered (NaN excluded).
        n_undefined: NaN values that did not: say this number beside every mean.
        mean: Arithmetic mean.
        sd: Sample standard deviation (n - 1); NaN for n < 2.
        median: 50th percentile, linear interpolation, as are the quartiles.
        q25: Lower quartile.
        q75: Upper quartile.
        minimum: Smallest value.
        maximum: Largest value.
    """

    n: int
    n_undefined: int
    mean: float
    sd: float
    median: float
    q25: float
    q75: float
    minimum: float
    maximum: float

    def as_dict(self) -> dict[str, float | None]:
        """Fields by name, NaN as ``None``: JSON carries no NaN."""
        return _drop_nan(asdict(self))


@dataclass(frozen=True)
class Interval:
    """Bootstrap interval of a statistic; bounds are NaN where it says nothing.

    Args:
        low: Lower bound.
        high: Upper bound.
        confidence: Nominal coverage in (0, 1).
        num_resamples: Resamples drawn.
        n: Independent units that were resampled.
    """

    low: float
    high: float
    confidence: float
    num_resamples: int
    n: int

    def as_dict(self) -> dict[str, float | None]:
        """Fields by name, NaN as ``None``: JSON carries no NaN."""
        return _drop_nan(asdict(self))


def _drop_nan(fields: dict[str, float]) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else value for name, value in fields.items()
    }


def summarize(values: ArrayLike) -> Summary:
    """Count, mean, spread and quartiles of the values that are defined.

    Args:
        values: Shape (n,); NaN marks a case without a value and is counted apart.

    Returns:
        The summary. With no defined value every statistic is NaN; with one, ``sd`` is.

    Raises:
        ValueError: ``values`` is not one-dimensional.

    Example:
        >>> summarize([0.2, 0.4, float('nan')]).n_undefined
        1
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f'values have shape {array.shape}, expected (n,)')
    defined = array[~np.isnan(array)]
    missing = array.size - defined.size
    if defined.size == 0:
        return Summary(0, missing, *[math.nan] * 7)
    quartiles = np.percentile(defined, [50, 25, 75, 0, 100])
    spread = float(defined.std(ddof=1)) if defined.size > 1 else math.nan
    mean = float(defined.mean())
    return Summary(defined.size, missing, mean, spread, *map(float, quartiles))


def compute_mean(values: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the second axis: (B, n) to (B,); the default statistic."""
    return values.mean(axis=1)


def compute_bootstrap_interval(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: Statistic = compute_mean,
    confidence: float = 0.95,
    num_resamples: int = 2000,
) -> Interval:
    """Percentile interval from resampling independent units with replacement.

    Units must be independent: resample patients, not slices of a patient. For a
    ratio of sums over patients prefer :func:`draw_resample_weights`.

    Args:
        values: Shape (n, ...), one entry per unit.
        rng: Source of the resamples; the same state gives the same interval.
        statistic: From resamples (B, n, ...) to (B,).
        confidence: Nominal coverage in (0, 1).
        num_resamples: B in total, >= 1.

    Returns:
        The interval, as :func:`compute_percentile_interval` makes it.

    Raises:
        ValueError: ``confidence`` or ``num_resamples`` out of range, or scalar values.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.3.
    """
    array = np.asarray(values, np.float64)
    if array.ndim == 0:
        raise ValueError('values are a scalar, expected shape (n, ...)')
    _check_resampling(confidence, num_resamples)
    n = array.shape[0]
    if n == 0:
        return Interval(math.nan, math.nan, confidence, num_resamples, 0)
    size = max(1, _BLOCK // max(array.size, 1))
    estimates = [
        statistic(array[rng.integers(0, n, (min(size, num_resamples - start), n))])
        for start in range(0, num_resamples, size)
    ]
    return compute_percentile_interval(
        np.concatenate(estimates), n=n, confidence=confidence
    )


def draw_resample_weights(
    n: int, *, rng: np.random.Generator, num_resamples: int = 2000
) -> NDArray[np.float64]:
    """How often each of n units enters each bootstrap resample.

    Multiplying the weights with per-unit sums gives the totals of all resamples at
    once, so several statistics share the same resamples.

    Returns:
        Shape (B, n), whole numbers; every row sums to n.

    Raises:
        ValueError: ``num_resamples`` < 1 or ``n`` < 0.
    """
    _check_resampling(0.95, num_resamples)
    if n < 0:
        raise ValueError(f'n is {n}, expected a number of units >= 0')
    weights = np.zeros((num_resamples, n))
    size = max(1, _BLOCK // max(n, 1))
    for start in range(0, num_resamples if n else 0, size):
        rows = min(size, num_resamples - start)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        counts = np.bincount(drawn.reshape(-1), minlength=rows * n)
        weights[start : start + rows] = counts.reshape(rows, n)
    return weights


def compute_percentile_interval(
    estimates: ArrayLike, *, n: int, confidence: float = 0.95
) -> Interval:
    """Central percentiles of bootstrap estimates.

    Args:
        estimates: Shape (B,). NaN (for instance a resample without any positive
            case) is left out.
        n: Independent units behind the resamples.
        confidence: Nominal coverage in (0, 1).

    Returns:
        The interval. NaN bounds for n < 2: one unit says nothing about spread, and
        a zero-width interval would claim it does. Not meaningful for n < 10, where
        the extremes of so few units set the bounds.

    Raises:
        ValueError: ``confidence`` is out of range.
    """
    array = np.asarray(estimates, np.float64)
    _check_resampling(confidence, max(array.size, 1))
    defined = array[~np.isnan(array)]
    if n < 2 or defined.size == 0:
        return Interval(math.nan, math.nan, confidence, array.size, n)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Interval(float(low), float(high), confidence, array.size, n)


def _check_resampling(confidence: float, num_resamples: int) -> None:
    if not 0 < confidence < 1 or num_resamples < 1:
        raise ValueError(
            f'confidence is {confidence} and num_resamples {num_resamples}, expected '
            'a share between 0 and 1 and at least 1 resample'
        )
