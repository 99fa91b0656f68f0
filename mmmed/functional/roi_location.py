"""Where a lesion is and how large: from masks, boxes and world coordinates.

Not here: the crop around it (``roi_crop``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def locate_mask(
    labels: NDArray, spacing: Sequence[float], values: Sequence[int] = ()
) -> tuple[tuple[float, float, float], float]:
    """Mean place of some labels, and their largest extent.

    Args:
        labels: Label map (Z, Y, X).
        spacing: (Z, Y, X) in mm.
        values: Labels that count together as one region; none means all above 0.

    Returns:
        Mean index (Z, Y, X), and the longest side of the box around the region in mm,
        voxels counted whole.

    Raises:
        ValueError: No voxel has such a label.

    Source:
        RRMediCa takes max - min without the last voxel, and by a slip 0 along X.
        Differs: all three axes and whole voxels count.
    """
    mask = np.isin(labels, list(values)) if values else labels > 0
    places = np.nonzero(mask)
    if not len(places[0]):
        wanted = f'labels {sorted(values)}' if values else 'label above 0'
        raise ValueError(f'no voxel of {wanted}')
    z, y, x = (float(place.mean()) for place in places)
    extent_mm = max(
        float(place.max() - place.min() + 1) * mm
        for place, mm in zip(places, spacing, strict=True)
    )
    return (z, y, x), extent_mm


def find_index(
    affine: NDArray, place_mm: Sequence[float] | NDArray
) -> NDArray[np.float64]:
    """Array index (Z, Y, X), not rounded, of a place in RAS+ mm.

    Args:
        affine: Shape (4, 4), index to RAS+ mm.
        place_mm: (x, y, z).
    """
    return np.linalg.solve(affine, [*place_mm, 1.0])[:3]


def find_place(
    affine: NDArray, index: Sequence[float] | NDArray
) -> NDArray[np.float64]:
    """Place (x, y, z) in RAS+ mm of an array index (Z, Y, X)."""
    return (np.asarray(affine, float) @ [*index, 1.0])[:3]


def flip_lps(place_mm: Sequence[float]) -> tuple[float, float, float]:
    """(x, y, z) towards left, posterior, superior to right, anterior, superior.

    The same the other way round. ITK and DICOM write the first, NIfTI the second.
    """
    x, y, z = (float(value) for value in place_mm)
    return -x, -y, z


def center_grid(
    affine: NDArray,
    place_mm: Sequence[float] | NDArray,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> NDArray[np.float64]:
    """Affine of a grid with given voxels, its middle at a place.

    Args:
        affine: Shape (4, 4); the new axes have its directions.
        place_mm: (x, y, z) in RAS+ mm.
        shape: (Z, Y, X) of the new grid.
        spacing: (Z, Y, X) of the new grid in mm.
    """
    steps = np.asarray(affine, np.float64)[:3, :3]
    steps = steps / np.linalg.norm(steps, axis=0) * np.asarray(spacing, np.float64)
    moved = np.eye(4)
    moved[:3, :3] = steps
    # An even axis has no middle voxel: the one after the middle, as crops have it.
    moved[:3, 3] = np.asarray(place_mm) - steps @ (np.asarray(shape) // 2)
    return moved


def stretch_grid(
    affine: NDArray, shape: Sequence[int], size: Sequence[int]
) -> NDArray[np.float64]:
    """Affine of a grid of other voxels over exactly the same field of view.

    Args:
        affine: Shape (4, 4), of the old grid.
        shape: (Z, Y, X) of the old grid.
        size: (Z, Y, X) of the new one.
    """
    ratio = np.asarray(shape, np.float64) / np.asarray(size)
    moved = np.array(affine, np.float64)
    moved[:3, :3] *= ratio
    # The corner of the first voxel stays where it is.
    moved[:3, 3] += np.asarray(affine)[:3, :3] @ (ratio / 2 - 0.5)
    return moved
