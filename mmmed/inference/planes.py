"""Streams of finished planes: probabilities back on the grid of the scan.

Both kinds of prediction hand out :class:`Plane` after plane along Z, so that nothing
downstream ever sees class probabilities of more than a few planes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ON_GRID = 1e-6


@dataclass(frozen=True)
class Plane:
    """Probabilities of (a part of) one plane.

    Args:
        index: Along Z.
        prob: Shape (K, y, x), float32.
        rows: Which rows of the plane these are.
        columns: Which columns.
    """

    index: int
    prob: Tensor
    rows: slice = field(default_factory=lambda: slice(None))
    columns: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True)
class Interpolation:
    """Linear interpolation along one axis: neighbours and the weight of the upper.

    Args:
        lower: Index of the neighbour at or below each point.
        weight: Share of the next one, in [0, 1).
    """

    lower: NDArray[np.intp]
    weight: NDArray[np.float32]

    @classmethod
    def plan(cls, positions: NDArray[np.float64]) -> 'Interpolation':
        """Neighbours of positions, which are indices >= 0 of a grid."""
        nearest = np.rint(positions)
        on_grid = np.abs(positions - nearest) < _ON_GRID
        lower = np.where(on_grid, nearest, np.floor(positions))
        weight = np.where(on_grid, 0.0, positions - lower)
        return cls(lower.astype(np.intp), weight.astype(np.float32))

    @property
    def upper(self) -> NDArray[np.intp]:
        """Index of the neighbour above; the lower one where the weight is 0."""
        return self.lower + (self.weight > 0)

    def shift(self, offset: int) -> 'Interpolation':
        """The same with indices counted from ``offset``."""
        return Interpolation(self.lower - offset, self.weight)

    def apply(self, values: Tensor, axis: int) -> Tensor:
        """Values at the points, along one axis of ``values``."""
        low = torch.from_numpy(self.lower).to(values.device)
        high = torch.from_numpy(self.upper).to(values.device)
        shape = [1] * values.ndim
        shape[axis] = -1
        share = torch.from_numpy(self.weight).to(values).view(shape)
        below = values.index_select(axis, low)
        return below.lerp_(values.index_select(axis, high), share)


def interpolate_planes(
    planes: Iterator[tuple[int, Tensor]],
    along_z: Interpolation,
    along_y: Interpolation,
    along_x: Interpolation,
) -> Iterator[tuple[int, Tensor]]:
    """A stream of planes on a finer or coarser grid.

    Args:
        planes: Index and (K, y, x) of every plane of the given grid, in order.
        along_z: For each wanted plane, ascending.
        along_y: For each wanted row.
        along_x: For each wanted column.

    Yields:
        Index and (K, Y, X) of every wanted plane, in order. Two given planes are
        held at a time.
    """
    wanted, upper = 0, along_z.upper
    previous: Tensor | None = None
    for index, plane in planes:
        while wanted < len(upper) and upper[wanted] <= index:
            mixed = plane
            if along_z.weight[wanted] > 0 and previous is not None:
                mixed = torch.lerp(previous, plane, float(along_z.weight[wanted]))
            # The smaller axis first: X of the few rows that are there, or Y.
            yield wanted, along_y.apply(along_x.apply(mixed, 2), 1)
            wanted += 1
        previous = plane
