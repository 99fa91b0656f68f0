"""Quotas: how many of each stratum go in a batch, so that none is favoured.

Shares are whole numbers of slices while batches are small, so every rule must round;
what it does with the remainders decides whether rare strata are ever seen. Not here:
the strata (``lesion_strata``), who is drawn (``mmmed.datasets.samplers``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def apportion(weights: ArrayLike, total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to weights, by the largest remainders.

    Every share is rounded down, then what is left goes one by one to the largest
    remainders (Hamilton's method); a tie goes to the earlier entry. For one batch or
    one table: shares that are rounded again and again need :func:`plan_quotas`,
    which carries the remainders on.

    Args:
        weights: Whole numbers >= 0, shape (K,), not all 0.
        total: Sum of the result, >= 0.

    Returns:
        Shape (K,); each entry is its exact share rounded down or up.

    Raises:
        ValueError: Weights are not whole numbers, or all are 0.

    Example:
        >>> apportion([12622, 4203, 3571, 3452, 1457, 1076], 16).tolist()
        [8, 2, 2, 2, 1, 1]
    """
    counts = _check_counts(weights)
    if total < 0:
        raise ValueError(f'total is {total}, expected >= 0')
    seats, remainders = np.divmod(counts * total, counts.sum())
    order = np.argsort(-remainders, kind='stable')
    seats[order[: total - int(seats.sum())]] += 1
    return seats


def plan_quotas(counts: ArrayLike, sizes: Sequence[int]) -> NDArray[np.int64]:
    """Quotas of a whole epoch: every slice once, every batch in proportion.

    After each batch every stratum has had its exact share of all slices so far,
    rounded down or up: what a batch could not give is carried over to the next ones.
    Largest remainders alone cannot promise that (in some batch a stratum would have
    to give a seat back), so the seats that are left after rounding down go, among the
    strata below their upper rounding, to the one whose next slice is due first.

    Hence, for a batch of n slices and a stratum of share p: it has more than n p - 2
    and fewer than n p + 2 of them, any run of batches likewise, and the epoch has
    exactly what there is.

    Args:
        counts: Slices of each stratum, whole numbers >= 0, shape (K,).
        sizes: Slices of each batch, >= 0, T of them; their sum is that of ``counts``.

    Returns:
        Shape (T, K): row sums are ``sizes``, column sums are ``counts``.

    Raises:
        ValueError: The sums differ, or a number is negative.

    Source:
        Balinski and Young 1975, The Quota Method of Apportionment, Am. Math. Monthly
        82(7):701-730, applied to the cumulative shares of the batches.
    """
    weights = _check_counts(counts).tolist()
    total = sum(weights)
    if sum(sizes) != total or min(sizes, default=0) < 0:
        raise ValueError(
            f'batches hold {sum(sizes)} slices, the strata {total}; expected the same, '
            'and no batch below 0'
        )
    given = [0] * len(weights)
    rows = np.zeros((len(sizes), len(weights)), np.int64)
    so_far = 0
    # Whole numbers only: with floats a share of exactly 3 might be 2.9999.
    for row, size in zip(rows, sizes, strict=True):
        so_far += size
        left = size
        waiting = []
        for k, weight in enumerate(weights):
            lower, rest = divmod(so_far * weight, total)
            due = max(lower - given[k], 0)
            row[k] = due
            given[k] += due
            left -= due
            if rest and given[k] == lower:
                # The next slice is due when so_far reaches this many.
                waiting.append((-(-(lower + 1) * total // weight), k))
        for _, k in sorted(waiting)[:left]:
            row[k] += 1
            given[k] += 1
    return rows


def spread_evenly(total: int, batches: int) -> NDArray[np.int64]:
    """Whole numbers that differ by at most one, the larger ones far apart.

    Args:
        total: Sum, >= 0.
        batches: How many, >= 1.

    Returns:
        Shape (batches,).

    Example:
        >>> spread_evenly(10, 4).tolist()
        [2, 3, 2, 3]
    """
    return np.diff(np.arange(batches + 1, dtype=np.int64) * total // batches)


def round_legacy(counts: ArrayLike, total: int) -> NDArray[np.int64]:
    """Quotas as published with RAX-Net: rounded twice, remainders lost.

    Shares are rounded to whole percent and the largest stratum takes the difference
    to 100; then the percentages of ``total`` are rounded and the largest quota takes
    the difference. Halves go to the even number. A stratum below half a slice gets
    none, ever: kept for study, not for use.

    Args:
        counts: Slices of each stratum, shape (K,), not all 0.
        total: Lesion slices in a batch.

    Returns:
        Shape (K,), sum ``total``.

    Raises:
        ValueError: As :func:`apportion`.

    Example:
        >>> round_legacy([11713, 5322, 4175, 3696, 1665, 703], 16).tolist()
        [8, 3, 2, 2, 1, 0]
    """
    weights = _check_counts(counts)
    percent = np.rint(100 * weights / weights.sum()).astype(np.int64)
    percent[weights.argmax()] += 100 - percent.sum()
    quotas = np.rint(percent * total / 100).astype(np.int64)
    quotas[quotas.argmax()] += total - quotas.sum()
    return quotas


def count_legacy_batches(counts: ArrayLike, quotas: ArrayLike) -> int:
    """Batches that can be filled with fixed quotas until one stratum runs out.

    Args:
        counts: Slices of each stratum, shape (K,).
        quotas: Of one batch, shape (K,); at least one is > 0.

    Returns:
        The number; slices beyond are never used.
    """
    weights, each = np.asarray(counts), np.asarray(quotas)
    used = each > 0
    return int((weights[used] // each[used]).min())


def _check_counts(counts: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(counts)
    if (
        array.ndim != 1
        or not np.issubdtype(array.dtype, np.integer)
        or (array < 0).any()
        or not array.any()
    ):
        raise ValueError(
            f'counts are {array.tolist()}, expected whole numbers >= 0, not all 0'
        )
    return array.astype(np.int64)
