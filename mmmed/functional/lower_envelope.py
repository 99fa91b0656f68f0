"""Exact nearest neighbours of many grid points, one axis at a time.

The cost depends on the size of the boxes, not on the distances: the method for points
that lie far from each other. Not here: near points (``nearest_sites``).

Along the first axis, each line of the grid knows its distance to the nearest site.
Along the second, squared distances are the lower envelope of parabolas, built for
thousands of lines at once. Along the third, every candidate of a row is tried.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Lines whose envelopes are built together: their state fits a cache.
_LINES = 1 << 14
# Square of the distance to a site that is not there: beyond any that is.
_FAR = 1e30
# Steps between any two of points and sites must be fewer: they are kept in 16 bits.
MAX_EXTENT = 30_000


def find_steps_by_axes(
    points: NDArray[np.int64], sites: NDArray[np.int64], spacing: Sequence[float]
) -> NDArray[np.int64]:
    """Steps along each axis from every point to its nearest site, without sign.

    Args:
        points: Grid coordinates, shape (3, N).
        sites: Grid coordinates, shape (3, M), M >= 1, less than MAX_EXTENT
            from each other and from the points, along each axis.
        spacing: Three lengths in mm.

    Returns:
        Shape (3, N), each >= 0. Which of equally near sites they lead to is not
        defined.

    Source:
        Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019, and Meijster
        et al. 2000 for integer positions. Differs: evaluated at the points only.
    """
    origin = sites.min(axis=1, keepdims=True)
    points = points - origin
    depths = measure_columns(sites - origin)
    steps = np.empty_like(points)
    for index, planes in _split_planes(points[0], depths.shape[2]):
        layers = _extend_columns(depths, planes)
        chosen = points[:, index]
        plane = np.searchsorted(planes, chosen[0])
        rows, ranks = _search_planes(layers, plane, chosen[1:], spacing)
        steps[0, index] = layers[rows, plane, ranks]
        steps[1, index] = np.abs(rows - chosen[1])
        steps[2, index] = np.abs(ranks - chosen[2])
    return steps


def measure_columns(sites: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Steps along the first axis to the nearest site, for the box of the sites.

    Args:
        sites: Grid coordinates, shape (3, M), smallest 0 along each axis.

    Returns:
        Shape of the box; MAX_EXTENT and more in a column without a site.
    """
    depths = np.full(sites.max(axis=1) + 1, MAX_EXTENT, np.uint16)
    depths[tuple(sites)] = 0
    for forward in (depths, depths[::-1]):
        for before, here in pairwise(forward):
            np.minimum(here, before + np.uint16(1), out=here)
    return depths


