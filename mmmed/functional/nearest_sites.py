"""Distance from each of many grid points to the nearest of many grid sites.

Exact for every spacing, by three methods: points near a site are settled by
``column_search``, the rest by a k-d tree if they are few, by ``lower_envelope`` if
they are many. A sample of the points decides where to pass from one to the other.
Not here: what the points are (``surface``).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from mmmed.functional.column_search import ColumnSearch
from mmmed.functional.lower_envelope import MAX_EXTENT, find_steps_by_axes

_SAMPLE = 512
# Cost in nanoseconds, measured. They choose the method and never change a result.
_LOOK = 6
_TREE_SITE, _TREE_NEAR, _TREE_FAR = 150, 2_000, 12_000
_AXES_CELL, _AXES_TRIAL = 25, 2
# Below this nothing is worth planning.
_SMALL = 3_000_000


def compute_nearest_distances(
    points: NDArray[np.int64], sites: NDArray[np.int64], spacing: Sequence[float]
) -> NDArray[np.float64]:
    """Distance in mm from each point to the nearest site.

    Args:
        points: Grid coordinates, shape (D, N), D of 2 or 3.
        sites: Grid coordinates, shape (D, M).
        spacing: Lengths in mm, one per axis.

    Returns:
        Shape (N,); infinite without a site. Squared steps times spacing are summed in
        axis order in float64, as SciPy's distance transform does: equal to the bit,
        except where several sites are equally near but for rounding.
    """
    count, num_sites = points.shape[1], sites.shape[1]
    if not count or not num_sites:
        return np.full(count, math.inf)
    if len(points) == 2:
        points, sites = (np.pad(array, ((1, 0), (0, 0))) for array in (points, sites))
        spacing = (1.0, *spacing)
    spacing = tuple(map(float, spacing))
    if _TREE_SITE * num_sites + _TREE_NEAR * count < _SMALL:
        return np.sqrt(_square(_find_steps_by_tree(points, sites, spacing), spacing))
    search = ColumnSearch(sites, points, spacing)
    squares, _ = search.settle(points, _plan_looks(search, points, sites))
    left = np.flatnonzero(np.isinf(squares))
    if left.size:
        steps = _find_steps(points[:, left], sites, spacing)
        squares[left] = _square(steps, spacing)
    return np.sqrt(squares, out=squares)


def _plan_looks(
    search: ColumnSearch, points: NDArray[np.int64], sites: NDArray[np.int64]
) -> int:
    """How many columns to look at before another method is the cheaper one."""
    count = points.shape[1]
    sample = points[:, :: max(1, count // _SAMPLE)]
    most = len(search.limits)
    needed = np.sort(search.settle(sample, most)[1])
    choices = np.unique(np.append(needed[needed <= most], 0))
    left = np.array([np.mean(needed > looks) for looks in choices]) * count
    looked = np.array([np.minimum(needed, looks).mean() for looks in choices]) * count
    rest = np.minimum(*_estimate_rest(left, points, sites))
    return int(choices[np.argmin(_LOOK * looked + np.where(left > 0, rest, 0))])


def _estimate_rest(
    count: NDArray[np.float64] | float,
    points: NDArray[np.int64],
    sites: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cost of both methods for far points: by tree, by axes."""
    here, there = np.ptp(points, axis=1) + 1.0, np.ptp(sites, axis=1) + 1.0
    apart = np.abs(points.min(axis=1) - sites.min(axis=1))
    if (apart + here + there).max() >= MAX_EXTENT:
        there = there + math.inf
    cells = here[0] * (here[1] + there[1]) / 2 * there[2]
    by_tree = _TREE_SITE * sites.shape[1] + _TREE_FAR * np.asarray(count)
    by_axes = _AXES_CELL * cells + _AXES_TRIAL * there[2] * np.asarray(count)
    return by_tree, by_axes


def _find_steps(
    points: NDArray[np.int64], sites: NDArray[np.int64], spacing: Sequence[float]
) -> NDArray[np.int64]:
    """Steps to the nearest site, by the cheaper of the two methods for far points."""
    by_tree, by_axes = _estimate_rest(points.shape[1], points, sites)
    if by_tree < by_axes:
        return _find_steps_by_tree(points, sites, spacing)
    return find_steps_by_axes(points, sites, spacing)


def _find_steps_by_tree(
    points: NDArray[np.int64], sites: NDArray[np.int64], spacing: Sequence[float]
) -> NDArray[np.int64]:
    scale = np.asarray(spacing)
    # Loose nodes, cut half-way: far queries are several times faster so.
    tree = KDTree(
        sites.T * scale, leafsize=32, compact_nodes=False, balanced_tree=False
    )
    _, nearest = tree.query(points.T * scale)
    return np.abs(sites[:, nearest] - points)


def _square(steps: NDArray[np.int64], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Squared lengths in mm2 of steps of shape (3, N), summed in axis order."""
    first, second, third = np.square(steps * np.asarray(spacing)[:, None])
    return first + second + third
