"""Order and grid of DICOM slices, and what keeps them from being a regular grid.

Positions are DICOM's (LPS, mm); affines that leave this module are RAS+ in
array-axis order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Positions are often stored with one decimal: 0.05 mm off at a slice, and as much at
# the ends that the grid is drawn between. 1 % of a step covers sums of rounded steps.
_POSITION_MM = 0.11
_STEP_SHARE = 0.01
_SAME_PLACE_MM = 1e-3
# Resampling may close gaps, but a stray slice must not make a volume of air.
_MAX_GROWTH = 4


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices in order along their normal.

    Args:
        order: Index of each slice in the input, ascending along the normal.
        heights_mm: Place along the normal, ascending, from the first slice on.
        offsets: Shape (Z, 2): how many pixels (y, x) each slice lies beside the
            line along the normal through the first one.
        affine: Shape (4, 4), of a regular grid with the mean step.
        problems: Why that grid is not exact, in sentences; empty if it is.
    """

    order: NDArray[np.intp]
    heights_mm: NDArray[np.float64]
    offsets: NDArray[np.float64]
    affine: NDArray[np.float64]
    problems: tuple[str, ...]


def arrange_slices(
    positions: NDArray,
    orientation: Sequence[float],
    pixel_spacing: Sequence[float],
    *,
    thickness_mm: float | None,
) -> SliceStack:
    """Sort slices by place and check that they form a regular grid.

    Args:
        positions: Shape (N, 3), ImagePositionPatient of each slice.
        orientation: ImageOrientationPatient: direction of x, then of y.
        pixel_spacing: Between rows, then between columns, in mm.
        thickness_mm: Step of a single slice; None takes 1 mm.

    Raises:
        ValueError: Directions or spacings are unusable, or slices share a place.
    """
    positions = np.asarray(positions, dtype=np.float64)
    right, down = np.reshape(np.asarray(orientation, dtype=np.float64), (2, 3))
    spacing = np.asarray(pixel_spacing, dtype=np.float64)
    _check_plane(right, down, spacing, positions)
    right, down = right / np.linalg.norm(right), down / np.linalg.norm(down)
    normal = np.cross(right, down)
    normal /= np.linalg.norm(normal)
    heights = positions @ normal
    order = np.argsort(heights, kind='stable')
    heights = heights[order] - heights[order[0]]
    places = positions[order]
    _check_repeats(heights, places)
    count = len(order)
    step = heights[-1] / (count - 1) if count > 1 else thickness_mm or 1.0
    beside = places - places[0] - heights[:, None] * normal
    offsets = np.stack([beside @ down / spacing[0], beside @ right / spacing[1]], 1)
    affine = np.eye(4)
    affine[:3, 0] = normal * step
    affine[:3, 1] = down * spacing[0]
    affine[:3, 2] = right * spacing[1]
    affine[:3, 3] = places[0]
    affine[:2] = np.where(affine[:2] == 0, 0, -affine[:2])
    problems = (*_find_gaps(heights), *_find_shifts(heights, beside))
    return SliceStack(order, heights, offsets, affine, problems)


