"""Nearest sites of grid points that lie near them: look at the columns around.

A map holds how deep the nearest site lies along one axis, for every cell in and near
the box of the sites. A point then needs to look at a disc of columns only, not at a
ball of cells. Not here: points far from every site (``lower_envelope``).
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Columns looked at, at most: a disc of radius 9 on an isotropic grid.
_MAX_LOOKS = 256
# Points that look around together: their state fits a cache.
_BLOCK = 1 << 14
# Depth that stands for "this deep or deeper, or none at all".
_DEEP = 255


class ColumnSearch:
    """Looks at the columns around points, nearest columns first.

    Args:
        sites: Grid coordinates, shape (3, M), M >= 1.
        points: Grid coordinates, shape (3, N), N >= 1; they bound the steps to make.
        spacing: Three lengths in mm.
    """

    def __init__(
        self,
        sites: NDArray[np.int64],
        points: NDArray[np.int64],
        spacing: Sequence[float],
    ) -> None:
        low, high = sites.min(axis=1), sites.max(axis=1)
        reach = np.maximum(points.max(axis=1) - low, high - points.min(axis=1))
        reach = np.maximum(reach, 0)
        # Finely spaced columns are deep ones: fewer are needed for the same radius.
        long_axes = [axis for axis in range(3) if reach[axis] > 0] or [0]
        self.spacing = tuple(map(float, spacing))
        self.axis = min(long_axes, key=lambda axis: self.spacing[axis])
        self.sides = [axis for axis in range(3) if axis != self.axis]
        self._plan_looks(reach)
        # The map holds every column that points within reach of the box look at.
        self.inner = np.zeros(3, np.int64)
        self.inner[self.sides] = self.looks.max(axis=1)
        margin = self.inner.copy()
        margin[self.axis] = min(_DEEP, self.radius_mm / self.spacing[self.axis])
        before = np.clip(low - points.min(axis=1), 0, margin) + self.inner
        after = np.clip(points.max(axis=1) - high, 0, margin) + self.inner
        self.low, self.shape = low - before, high - low + 1 + before + after
        self._map_depths(sites)

    def _plan_looks(self, reach: NDArray[np.int64]) -> None:
        """List the steps sideways by distance, and what is settled after each."""
        lengths = np.array([self.spacing[side] for side in self.sides])
        most = reach[self.sides]
        wide = lengths[most > 0]
        if len(wide) == 2:
            radius = math.sqrt(_MAX_LOOKS * wide.prod() / math.pi)
        elif len(wide) == 1:
            radius = _MAX_LOOKS / 2 * float(wide[0])
        else:
            radius = _DEEP * self.spacing[self.axis]
        near = np.minimum(most, (radius / lengths).astype(np.int64) + 1)
        steps = np.mgrid[-near[0] : near[0] + 1, -near[1] : near[1] + 1].reshape(2, -1)
        squares = np.square(steps * lengths[:, None])
        distance = squares[0] + squares[1]
        order = np.argsort(distance, kind='stable')
        order = order[distance[order] <= radius**2]
        # Beyond the last look there is nothing at all, or nothing nearer than radius.
        everything = len(order) == np.prod(2 * most + 1)
        beyond = math.inf if everything else radius**2
        self.radius_mm = radius
        self.looks, self.side_squares = steps[:, order], squares[:, order]
        distance = distance[order]
        deepest = (_DEEP * self.spacing[self.axis]) ** 2
        self.limits = np.minimum(np.append(distance[1:], beyond), deepest)
        self.is_ring_end = np.append(distance[1:] > distance[:-1], True)

    def _map_depths(self, sites: NDArray[np.int64]) -> None:
        """Fill the map: axis first, sides after it."""
        depths = np.full(self.shape[[self.axis, *self.sides]], _DEEP, np.uint8)
        depths.reshape(-1)[self._index(sites)] = 0
        ceiling = np.uint8(_DEEP - 1)
        for forward in (depths, depths[::-1]):
            for before, here in pairwise(forward):
                step = np.minimum(before, ceiling)
                step += 1
                np.minimum(here, step, out=here)
        self.depths = depths

    def _index(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat cells of the map, for points inside it."""
        cells = points[self.axis] - self.low[self.axis]
        for side in self.sides:
            cells *= self.shape[side]
            cells += points[side] - self.low[side]
        return cells

    @cached_property
    def tables(self) -> NDArray[np.float64]:
        """Squared distance in mm2 by look and depth, shape (L, 256).

        Summed in the order of the array axes, as everywhere, so that equal distances
        are equal numbers.
        """
        depth = np.square(np.arange(256) * self.spacing[self.axis])
        depth[_DEEP] = math.inf
        parts = {self.axis: depth[None]}
        for column, side in enumerate(self.sides):
            parts[side] = self.side_squares[column, :, None]
        return parts[0] + parts[1] + parts[2]

    def settle(
        self, points: NDArray[np.int64], num_looks: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Squared distance to the nearest site, where it is within the looks.

        Args:
            points: Grid coordinates, shape (3, N).
            num_looks: Columns to look at, at most.

        Returns:
            Squared distances in mm2, shape (N,), infinite where not settled, and after
            how many looks that was seen (``num_looks + 1`` if it was not).
        """
        count = points.shape[1]
        squares, looks = np.full(count, math.inf), np.full(count, num_looks + 1)
        # Points from which every column looked at is in the map.
        low, high = self.low + self.inner, self.low + self.shape - self.inner
        room = np.ones(count, bool)
        for axis in range(3):
            room &= points[axis] >= low[axis]
            room &= points[axis] < high[axis]
        inside = np.flatnonzero(room)
        cells = self._index(points[:, inside])
        for start in range(0, len(inside), _BLOCK):
            block = slice(start, start + _BLOCK)
            squares[inside[block]], looks[inside[block]] = self._settle_block(
                cells[block], num_looks
            )
        return squares, looks

    def _settle_block(
        self, cells: NDArray[np.int64], num_looks: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        depths = self.depths.reshape(-1)
        shifts = self.looks[0] * self.depths.shape[2] + self.looks[1]
        squares = np.full(len(cells), math.inf)
        looks = np.full(len(cells), num_looks + 1)
        active, best = np.arange(len(cells)), squares.copy()
        last = min(num_looks, len(shifts)) - 1
        for look in range(last + 1):
            depth = depths.take(cells + shifts[look])
            np.minimum(best, self.tables[look].take(depth), out=best)
            if look < last and not self.is_ring_end[look]:
                continue
            settled = best <= self.limits[look]
            if look < last and 4 * np.count_nonzero(settled) < len(settled):
                continue
            done = active[settled]
            squares[done], looks[done] = best[settled], look + 1
            open_ = ~settled
            active, best, cells = active[open_], best[open_], cells[open_]
            if not len(active):
                break
        return squares, looks
