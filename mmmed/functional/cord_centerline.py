"""Where the spinal cord runs: its centre in each axial slice, and its direction.

Arrays are canonical, axes (S, A, R): index grows towards the head, the front and the
right. Not here: lesions of the cord (``cord_lesions``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.masks import check_mask, check_spacing


@dataclass(frozen=True)
class Centerline:
    """Centre and direction of a cord, one row for each axial slice of the image.

    Slices without cord take the nearest slice that has some.

    Args:
        centers: Mean index of the cord along (A, R), shape (Z, 2).
        cosines: Cosine of the angle between the cord and the axis of the slices,
            shape (Z,), in (0, 1]; 1 for a cord at right angles to the slices.
        sagittal_cosines: The same in the sagittal projection, shape (Z,).
        areas: Voxels of cord in the slice, shape (Z,); 0 where there is none.
    """

    centers: NDArray[np.float64]
    cosines: NDArray[np.float64]
    sagittal_cosines: NDArray[np.float64]
    areas: NDArray[np.int64]


def find_centerline(
    cord: ArrayLike, spacing: Sequence[float], *, smoothing_mm: float = 10.0
) -> Centerline:
    """Trace the cord through the slices of its mask.

    The direction in a slice is the slope of a straight line through the centres of the
    slices around it, weighted by a Gaussian of their distance. A straight cord is
    traced exactly, to its ends; a voxel more or less turns it little.

    Args:
        cord: Binary mask, shape (Z, Y, X), axes (S, A, R).
        spacing: (Z, Y, X) in mm.
        smoothing_mm: Standard deviation of the Gaussian, > 0.

    Returns:
        The centre line. An empty mask gives the middle of the image and cosines of 1.

    Raises:
        ValueError: The mask is not binary or not 3-D, or a length is not positive.
    """
    array = check_mask(cord, 'cord')
    if array.ndim != 3:
        raise ValueError(f'cord has {array.ndim} axes, expected 3: (S, A, R)')
    if smoothing_mm <= 0:
        raise ValueError(f'smoothing_mm is {smoothing_mm}, expected > 0')
    mm = check_spacing(spacing, 3)
    areas = np.count_nonzero(array, axis=(1, 2))
    filled = np.flatnonzero(areas)
    if not len(filled):
        middle = (np.array(array.shape[1:]) - 1) / 2
        ones = np.ones(len(areas))
        return Centerline(np.tile(middle, (len(areas), 1)), ones, ones, areas)
    means = np.stack([_mean_index(array, axis)[filled] for axis in (1, 2)], axis=1)
    slopes = _fit_slopes(filled * mm[0], means * np.array(mm[1:]), smoothing_mm)
    nearest = _find_nearest(filled, len(areas))
    sagittal = 1 / np.sqrt(1 + slopes[:, 0] ** 2)
    spatial = 1 / np.sqrt(1 + (slopes**2).sum(axis=1))
    return Centerline(means[nearest], spatial[nearest], sagittal[nearest], areas)


def _mean_index(mask: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Mean index along one in-plane axis, for each slice; NaN without a voxel."""
    profile = np.count_nonzero(mask, axis=3 - axis)
    total = profile.sum(axis=1)
    with np.errstate(invalid='ignore'):
        return np.asarray(profile @ np.arange(profile.shape[1]) / total)


def _fit_slopes(
    places: NDArray[np.floating], values: NDArray[np.floating], smoothing_mm: float
) -> NDArray[np.float64]:
    """Slope of the weighted straight line around each place; 0 for a single place."""
    distance = places[:, None] - places
    weight = np.exp(-0.5 * (distance / smoothing_mm) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    offset = places - (weight @ places)[:, None]
    spread = (weight * offset**2).sum(axis=1)
    covariance = (weight * offset) @ values
    return covariance / np.where(spread > 0, spread, 1)[:, None]


def _find_nearest(filled: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Row in ``filled`` of the nearest entry for each of ``length`` slices."""
    return np.abs(np.arange(length)[:, None] - filled).argmin(axis=1)
