"""How much of each voxel a cord lesion fills, in any box of a volume.

Every value depends on the record, the spacing and the index of its voxel only, and all
arithmetic is such that neither the size of the box nor the machine changes a bit of
it: sums in a fixed order, no function that a library may round in its own way. So a
slice costs a slice, and shows what the volume shows there.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mmmed.functional.masks import Box
from mmmed.synthesis.cord_records import CordLesionRecord
from mmmed.synthesis.counter_hash import hash_counters

# Points of a voxel along an axis, at most, and how far apart they need to be.
_MOST_POINTS = 12
_POINTS_MM = 0.25
# Noise is cut at this many deviations.
_NOISE_LIMIT = 2.0
# Standard deviation of a cubic B-spline of knots that are uniform in [-1, 1].
_SPLINE_DEVIATION = (151 / 315) ** 1.5 / math.sqrt(3)
# Powers of two: products of knots and weights are exact, in any order of sums.
_KNOT_STEPS = 256
_WEIGHT_STEPS = 1024


def find_reach(lesion: CordLesionRecord) -> tuple[float, ...]:
    """How far a lesion reaches from its centre along each array axis, in mm."""
    rotation = np.array(lesion.rotation).reshape(3, 3)
    extent = np.sqrt(((rotation * np.array(lesion.radii_mm)[:, None]) ** 2).sum(axis=0))
    # Dents are measured at right angles to the border, so nothing lies beyond.
    margin = lesion.edge_mm + _NOISE_LIMIT * lesion.dents_mm
    # The distance is of first order: beyond the border it is too small by a share.
    return tuple(float(e) for e in 1.25 * extent + 1.5 * margin)


def clip_box(
    lesion: CordLesionRecord, spacing: Sequence[float], box: Sequence[slice]
) -> Box | None:
    """The part of a box that a lesion may reach; None for no voxel."""
    parts = []
    for center, reach, mm, part in zip(
        lesion.center_mm, find_reach(lesion), spacing, box, strict=True
    ):
        first = max(part.start, math.floor((center - reach) / mm))
        last = min(part.stop, math.ceil((center + reach) / mm) + 1)
        if first >= last:
            return None
        parts.append(slice(first, last))
    return tuple(parts)


def measure_coverage(
    lesion: CordLesionRecord, spacing: Sequence[float], box: Box
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each voxel that is lesion, and the texture there.

    The share is the mean over points inside the voxel, so that a thick slice shows
    as much of a lesion as it holds; at each point the border is a smooth ramp, as a
    scanner's point spread makes it.

    Args:
        lesion: Record.
        spacing: (Z, Y, X) in mm.
        box: Voxels of the whole volume, three slices with start and stop.

    Returns:
        Share in [0, 1] and noise of deviation 1 within [-2, 2], both (Z, Y, X).
    """
    noise = _evaluate_noise(lesion, spacing, box)
    counts = [count_points(lesion, mm) for mm in spacing]
    axes = [
        _place_points(part, mm, count, center)
        for part, mm, count, center in zip(
            box, spacing, counts, lesion.center_mm, strict=True
        )
    ]
    inside = _measure_inside(lesion, axes)
    if lesion.dents_mm:
        dents = noise * lesion.dents_mm
        for axis, count in enumerate(counts):
            dents = np.repeat(dents, count, axis)
        inside += dents
    ramp = np.clip(inside / lesion.edge_mm, -1, 1)
    ramp = 0.5 + ramp * (0.75 - 0.25 * (ramp * ramp))
    for axis, count in enumerate(counts):
        ramp = _average(ramp, axis, count)
    return ramp, noise


def count_points(lesion: CordLesionRecord, mm: float) -> int:
    """Points of a voxel along an axis of a spacing."""
    apart = max(_POINTS_MM, lesion.edge_mm, min(lesion.radii_mm) / 2)
    return min(_MOST_POINTS, max(1, math.ceil(mm / apart)))


