"""One label map from several: majority vote and STAPLE.

Both work on counts of vote patterns (which label each member gave), of which there are
few: memory beyond the label maps does not grow with the number of classes. Not here:
means of probabilities.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SLAB_VOXELS = 1 << 22
# Warfield et al. start from raters who are almost perfect.
_START = 0.99999


@dataclass(frozen=True)
class Staple:
    """What STAPLE estimated.

    Args:
        labels: The label map.
        confusion: Shape (M, L, L) for the labels that occur: share of voxels of true
            label (column) that member m called (row). For binary maps the diagonal is
            specificity and sensitivity.
        present: The L labels that occur, ascending.
        iterations: Until nothing changed.
        converged: Whether they sufficed.
    """

    labels: NDArray
    confusion: NDArray[np.float64]
    present: tuple[int, ...]
    iterations: int
    converged: bool


def fuse_by_vote(maps: Sequence[NDArray]) -> NDArray:
    """The label that most members gave; the smallest of several such labels.

    Args:
        maps: M label maps of one shape and integer type.

    Returns:
        Label map, same shape and type.

    Raises:
        ValueError: No map, or they differ in shape or type.
    """
    _check(maps)
    patterns = _count_patterns(maps)
    winners = np.empty(len(patterns.votes), dtype=maps[0].dtype)
    for row, votes in enumerate(patterns.votes):
        labels, counts = np.unique(votes, return_counts=True)
        winners[row] = labels[np.argmax(counts)]
    return _assign(maps, patterns, winners)


def fuse_by_staple(
    maps: Sequence[NDArray], *, max_iterations: int = 500, tolerance: float = 1e-7
) -> Staple:
    """The most probable true labels, together with how reliable each member is.

    Expectation maximisation over the whole map, without a spatial prior. The prior of
    a label is its share of all votes and stays fixed.

    Args:
        maps: M label maps of one shape and integer type, M >= 2 to be of use.
        max_iterations: At most so many rounds.
        tolerance: Stop when no reliability changes by more.

    Returns:
        See :class:`Staple`; of equally probable labels the smallest is taken.

    Raises:
        ValueError: No map, or they differ in shape or type.

    Source:
        Warfield, Zou, Wells 2004, doi:10.1109/TMI.2004.828354, sections II.B and
        II.D (multi-category). Differs: none.
    """
    _check(maps)
    patterns = _count_patterns(maps)
    present = np.unique(patterns.votes)
    votes = np.searchsorted(present, patterns.votes)  # (P, M) in 0..L-1
    counts = patterns.counts.astype(np.float64)
    shares = _sum_votes(votes, counts, len(present)).mean(axis=0)
    log_prior = np.log(shares / shares.sum())
    confusion = _start_confusion(votes.shape[1], len(present))
    converged, iterations = len(present) == 1, 0
    posterior = _estimate_truth(votes, confusion, log_prior)
    while not converged and iterations < max_iterations:
        iterations += 1
        updated = _estimate_confusion(votes, counts, posterior, confusion)
        converged = bool(np.abs(updated - confusion).max() <= tolerance)
        confusion = updated
        posterior = _estimate_truth(votes, confusion, log_prior)
    # Posteriors that are equal on paper differ in the last bits.
    best = posterior.max(axis=1, keepdims=True)
    winners = present[np.argmax(posterior >= best - 1e-12, axis=1)]
    labels = _assign(maps, patterns, winners.astype(maps[0].dtype))
    return Staple(
        labels, confusion, tuple(present.tolist()), iterations, bool(converged)
    )


def _start_confusion(members: int, labels: int) -> NDArray[np.float64]:
    others = (1 - _START) / max(1, labels - 1)
    one = np.full((labels, labels), others)
    np.fill_diagonal(one, _START if labels > 1 else 1.0)
    return np.repeat(one[None], members, axis=0)


def _estimate_truth(
    votes: NDArray[np.intp], confusion: NDArray, log_prior: NDArray
) -> NDArray[np.float64]:
    """E step: probability of each label for each pattern, (P, L)."""
    with np.errstate(divide='ignore'):
        logs = np.log(confusion)
    scores = np.tile(log_prior, (len(votes), 1))
    for member in range(votes.shape[1]):
        scores += logs[member, votes[:, member]]
    top = scores.max(axis=1, keepdims=True)
    # A pattern that no label explains: every label is as good as before the votes.
    scores = np.where(np.isfinite(top), scores, log_prior)
    prob = np.exp(scores - scores.max(axis=1, keepdims=True))
    return prob / prob.sum(axis=1, keepdims=True)


def _estimate_confusion(
    votes: NDArray[np.intp],
    counts: NDArray[np.float64],
    posterior: NDArray[np.float64],
    before: NDArray[np.float64],
) -> NDArray[np.float64]:
    """M step: how each member calls each true label, (M, L, L)."""
    weighted = posterior * counts[:, None]
    total = weighted.sum(axis=0)
    result = np.zeros_like(before)
    for member, matrix in enumerate(result):
        np.add.at(matrix, votes[:, member], weighted)
    # A label that is nowhere true says nothing new about anybody.
    return np.where(total > 0, result / np.where(total > 0, total, 1), before)


def _sum_votes(
    votes: NDArray[np.intp], counts: NDArray[np.float64], labels: int
) -> NDArray[np.float64]:
    """Voxels that each member gave each label, (M, L)."""
    return np.stack(
        [np.bincount(column, counts, minlength=labels) for column in votes.T]
    )


@dataclass(frozen=True)
class _Patterns:
    """Distinct combinations of votes, in lexicographic order.

    Args:
        votes: Shape (P, M).
        counts: Voxels of each, (P,).
    """

    votes: NDArray
    counts: NDArray[np.int64]


def _count_patterns(maps: Sequence[NDArray]) -> _Patterns:
    votes, counts = [], []
    for slab in _iterate_slabs(maps):
        found, how_often = _find_patterns(slab)[:2]
        votes.append(found)
        counts.append(how_often)
    merged, inverse = np.unique(np.concatenate(votes), axis=0, return_inverse=True)
    totals = np.zeros(len(merged), dtype=np.int64)
    np.add.at(totals, inverse.ravel(), np.concatenate(counts))
    return _Patterns(merged, totals)


def _assign(maps: Sequence[NDArray], patterns: _Patterns, winners: NDArray) -> NDArray:
    """Label map in which each pattern is replaced by its winner."""
    table = {votes.tobytes(): row for row, votes in enumerate(patterns.votes)}
    result = np.empty(maps[0].shape, dtype=maps[0].dtype)
    flat = result.reshape(-1)
    start = 0
    for slab in _iterate_slabs(maps):
        found, _, inverse = _find_patterns(slab)
        rows = np.array([table[votes.tobytes()] for votes in found], dtype=np.intp)
        stop = start + slab.shape[1]
        flat[start:stop] = winners[rows[inverse]]
        start = stop
    return result


def _find_patterns(
    slab: NDArray,
) -> tuple[NDArray, NDArray[np.int64], NDArray[np.intp]]:
    """Distinct columns of (M, voxels), how many of each, and which each voxel has."""
    size = int(slab.max()) + 1
    code = slab[0].astype(np.int64)
    # Members agree nearly everywhere: only where they do not, patterns are sought.
    differs = (slab != slab[0]).any(axis=0)
    if differs.any():
        mixed = slab[:, differs]
        numbers = np.zeros(mixed.shape[1], dtype=np.int64)
        for column in mixed:
            # Dense after each member, so that no product of sizes can overflow.
            numbers = np.unique(numbers * size + column, return_inverse=True)[1]
        code[differs] = size + numbers
    code = _make_dense(code)
    counts = np.bincount(code)
    first = np.zeros(len(counts), dtype=np.intp)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return np.ascontiguousarray(slab[:, first].T), counts, code


def _make_dense(code: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same classes, numbered 0, 1, ... in order."""
    used = np.zeros(int(code.max()) + 1, dtype=bool)
    used[code] = True
    return (np.cumsum(used) - 1)[code]


def _iterate_slabs(maps: Sequence[NDArray]) -> Iterator[NDArray]:
    """The maps as (M, voxels), a few million voxels at a time."""
    flat = [array.reshape(-1) for array in maps]
    for start in range(0, flat[0].size, _SLAB_VOXELS):
        yield np.stack([array[start : start + _SLAB_VOXELS] for array in flat])


def _check(maps: Sequence[NDArray]) -> None:
    if not maps or maps[0].size == 0:
        raise ValueError('no label map to fuse, expected at least one with voxels')
    for array in maps:
        if array.shape != maps[0].shape or array.dtype != maps[0].dtype:
            raise ValueError(
                f'label maps of shape {array.shape} and {maps[0].shape}, types '
                f'{array.dtype} and {maps[0].dtype}; expected the same'
            )
    if maps[0].dtype.kind not in 'ui' or maps[0].min() < 0:
        raise ValueError(f'label maps are {maps[0].dtype}, expected labels >= 0')
