"""Connected components of a mask: labels, sizes, boxes, centroids.

Not here: which component matches which (``lesions``), how they are found
(``run_labels``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.masks import Box, check_mask, check_spacing, find_box
from mmmed.functional.run_labels import LabelledRuns, label_runs

# Neighbours by number of array axes: along how many axes they may differ.
CONNECTIVITIES = {1: {2: 1}, 2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}


@dataclass(frozen=True)
class Components:
    """The connected components of one mask, one row each.

    Args:
        sizes: Elements, shape (L,).
        volumes: In mm3, for 2-D masks mm2, shape (L,).
        radii_mm: Radius of the ball (disc) of that volume, shape (L,).
        centroids: Mean index along each array axis, shape (L, D).
        centroids_mm: The same through the affine; without one, index times spacing:
            mm from the centre of the first element along the array axes.
        boxes: First index and last plus one along each axis, shape (L, D, 2).
        labels: Row, from 1, of each element inside the mask in array order, shape
            (n,).
    """

    sizes: NDArray[np.int64]
    volumes: NDArray[np.float64]
    radii_mm: NDArray[np.float64]
    centroids: NDArray[np.float64]
    centroids_mm: NDArray[np.float64]
    boxes: NDArray[np.int64]
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.sizes)


def label_components(
    mask: ArrayLike, *, connectivity: int | None = None
) -> tuple[NDArray[np.int32], int]:
    """Number the connected components of a mask.

    Args:
        mask: Binary mask, shape (Z, Y, X), (Y, X) or (X,).
        connectivity: Neighbours of an element: 6, 18 or 26 in 3-D, 4 or 8 in 2-D, 2
            in 1-D. ``None``: those that share a face, 6 or 4.

    Returns:
        Label map of the same shape, 0 outside, components from 1 in the order of their
        first elements; and their number. The same numbers as ``scipy.ndimage.label``.

    Raises:
        ValueError: The mask is not binary or has another number of axes, or the
            connectivity does not exist there.

    Example:
        >>> label_components([1, 1, 0, 1])
        (array([1, 1, 0, 2], dtype=int32), 2)
    """
    array = _check_components_mask(mask)
    box, runs = _find_runs(array, connectivity)
    labels = np.zeros(array.shape, np.int32)
    labels[box][array[box]] = np.repeat(runs.labels, runs.lengths)
    return labels, runs.count


def remove_small(
    mask: ArrayLike, *, min_elements: int, connectivity: int | None = None
) -> NDArray[np.bool_]:
    """A mask without its components of fewer than ``min_elements`` elements.

    Args:
        mask: Binary mask, as in :func:`label_components`.
        min_elements: Smallest size that stays.
        connectivity: As in :func:`label_components`.

    Returns:
        A new boolean mask of the same shape.

    Raises:
        ValueError: As :func:`label_components`.
    """
    array = _check_components_mask(mask)
    box, runs = _find_runs(array, connectivity)
    stays = np.bincount(runs.labels, runs.lengths) >= min_elements
    kept = np.zeros(array.shape, np.bool_)
    kept[box][array[box]] = np.repeat(stays[runs.labels], runs.lengths)
    return kept


def measure_components(
    mask: ArrayLike,
    spacing: Sequence[float],
    *,
    connectivity: int | None = None,
    affine: ArrayLike | None = None,
) -> Components:
    """Size, place and extent of each connected component.

    Args:
        mask: Binary mask, as in :func:`label_components`.
        spacing: Element size in mm, one per array axis.
        connectivity: As in :func:`label_components`.
        affine: From array index (z, y, x, 1) to mm, shape (D + 1, D + 1).

    Returns:
        One row per component, in the order of their first elements; none if the mask
        is empty.

    Raises:
        ValueError: As :func:`label_components`, or spacing or affine do not fit.
    """
    array = _check_components_mask(mask)
    lengths = check_spacing(spacing, array.ndim)
    box, runs = _find_runs(array, connectivity)
    origin = np.array([side.start for side in box])
    sizes = _sum_runs(runs, runs.lengths)
    centroids = _compute_centroids(runs, sizes) + origin
    volumes = np.asarray(sizes * math.prod(lengths), np.float64)
    return Components(
        sizes=sizes.astype(np.int64),
        volumes=volumes,
        radii_mm=compute_equivalent_radius(volumes, array.ndim),
        centroids=centroids,
        centroids_mm=_place(centroids, lengths, affine),
        boxes=_compute_boxes(runs) + origin[:, None],
        labels=np.repeat(runs.labels, runs.lengths),
    )


def compute_equivalent_radius(
    volumes: ArrayLike, dimensions: int = 3
) -> NDArray[np.float64]:
    """Radius in mm of balls of given volumes in mm3 (2-D: discs, mm2; 1-D: mm)."""
    unit_ball = {1: 2.0, 2: math.pi, 3: 4 / 3 * math.pi}[dimensions]
    return (np.asarray(volumes, np.float64) / unit_ball) ** (1 / dimensions)


def _check_components_mask(mask: ArrayLike) -> NDArray[np.bool_]:
    array = check_mask(mask, 'mask')
    if array.ndim not in CONNECTIVITIES:
        raise ValueError(
            f'mask has shape {array.shape}, expected one to three axes; find the '
            'components of each case or channel on its own'
        )
    return array


def _find_runs(
    mask: NDArray[np.bool_], connectivity: int | None
) -> tuple[Box, LabelledRuns]:
    """Box of a mask and the labelled runs in it; an empty box for an empty mask."""
    choices = CONNECTIVITIES[mask.ndim]
    if connectivity is None:
        connectivity = min(choices)
    if connectivity not in choices:
        raise ValueError(
            f'connectivity is {connectivity}, expected one of {sorted(choices)} for a '
            f'mask of shape {mask.shape}'
        )
    box = find_box(mask) or (slice(0, 0),) * mask.ndim
    return box, label_runs(mask[box], choices[connectivity])


def _compute_centroids(
    runs: LabelledRuns, sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean index of each component, shape (L, D)."""
    middles = runs.starts.astype(np.float64)
    middles[-1] += (runs.lengths - 1) / 2
    sums = [_sum_runs(runs, middle * runs.lengths) for middle in middles]
    return np.stack(sums, axis=1) / sizes[:, None]