def _place_points(
    part: slice, mm: float, count: int, center: float
) -> NDArray[np.float64]:
    """Distance of the points of each voxel from the centre along one axis, in mm."""
    voxels = np.arange(part.start, part.stop, dtype=np.float64)
    offsets = (np.arange(count) + 0.5) / count - 0.5
    return ((voxels[:, None] + offsets) * mm - center).reshape(-1)


def _measure_inside(
    lesion: CordLesionRecord, axes: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """About how far inside the ellipsoid each point is, in mm; exact at the border."""
    z, y, x = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    square = np.zeros((len(axes[0]), len(axes[1]), len(axes[2])))
    steep = np.zeros_like(square)
    for row, radius in zip(range(3), lesion.radii_mm, strict=True):
        a, b, c = (turn / radius for turn in lesion.rotation[3 * row : 3 * row + 3])
        along = (a * z + b * y) + c * x
        along *= along
        square += along
        steep += along / (radius * radius)
    root = np.sqrt(square)
    # Distance: q (1 - q) over half the gradient of q squared; in the middle a radius.
    near = root < 0.05
    inside = root * (1 - root) / np.sqrt(np.where(near, 1.0, steep))
    inside[near] = min(lesion.radii_mm)
    return inside


def _average(values: NDArray[np.float64], axis: int, count: int) -> NDArray[np.float64]:
    """Mean of each ``count`` neighbours along an axis, summed in their order."""
    if count == 1:
        return values
    view = np.moveaxis(values, axis, 0)
    total = view[0::count].copy()
    for first in range(1, count):
        total += view[first::count]
    total /= count
    return np.moveaxis(total, 0, axis)


def _evaluate_noise(
    lesion: CordLesionRecord, spacing: Sequence[float], box: Box
) -> NDArray[np.float64]:
    """Smooth noise of deviation 1 at the centres of voxels; a cubic B-spline."""
    if not lesion.texture and not lesion.dents_mm:
        return np.zeros([part.stop - part.start for part in box])
    reach = find_reach(lesion)
    # Voxels whose centre lies outside may have points inside.
    room = [r + mm for r, mm in zip(reach, spacing, strict=True)]
    counts = tuple(math.ceil(2 * r / lesion.texture_mm) + 4 for r in room)
    knots = _draw_knots(lesion.texture_seed, counts)
    weights = []
    for part, mm, center, r, count in zip(
        box, spacing, lesion.center_mm, room, counts, strict=True
    ):
        index = np.arange(part.start, part.stop, dtype=np.float64)
        position = (index * mm - center + r) / lesion.texture_mm
        weights.append(_build_spline(position, count))
    field = np.einsum('abc,za->zbc', knots, weights[0])
    field = np.einsum('zbc,yb->zyc', _round(field), weights[1])
    field = np.einsum('zyc,xc->zyx', _round(field), weights[2])
    return np.clip(field / _SPLINE_DEVIATION, -_NOISE_LIMIT, _NOISE_LIMIT)


def _round(field: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(field * _KNOT_STEPS) / _KNOT_STEPS


@functools.lru_cache(maxsize=256)
def _draw_knots(seed: int, counts: tuple[int, ...]) -> NDArray[np.float64]:
    """Whole numbers of 1/256 in [-1, 1], from a hash of their index."""
    counters = torch.arange(math.prod(counts), dtype=torch.int64)
    # The seed second: as the first it would only swap neighbours of another seed.
    bits = hash_counters(counters, (0x5C0FD, seed)).numpy()
    knots = np.floor(bits / 2**32 * (2 * _KNOT_STEPS + 1)) / _KNOT_STEPS - 1
    return np.asarray(knots.reshape(counts))


def _build_spline(position: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Uniform cubic B-spline weights of ``count`` knots, (n, count), in 1/1024."""
    away = np.abs(position[:, None] - np.arange(-1, count - 1))
    wide, narrow = np.maximum(2 - away, 0), np.maximum(1 - away, 0)
    weights = (wide * wide * wide - 4 * (narrow * narrow * narrow)) / 6
    return np.asarray(np.rint(weights * _WEIGHT_STEPS) / _WEIGHT_STEPS)
