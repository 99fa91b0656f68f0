"""Pairs of components that share elements, and one-to-one choices among them.

Not here: what a pair means for a lesion (``lesions``).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def count_shared(
    target_labels: NDArray[np.int32], pred_labels: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Elements that components of two masks share.

    Args:
        target_labels: Component, from 1, of each element in both masks, shape (n,).
        pred_labels: The same in the other mask, shape (n,).

    Returns:
        Rows, from 0, of target and pred, shape (P, 2), sorted; and how many elements
        each pair shares, shape (P,), at least 1.
    """
    width = int(pred_labels.max(initial=0)) + 1
    keys, shared = np.unique(
        target_labels.astype(np.int64) * width + pred_labels, return_counts=True
    )
    pairs = np.stack(np.divmod(keys, width), axis=1) - 1
    return pairs, shared.astype(np.int64)


def pair_greedily(
    pairs: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Indices of pairs taken by falling score, each component once.

    Among equal scores the earlier pair is taken.
    """
    used: tuple[set[int], set[int]] = set(), set()
    chosen = []
    for index in np.argsort(-scores, kind='stable'):
        one, other = pairs[index].tolist()
        if one not in used[0] and other not in used[1]:
            used[0].add(one)
            used[1].add(other)
            chosen.append(index)
    return np.sort(np.array(chosen, np.intp))


def pair_optimally(
    pairs: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Indices of the one-to-one pairs with the greatest sum of scores.

    Args:
        pairs: Rows of the two sides, shape (P, 2), each pair once.
        scores: Positive, shape (P,).
    """
    if not len(pairs):
        return np.empty(0, np.intp)
    # Pairs that compete, directly or through others, are settled together: small
    # problems instead of one of all lesions against all.
    rows = pairs[:, 0].max() + 1
    size = rows + pairs[:, 1].max() + 1
    links = (pairs[:, 0], pairs[:, 1] + rows)
    graph = coo_array((np.ones(len(pairs), bool), links), shape=(size, size))
    _, groups = connected_components(graph, directed=False)
    group = groups[pairs[:, 0]]
    order = np.argsort(group, kind='stable')
    contests = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    chosen = [_settle(contest, pairs[contest], scores[contest]) for contest in contests]
    return np.sort(np.concatenate(chosen))


def _settle(
    contest: NDArray[np.intp], pairs: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The best pairs of one contest."""
    if len(contest) == 1:
        return contest
    ones, one = np.unique(pairs[:, 0], return_inverse=True)
    others, other = np.unique(pairs[:, 1], return_inverse=True)
    table = np.zeros((len(ones), len(others)))
    place = np.full(table.shape, -1, np.intp)
    table[one, other], place[one, other] = scores, contest
    taken = place[linear_sum_assignment(table, maximize=True)]
    return taken[taken >= 0]