def _sum_runs(runs: LabelledRuns, values: NDArray) -> NDArray[np.float64]:
    """Sum of a value over the runs of each component, shape (L,)."""
    sums = np.bincount(runs.labels, values, runs.count + 1)[1:]
    return np.asarray(sums, np.float64)


def _compute_boxes(runs: LabelledRuns) -> NDArray[np.int64]:
    """First index and last plus one of each component, shape (L, D, 2)."""
    if not runs.count:
        return np.empty((0, len(runs.starts), 2), np.int64)
    order = np.argsort(runs.labels, kind='stable')
    groups = np.searchsorted(runs.labels[order], np.arange(1, runs.count + 1))
    stops = runs.starts + 1
    stops[-1] += runs.lengths - 1
    low = np.minimum.reduceat(runs.starts[:, order], groups, axis=1)
    high = np.maximum.reduceat(stops[:, order], groups, axis=1)
    return np.stack([low.T, high.T], axis=2)


def _place(
    centroids: NDArray[np.float64],
    spacing: tuple[float, ...],
    affine: ArrayLike | None,
) -> NDArray[np.float64]:
    """Centroids in mm."""
    if affine is None:
        return centroids * spacing
    matrix = np.asarray(affine, np.float64)
    size = len(spacing) + 1
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise ValueError(
            f'affine has shape {matrix.shape}, expected a finite ({size}, {size}) '
            'matrix from array index to mm'
        )
    return centroids @ matrix[:-1, :-1].T + matrix[:-1, -1]