def resample_stack(
    array: NDArray, stack: SliceStack
) -> tuple[NDArray, NDArray[np.float64]]:
    """Values on a regular grid at right angles to the slices.

    Between slices and within shifted slices values are linear. The field of view
    grows so that no slice loses anything; what no slice covers gets the least value.

    Args:
        array: Shape (Z, Y, X), slices in the stack's order.
        stack: Their geometry.

    Returns:
        Array of the same type (integers rounded), and its affine.

    Raises:
        ValueError: The slices lie so far apart that most of the result would be
            invented, or so far beside each other that it would be air.
    """
    heights, offsets = stack.heights_mm, stack.offsets
    step = float(np.median(np.diff(heights)))
    count = round(heights[-1] / step) + 1
    low = np.floor(offsets.min(axis=0) + 1e-6).astype(int)
    high = np.ceil(offsets.max(axis=0) - 1e-6).astype(int)
    depth, height, width = array.shape
    shape = (height + high[0] - low[0], width + high[1] - low[1])
    if count * shape[0] * shape[1] > _MAX_GROWTH * array.size:
        raise ValueError(
            f'a regular grid would need {count} slices of {shape[0]} x {shape[1]} for '
            f'{depth} of {height} x {width}; choose the slices that belong together'
        )
    fill = float(array.min())
    planes = [
        _shift_plane(plane, offset - low, shape, fill)
        for plane, offset in zip(array, offsets, strict=True)
    ]
    targets = np.linspace(0, heights[-1], count)
    result = np.empty((count, *shape), dtype=array.dtype)
    for index, target in enumerate(targets):
        above = min(int(np.searchsorted(heights, target)), depth - 1)
        below = max(above - 1, 0)
        gap = heights[above] - heights[below]
        share = (target - heights[below]) / gap if gap else 0.0
        # Within positional accuracy of a slice, that slice itself.
        if min(share, 1 - share) * gap < _tolerate(step):
            share = round(share)
        value = planes[below] * (1 - share) + planes[above] * share
        result[index] = np.rint(value) if array.dtype.kind in 'iu' else value
    affine = stack.affine.copy()
    normal = affine[:3, 0] / np.linalg.norm(affine[:3, 0])
    affine[:3, 0] = normal * (heights[-1] / (count - 1))
    affine[:3, 3] += affine[:3, 1:3] @ low
    return result, affine


def _check_plane(
    right: NDArray, down: NDArray, spacing: NDArray, positions: NDArray
) -> None:
    lengths = np.linalg.norm([right, down], axis=1)
    finite = np.isfinite(lengths).all() and np.isfinite(positions).all()
    if not finite or np.abs(lengths - 1).max() > 1e-2 or abs(right @ down) > 1e-2:
        raise ValueError(
            f'ImageOrientationPatient is {[*right, *down]}, expected two directions '
            'at right angles'
        )
    if spacing.shape != (2,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise ValueError(f'PixelSpacing is {spacing.tolist()}, expected two mm > 0')


def _check_repeats(heights: NDArray, places: NDArray) -> None:
    repeats = int((np.diff(heights) < _SAME_PLACE_MM).sum())
    if repeats:
        raise ValueError(
            f'{repeats + 1} of {len(heights)} images share a place along the normal '
            f'({places[0].tolist()} is the first place); several acquisitions in one '
            'series, pass the files of one of them'
        )


def _tolerate(step: float) -> float:
    return max(_POSITION_MM, _STEP_SHARE * step)


def _find_gaps(heights: NDArray) -> tuple[str, ...]:
    count = len(heights)
    if count < 3:
        return ()
    gaps = np.diff(heights)
    typical = float(np.median(gaps))
    regular = np.linspace(0, heights[-1], count)
    if np.abs(heights - regular).max() <= _tolerate(typical):
        return ()
    multiples = np.rint(gaps / typical)
    fits = np.abs(gaps - multiples * typical) <= _tolerate(typical) * multiples
    if fits.all() and multiples.max() > 1:
        where = int(np.argmax(multiples))
        return (
            f'{int((multiples - 1).sum())} slices of {typical:.4g} mm are missing, '
            f'the first behind slice {where + 1} of {count}.',
        )
    return (f'Slice distances vary from {gaps.min():.4g} to {gaps.max():.4g} mm.',)


def _find_shifts(heights: NDArray, beside: NDArray) -> tuple[str, ...]:
    distance = np.linalg.norm(beside, axis=1)
    if distance.max() <= _POSITION_MM:
        return ()
    slope = beside[-1] / heights[-1]
    straight = np.abs(beside - heights[:, None] * slope).max() <= 2 * _POSITION_MM
    if straight:
        angle = np.degrees(np.arctan(np.linalg.norm(slope)))
        return (f'The gantry is tilted: slices are sheared by {angle:.2f} degrees.',)
    return (f'Slices lie up to {distance.max():.4g} mm beside each other.',)


def _shift_plane(
    plane: NDArray, offset: NDArray, shape: tuple[int, int], fill: float
) -> NDArray:
    if not np.any(np.abs(offset) > 1e-6) and plane.shape == shape:
        return plane
    # Only the rare irregular stack waits for torch.
    from mmmed.functional.resampling import resample_image

    index_map = np.eye(4)
    index_map[1:3, 3] = -offset
    return resample_image(plane[None], index_map, (1, *shape), fill=fill)[0]
