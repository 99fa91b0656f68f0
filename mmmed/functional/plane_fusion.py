"""Rules that make one mask of the probabilities of several planes.

Every rule works slab by slab on volumes of one grid. Not here: networks, slices and
how they become volumes (``mmmed.inference.plane_fusion``); which weights are best
(``fusion_fitting``).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.components import remove_small
from mmmed.functional.masks import check_spacing

RULES = ('mean', 'vote', 'weighted')
# Voxels at a time: float64 copies of them are 8 MiB.
_SLAB_VOXELS = 1 << 20
# How far a sum of weights may be from 1, and a score below its threshold by rounding.
_ROUNDING = 1e-6
_EPSILON = 1e-12


def fuse_by_mean(
    probs: Sequence[NDArray], *, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """Lesion where the mean probability reaches a threshold.

    Args:
        probs: Of P planes, each (Z, Y, X) in [0, 1]; NaN is never lesion.
        threshold: In (0, 1]; a tie is lesion.

    Returns:
        Mask of the same shape.

    Raises:
        ValueError: No volume, shapes differ, or the threshold is outside (0, 1].

    Source:
        Mean and >= 0.5 as RAX-Net's code has them (its paper says vote). Differs: a
        slice without any value has a probability there, not NaN.

    Example:
        >>> fuse_by_mean([np.array([[[1.0]]]), np.array([[[0.0]]])]).item()
        True
    """
    return fuse_by_weights(probs, [1.0] * len(probs), threshold=threshold)


def fuse_by_weights(
    probs: Sequence[NDArray], weights: Sequence[float], *, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """Lesion where the weighted mean probability reaches a threshold.

    Args:
        probs: As for :func:`fuse_by_mean`.
        weights: One per plane, >= 0, not all 0; their sum is taken for 1.
        threshold: In (0, 1]; a tie is lesion.

    Returns:
        Mask of the same shape.

    Raises:
        ValueError: As :func:`fuse_by_mean`, or the weights are not so.
    """
    shape = _check_volumes(probs)
    _check_threshold(threshold)
    shares = _check_weights(weights, len(probs))
    # Compared as sums: dividing first would move ties by a rounding.
    least = threshold * shares.sum() - _EPSILON
    mask = np.empty(shape, np.bool_)
    for slab in _iterate_slabs(shape):
        mask[slab] = _add_up(probs, shares, slab) >= least
    return mask


def fuse_by_vote(
    probs: Sequence[NDArray], *, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """Lesion where at least half of the planes say so.

    Args:
        probs: As for :func:`fuse_by_mean`.
        threshold: Probability at which a plane says lesion, in (0, 1].

    Returns:
        Mask of the same shape. A tie of an even number of planes is lesion.

    Raises:
        ValueError: As :func:`fuse_by_mean`.

    Source:
        The rule that the RAX-Net paper names, medRxiv 10.1101/2025.09.26.25336733.
    """
    shape = _check_volumes(probs)
    _check_threshold(threshold)
    mask = np.empty(shape, np.bool_)
    for slab in _iterate_slabs(shape):
        votes = np.zeros(mask[slab].shape, np.uint8)
        for prob in probs:
            votes += prob[slab] >= threshold
        mask[slab] = 2 * votes.astype(np.intp) >= len(probs)
    return mask


def average_probs(
    probs: Sequence[NDArray], weights: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Weighted mean of volumes; the plain mean without weights.

    Args:
        probs: Of P planes, each (Z, Y, X).
        weights: As for :func:`fuse_by_weights`.

    Returns:
        float32, same shape.

    Raises:
        ValueError: As :func:`fuse_by_weights`.
    """
    shape = _check_volumes(probs)
    shares = _check_weights(weights or [1.0] * len(probs), len(probs))
    mean = np.empty(shape, np.float32)
    for slab in _iterate_slabs(shape):
        mean[slab] = _add_up(probs, shares, slab) / shares.sum()
    return mean


def filter_components(
    mask: ArrayLike,
    spacing: Sequence[float],
    *,
    min_volume_mm3: float,
    connectivity: int = 26,
) -> NDArray[np.bool_]:
    """A mask without components smaller than a volume.

    Args:
        mask: Shape (Z, Y, X).
        spacing: Voxel size (Z, Y, X) in mm.
        min_volume_mm3: Smallest volume that stays, >= 0; 0 keeps all.
        connectivity: 6, 18 or 26 neighbours.

    Returns:
        A new mask.

    Raises:
        ValueError: The volume is negative, or mask or spacing are not usable.
    """
    if not 0 <= min_volume_mm3 < math.inf:
        raise ValueError(
            f'smallest component is {min_volume_mm3} mm3, expected a number >= 0'
        )
    voxel_mm3 = math.prod(check_spacing(spacing, 3))
    # A volume of exactly so many voxels stays, whatever the division rounds to.
    least = math.ceil(min_volume_mm3 / voxel_mm3 - _ROUNDING)
    return remove_small(mask, min_elements=least, connectivity=connectivity)


def _add_up(
    probs: Sequence[NDArray], shares: NDArray[np.float64], slab: slice
) -> NDArray[np.float64]:
    """Weighted sum of a slab, in float64: three float32 values add without loss."""
    total = probs[0][slab].astype(np.float64) * shares[0]
    for prob, share in zip(probs[1:], shares[1:], strict=True):
        total += prob[slab] * share
    return total


def _iterate_slabs(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, _SLAB_VOXELS // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _check_volumes(probs: Sequence[NDArray]) -> tuple[int, ...]:
    if not probs:
        raise ValueError('no volume to fuse, expected at least one')
    shapes = {tuple(prob.shape) for prob in probs}
    if len(shapes) > 1 or probs[0].ndim != 3:
        raise ValueError(
            f'volumes of shapes {sorted(shapes)}, expected one (Z, Y, X) for all; '
            'bring them to the same grid first'
        )
    return tuple(probs[0].shape)


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f'threshold is {threshold}, expected a number in (0, 1]')


def _check_weights(weights: Sequence[float], count: int) -> NDArray[np.float64]:
    shares = np.asarray(weights, np.float64)
    if shares.shape != (count,) or not np.isfinite(shares).all() or shares.min() < 0:
        raise ValueError(
            f'weights are {list(weights)}, expected {count} numbers >= 0, one a plane'
        )
    if not shares.sum() > 0:
        raise ValueError('all weights are 0, expected at least one above it')
    return shares