def _split_planes(
    positions: NDArray[np.int64], width: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """Points of a few planes at a time: their indices, and the planes, sorted."""
    order = np.argsort(positions, kind='stable')
    planes, first = np.unique(positions[order], return_index=True)
    size = max(1, _LINES // width)
    for start in range(0, len(planes), size):
        chunk = planes[start : start + size]
        stop = start + size
        end = first[stop] if stop < len(planes) else len(order)
        yield order[first[start] : end], chunk


def _extend_columns(
    depths: NDArray[np.uint16], planes: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Steps along the columns from planes inside or outside the box.

    Returns:
        Shape (rows, planes, ranks): second, first and third axis of the grid.
    """
    nearest = np.clip(planes, 0, len(depths) - 1)
    layers = depths[nearest] + np.abs(planes - nearest).astype(np.uint16)[:, None, None]
    return np.ascontiguousarray(layers.swapaxes(0, 1))


def _search_planes(
    layers: NDArray[np.uint16],
    plane: NDArray[np.intp],
    places: NDArray[np.int64],
    spacing: Sequence[float],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and rank of the column that leads each point to its nearest site.

    Args:
        layers: From _extend_columns.
        plane: Which plane each point is in, shape (N,).
        places: Row and rank of each point, shape (2, N).
        spacing: Three lengths in mm.
    """
    height, num_planes, width = layers.shape
    squares = layers.reshape(height, -1) * np.float64(spacing[0] / spacing[1])
    squares *= squares
    squares[layers.reshape(height, -1) >= MAX_EXTENT] = _FAR
    top = int(places[0].max())
    envelope = _Envelope(squares, int(places[0].min()), top)
    scale = (spacing[2] / spacing[1]) ** 2
    ranks = np.arange(width)
    rows = np.empty(len(plane), np.int64)
    best = np.empty(len(plane), np.int64)
    order = np.argsort(-places[0], kind='stable')
    ends = np.flatnonzero(np.diff(places[0, order])) + 1
    for index in np.split(order, ends):
        row = int(places[0, index[0]])
        values, owners = envelope.descend(row)
        raised = values.reshape(num_planes, width) + scale * ranks**2
        # (x - x')^2 without x^2, which all candidates of a point share.
        trial = raised[plane[index]]
        trial -= (2 * scale * places[1, index])[:, None] * ranks
        best[index] = trial.argmin(axis=1)
        rows[index] = owners.reshape(num_planes, width)[plane[index], best[index]]
    return rows, best


class _Envelope:
    """Lower envelopes of parabolas ``squares[v] + (y - v)**2``, many side by side.

    A parabola that is on the envelope owns the integers from ``starts[v]`` to the one
    before its successor's start. Lists are linked: ``previous[v]`` is the owner before.

    Args:
        squares: Shape (V, n): n lines of V parabolas at positions 0 to V - 1.
        low: Smallest y asked for.
        high: Largest y asked for.
    """

    def __init__(self, squares: NDArray[np.float64], low: int, high: int) -> None:
        count, self.lines = squares.shape
        squares += np.arange(count, dtype=np.float64)[:, None] ** 2
        self.range = low, high + 1
        self.heights = squares
        self.starts = np.empty(squares.shape, np.int16)
        self.previous = np.zeros(squares.shape, np.int16)
        # The first parabola stays at the bottom of every list, whatever covers it.
        self.starts[0] = np.iinfo(np.int16).min
        self.top_height = self.heights[0].copy()
        self.top_site = np.zeros(self.lines, np.int64)
        self.top_start = self.starts[0].copy()
        for site in range(1, count):
            self._push(site)

    def _push(self, site: int) -> None:
        """Add one parabola to every line, after taking off those it covers."""
        height = self.heights[site]
        start = self._meet(height, self.top_height, site, self.top_site)
        covered = np.flatnonzero(start <= self.top_start)
        while covered.size:
            self._pop(covered)
            begin = self._meet(
                height.take(covered),
                self.top_height.take(covered),
                site,
                self.top_site.take(covered),
            )
            start[covered] = begin
            covered = covered[begin <= self.top_start.take(covered)]
        self.starts[site] = start
        self.previous[site] = self.top_site
        self.top_site.fill(site)
        np.copyto(self.top_height, height)
        self.top_start = start

    def _meet(
        self,
        height: NDArray[np.float64],
        before: NDArray[np.float64],
        site: int,
        site_before: NDArray[np.int64],
    ) -> NDArray[np.int16]:
        """First integer at which the later of two parabolas is not the higher one."""
        start = height - before
        start /= 2 * (site - site_before)
        np.ceil(start, out=start)
        np.maximum(start, self.range[0], out=start)
        np.minimum(start, self.range[1], out=start)
        return start.astype(np.int16)

    def _pop(self, lines: NDArray[np.intp]) -> None:
        flat = self.top_site.take(lines)
        flat *= self.lines
        flat += lines
        site = self.previous.reshape(-1).take(flat).astype(np.int64)
        self.top_site[lines] = site
        site *= self.lines
        site += lines
        self.top_height[lines] = self.heights.reshape(-1).take(site)
        self.top_start[lines] = self.starts.reshape(-1).take(site)

    def descend(self, y: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Values at ``y`` less ``y**2``, and their owners; y must never grow."""
        lines = np.flatnonzero(self.top_start > y)
        while lines.size:
            self._pop(lines)
            lines = lines[self.top_start.take(lines) > y]
        return self.top_height - 2 * y * self.top_site, self.top_site
