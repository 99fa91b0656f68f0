"""Boxes around a lesion: how large, which slices, and what pads them at a border.

Everything counts in array axes (Z, Y, X). Not here: where the lesion is
(``roi_location``), values on another grid (``resampling``), intensities
(``sequence_scale``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IN_PLANE_FACTOR = 2.0
AXIAL_FACTOR = 1.5
LEAST_MM = 50.0
MOST_SLICES = 9


def plan_roi_box(
    center: Sequence[float],
    size_mm: float,
    spacing: Sequence[float],
    *,
    most_slices: int | None = MOST_SLICES,
) -> tuple[tuple[int, int], ...]:
    """Box of a lesion and its surroundings, as large in-plane as 2 diameters.

    In-plane it is max(2 d, 50) mm wide, axially 1.5 d, in whole voxels: an even
    number in-plane, odd axially. It may reach beyond the image.

    Args:
        center: Of the lesion, in array indices (Z, Y, X).
        size_mm: Diameter d of the lesion, > 0.
        spacing: (Z, Y, X) in mm.
        most_slices: Odd limit of slices; None for none.

    Returns:
        (first, end) per axis; first may be negative.

    Raises:
        ValueError: ``size_mm`` is not positive, or ``most_slices`` is even.

    Source:
        RRMediCa: golden sizes, d = 16.7 mm: 0.7 x 0.7 x 2 mm give 72 x 72 x 9 voxels,
        1 x 1 x 3 mm give 50 x 50 x 9. Differs: every axis has its own spacing, and
        nothing is cut off at the border of the image.
    """
    if not size_mm > 0:
        raise ValueError(f'size_mm is {size_mm}, expected the diameter in mm, > 0')
    if most_slices is not None and (most_slices < 1 or most_slices % 2 == 0):
        raise ValueError(f'most_slices is {most_slices}, expected an odd number')
    wide_mm = max(IN_PLANE_FACTOR * size_mm, LEAST_MM)
    depth = round(AXIAL_FACTOR * size_mm / (2 * spacing[0]))
    if most_slices is not None:
        depth = min(depth, most_slices // 2)
    z, y, x = (round(float(place)) for place in center)
    rows, columns = (max(1, round(wide_mm / (2 * mm))) for mm in spacing[1:])
    return (z - depth, z + depth + 1), (y - rows, y + rows), (x - columns, x + columns)


def crop_padded(
    array: NDArray, box: Sequence[tuple[int, int]], *, fill: float = 0.0
) -> tuple[NDArray, tuple[tuple[int, int], ...]]:
    """Exactly the voxels of a box, with a fill value where it leaves the array.

    Args:
        array: Shape (Z, Y, X).
        box: (first, end) per axis.
        fill: Value outside.

    Returns:
        Shape of the box, a copy; and (first, end) of the real voxels in it.

    Raises:
        ValueError: The box and the array have no voxel in common.
    """
    source, inside = [], []
    for (first, end), length in zip(box, array.shape, strict=True):
        low, high = max(first, 0), min(end, length)
        if low >= high:
            raise ValueError(
                f'box {tuple(box)} lies outside the image of {array.shape} voxels '
                '(Z, Y, X)'
            )
        source.append(slice(low, high))
        inside.append((low - first, high - first))
    result = np.full([end - first for first, end in box], fill, array.dtype)
    result[tuple(slice(*axis) for axis in inside)] = array[tuple(source)]
    return result, tuple(inside)


def select_slices(
    length: int, count: int, rng: np.random.Generator | None = None
) -> list[int]:
    """Which slices of a stack a network with a fixed number of them sees.

    Args:
        length: Slices there are, >= 1.
        count: Slices wanted, >= 1.
        rng: Draws the first of the window; None takes the middle one.

    Returns:
        Indices in rising order: neighbours where there are enough, else the nearest
        of evenly spaced ones, some more than once.

    Raises:
        ValueError: A number is less than 1.

    Source:
        RRMediCa: (9, 5) -> [2..6], (8, 5) -> [1..5], (3, 5) -> [0, 0, 1, 2, 2],
        (2, 5) -> [0, 0, 0, 1, 1], (4, 5) -> [0, 1, 2, 2, 3].
    """
    if length < 1 or count < 1:
        raise ValueError(f'{count} of {length} slices, expected 1 or more of both')
    if count <= length:
        last = length - count
        first = last // 2 if rng is None else int(rng.integers(last + 1))
        return list(range(first, first + count))
    if length == 1:
        return [0] * count
    # Python rounds halves to even, as the reference does.
    return [round(index * (length - 1) / (count - 1)) for index in range(count)]


def make_box_mask(
    shape: Sequence[int],
    size_mm: float,
    spacing: Sequence[float],
    *,
    is_flat: bool = False,
) -> NDArray[np.float32]:
    """A box of the lesion's diameter about the middle of a crop.

    Args:
        shape: (Z, Y, X) of the crop, whose middle is the lesion's.
        size_mm: Diameter of the lesion.
        spacing: (Z, Y, X) in mm.
        is_flat: Whether the box is in every slice, as the published square is.

    Returns:
        Shape ``shape``: 1 inside, 0 outside. In-plane 2 h voxels wide with h =
        min(n // 2 - 2, floor(d / spacing / 2)), at least 1.

    Source:
        RRMediCa: 72 x 72 voxels of 0.7 mm and d = 16.7 mm give h = 11, 22 x 22 voxels.
        Differs: each axis has its own spacing, and there is an axial extent.
    """
    mask = np.zeros(shape, np.float32)
    part = []
    for n, mm, margin in zip(shape, spacing, (0, 2, 2), strict=True):
        half = max(min(n // 2 - margin, int(size_mm / mm / 2)), 1)
        part.append(slice(max(n // 2 - half, 0), n // 2 + half))
    if is_flat:
        part[0] = slice(None)
    else:  # an odd stack has a middle slice
        depth = int(size_mm / spacing[0] / 2)
        middle = shape[0] // 2
        part[0] = slice(max(middle - depth, 0), middle + depth + shape[0] % 2)
        if part[0].start == part[0].stop:
            part[0] = slice(middle, middle + 1)
    mask[tuple(part)] = 1
    return mask
