"""Connected components of a mask from its runs along the last axis.

A run is a stretch of elements without a gap. Organs and lesions have few of them, so
joining runs costs far less than visiting every element. Not here: what is done with
the components (``components``).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# With more runs than this share of the elements (noise), visiting each is faster.
_MAX_RUN_SHARE = 0.02


@dataclass(frozen=True)
class LabelledRuns:
    """Runs of a mask in array order, and the component each belongs to.

    Args:
        starts: Index of the first element of each run, shape (D, R).
        lengths: Elements of each run, shape (R,).
        labels: Component of each run, from 1, shape (R,), numbered in the order of
            first elements.
        count: Number of components.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int32]
    count: int


def label_runs(mask: NDArray[np.bool_], max_differing: int) -> LabelledRuns:
    """Components of a mask; the numbers equal those of ``scipy.ndimage.label``.

    Args:
        mask: One axis or more; crop it to what it holds first.
        max_differing: Neighbours differ by at most one step, along at most this many
            axes.
    """
    # A gap after each row and plane: no run, and no neighbour, reaches across it.
    shape = [size + 1 for size in mask.shape]
    line = np.zeros(1 + np.prod(shape), np.bool_)
    padded = line[1:].reshape(shape)
    padded[(slice(-1),) * mask.ndim] = mask
    changes = np.flatnonzero(line[1:] ^ line[:-1])
    first, stop = changes[::2], changes[1::2]
    starts = np.stack(np.unravel_index(first, shape))
    if len(first) > _MAX_RUN_SHARE * mask.size:
        structure = generate_binary_structure(mask.ndim, max_differing)
        numbered, count = label(mask, structure)
        return LabelledRuns(starts, stop - first, numbered[tuple(starts)], count)
    pairs = [np.empty((2, 0), np.intp)]
    for offset, slack in _list_rows_before(mask.ndim - 1, max_differing):
        shift = int(np.dot(offset, padded.strides[:-1]))
        pairs.append(_find_touching(first, stop, shift, slack))
    labels, count = _join_runs(len(first), np.concatenate(pairs, axis=1))
    return LabelledRuns(starts, stop - first, labels, count)


def _list_rows_before(
    axes: int, max_differing: int
) -> list[tuple[tuple[int, ...], int]]:
    """Neighbouring rows that come before a row, and how far runs may miss there."""
    rows = []
    for offset in product((-1, 0, 1), repeat=axes):
        differing = sum(map(abs, offset))
        if offset < (0,) * axes and differing <= max_differing:
            rows.append((offset, int(differing < max_differing)))
    return rows


def _find_touching(
    first: NDArray[np.intp], stop: NDArray[np.intp], shift: int, slack: int
) -> NDArray[np.intp]:
    """Pairs of runs, the second in the row ``shift`` elements on, shape (2, P).

    They touch if they share a place along the row or, with slack 1, one begins where
    the other has ended.
    """
    low = np.searchsorted(stop, first + (shift - slack), side='right')
    high = np.searchsorted(first, stop + (shift + slack), side='left')
    counts = np.maximum(high - low, 0)
    run = np.repeat(np.arange(len(first)), counts)
    rank = np.arange(len(run)) - np.repeat(counts.cumsum() - counts, counts)
    return np.stack([run, low[run] + rank])


def _join_runs(num_runs: int, pairs: NDArray[np.intp]) -> tuple[NDArray[np.int32], int]:
    """Group of each run, numbered by their first run, and how many there are."""
    touching = np.ones(pairs.shape[1], np.bool_)
    graph = coo_array((touching, tuple(pairs)), shape=(num_runs, num_runs))
    count, groups = connected_components(graph, directed=False)
    _, first = np.unique(groups, return_index=True)
    labels = np.empty(count, np.int32)
    labels[np.argsort(first)] = np.arange(1, count + 1)
    return labels[groups], count
