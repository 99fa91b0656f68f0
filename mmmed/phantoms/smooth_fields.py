"""Smooth random fields over a volume: cubic B-splines of coarse random numbers.

Not here: what a field is used for (deformation, bias, texture).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def draw_smooth_field(
    rng: np.random.Generator, shape: Sequence[int], knot_distance: float
) -> NDArray[np.float32]:
    """A random field without detail finer than the distance of its knots.

    Args:
        rng: Source of the knots.
        shape: (Z, Y, X) in voxels.
        knot_distance: Voxels between two knots, > 0.

    Returns:
        Shape ``shape``; every value is normal with mean 0 and a deviation of about
        0.33, at most 1 in practice after division by it.
    """
    weights = [_make_weights(size, knot_distance) for size in shape]
    knots = rng.standard_normal([w.shape[1] for w in weights], dtype=np.float32)
    return evaluate_field(knots, weights)


def evaluate_field(
    knots: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Values of a B-spline: one small matrix product an axis, the longest last."""
    along_z, along_y, along_x = weights
    field = np.tensordot(along_y, knots, (1, 1))  # (Y, kz, kx)
    field = np.tensordot(along_z, field, (1, 1))  # (Z, Y, kx)
    return field @ along_x.T


def _make_weights(size: int, knot_distance: float) -> NDArray[np.float32]:
    """Uniform cubic B-spline basis, shape (size, knots); its rows sum to 1."""
    position = np.arange(size) / knot_distance
    first = np.floor(position).astype(np.intp)
    t = position - first
    basis = np.stack(
        [
            (1 - t) ** 3,
            3 * t**3 - 6 * t**2 + 4,
            -3 * t**3 + 3 * t**2 + 3 * t + 1,
            t**3,
        ],
        axis=1,
    )
    weights = np.zeros((size, int(first[-1]) + 4), np.float32)
    rows = np.arange(size)
    for offset in range(4):
        weights[rows, first + offset] = basis[:, offset] / 6
    return weights
