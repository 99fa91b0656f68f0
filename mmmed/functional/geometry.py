"""Grids in patient space: affines, spacings, and how far two grids lie apart.

Affines map array indices (z, y, x, 1) to RAS+ millimetres; their columns are the
steps along Z, Y and X. Not here: values at grid points (``resampling``), axis
permutations (``orientation``).
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def compute_spacing(affine: NDArray) -> tuple[float, float, float]:
    """Voxel size (Z, Y, X) in mm: the lengths of the affine's columns."""
    steps = np.asarray(affine, dtype=np.float64)[:3, :3]
    depth, height, width = np.linalg.norm(steps, axis=0).tolist()
    return depth, height, width


def make_affine(spacing: Sequence[float]) -> NDArray[np.float64]:
    """Z towards superior, Y anterior, X right, the first voxel at the origin."""
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing
    affine[3, 3] = 1
    return affine


def compute_shear(affine: NDArray) -> float:
    """How far the axes are from right angles: largest |cosine| between two of them.

    Returns:
        Value in [0, 1]; 0 for every rotated, flipped or anisotropic grid.
    """
    steps = np.asarray(affine, dtype=np.float64)[:3, :3]
    unit = steps / np.linalg.norm(steps, axis=0)
    cosines = np.abs(unit.T @ unit)
    return float(cosines[np.triu_indices(3, 1)].max())


def compute_grid_difference(
    affine: NDArray, other: NDArray, shape: Sequence[int]
) -> float:
    """Largest distance in mm between equal indices of two grids.

    An affine map is largest at a corner, so the eight corners decide. Unlike a
    difference of matrix entries, the result says how wrong a voxel's place is.

    Args:
        affine: Shape (4, 4).
        other: Shape (4, 4).
        shape: (Z, Y, X) of both grids.
    """
    corners = [
        [*corner, 1] for corner in itertools.product(*((0, n - 1) for n in shape))
    ]
    moved = np.asarray(corners, dtype=np.float64) @ (affine - other)[:3].T
    return float(np.linalg.norm(moved, axis=1).max())


def compute_index_map(target: NDArray, source: NDArray) -> NDArray[np.float64]:
    """Map from array indices of one grid to array indices of another.

    Args:
        target: Affine of the grid whose indices go in, shape (4, 4).
        source: Affine of the grid whose indices come out, shape (4, 4).

    Returns:
        Shape (4, 4): ``source_index = map @ target_index`` for (z, y, x, 1).
    """
    target = np.asarray(target, dtype=np.float64)
    return np.linalg.solve(np.asarray(source, dtype=np.float64), target)


def plan_spacing(
    shape: Sequence[int], affine: NDArray, spacing: Sequence[float]
) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """A grid of another voxel size over the same field of view.

    The new grid has exactly the wanted spacing and the same center; its extent is
    the old one rounded to whole voxels, at least one.

    Args:
        shape: (Z, Y, X) of the old grid.
        affine: Shape (4, 4), of the old grid.
        spacing: Wanted voxel size (Z, Y, X) in mm, > 0.

    Returns:
        Shape (Z, Y, X) and affine of the new grid.

    Raises:
        ValueError: A spacing is not a positive finite number.
    """
    wanted = np.asarray(spacing, dtype=np.float64)
    if wanted.shape != (3,) or not (np.isfinite(wanted) & (wanted > 0)).all():
        raise ValueError(f'spacing is {spacing!r}, expected three mm > 0 (Z, Y, X)')
    have = np.asarray(compute_spacing(affine))
    extent_mm = np.asarray(shape) * have
    # A hair below one half still rounds up: 2.4999999 comes from float spacings.
    depth, height, width = (
        max(1, math.floor(length + 0.5 + 1e-6)) for length in extent_mm / wanted
    )
    moved = np.array(affine, dtype=np.float64)
    moved[:3, :3] *= wanted / have
    center = np.asarray(affine)[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    new_center = moved[:3, :3] @ ((np.asarray((depth, height, width)) - 1) / 2)
    moved[:3, 3] += center - new_center
    return (depth, height, width), moved
