"""Texture of a lesion: a smooth modulation, and grain like the organ's own noise.

Both are made where they are needed from a seed, so nothing is computed or stored at
start but one tile of white noise of 3.5 MB, and a record makes the same texture again.
Not here: how they are put into an image (``composition``).
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.functional.masks import Box
from mmmed.synthesis.records import LesionRecord
from mmmed.synthesis.shape import LesionFrame, locate_voxels

# Standard deviation of a cubic B-spline with independent knots of deviation 1: the
# integral of the squared spline is 151/315 along each axis.
_SPLINE_DEVIATION = (151 / 315) ** 1.5
# Steps of a knot's value in 1.
_STEPS = 256
_TILE = 96
_TILE_SEED = 2303_14869
_GRAIN_RADIUS = 4


def evaluate_modulation(
    lesion: LesionRecord,
    frame: LesionFrame,
    spacing: Sequence[float],
    box: Box,
    device: torch.device,
) -> Tensor:
    """Smooth noise of mean 0 and deviation 1 over a box, float32 (Z, Y, X).

    The knots hang on the lesion, not on the box: a part of it has the same texture.
    """
    reach = 1.2 * frame.distance_mm  # a little more than any box around the lesion
    counts = [math.ceil(r) for r in (2 / lesion.texture_mm * reach + 4).tolist()]
    rng = np.random.default_rng(lesion.texture_seed)
    knots = np.rint(rng.standard_normal(counts) * (_STEPS / _SPLINE_DEVIATION)) / _STEPS
    places = locate_voxels(lesion, spacing, box)
    moved = [place + r for place, r in zip(places, reach.tolist(), strict=True)]
    weights = _build_spline(np.concatenate(moved) / lesion.texture_mm, max(counts))
    ends = np.cumsum([0, *(place.size for place in places)]).tolist()
    along_z, along_y, along_x = (
        weights[first:last, :count]
        for first, last, count in zip(ends[:-1], ends[1:], counts, strict=True)
    )
    # Two products, not one a slice.
    field = along_y @ knots.swapaxes(0, 1).reshape(counts[1], -1)  # (Y, kz * kx)
    field = field.reshape(-1, counts[0], counts[2]).swapaxes(0, 1)  # (kz, Y, kx)
    field = along_z @ field.reshape(counts[0], -1)  # (Z, Y * kx)
    field = np.rint(field * _STEPS) / _STEPS
    rows = torch.from_numpy(field.astype(np.float32)).to(device)
    rows = rows.view(-1, len(along_y), counts[2])
    columns = torch.from_numpy(along_x.T.astype(np.float32)).to(device)
    return rows @ columns


def _build_spline(position: NDArray, count: int) -> NDArray[np.float64]:
    """Uniform cubic B-spline weights of ``count`` knots, shape (n, count).

    Knot k is centred at position k - 1. Weights are whole numbers of 1/1024 and knots
    of 1/256: a product of single precision with them is exact, so that neither the
    number of threads nor the device changes a bit.
    """
    away = np.abs(position[:, None] - np.arange(-1, count - 1))
    wide, narrow = np.maximum(2 - away, 0), np.maximum(1 - away, 0)
    weights = (wide * wide * wide - 4 * narrow * narrow * narrow) / 6
    return np.rint(weights * 1024) / 1024


def evaluate_grain(lesion: LesionRecord, box: Box, device: torch.device) -> Tensor:
    """Noise of deviation 1 and the lesion's correlation over a box, (Z, Y, X).

    A tile of white noise, periodic and shifted by the seed, is blurred along each axis
    by the kernel whose output has the wanted correlation of neighbours.
    """
    shift = np.random.default_rng((lesion.texture_seed, 1)).integers(0, _TILE, 3)
    noise = _get_tile(device)
    kernels = [build_grain_kernel(one) for one in lesion.grain_correlation]
    for axis, (part, kernel) in enumerate(zip(box, kernels, strict=True)):
        reach = len(kernel) // 2
        index = np.arange(part.start - reach, part.stop + reach) + shift[axis]
        noise = noise.index_select(axis, torch.as_tensor(index % _TILE).to(device))
    for axis, (part, kernel) in enumerate(zip(box, kernels, strict=True)):
        size = part.stop - part.start
        if len(kernel) > 1:
            total = noise.narrow(axis, 0, size) * kernel[0]
            for place in range(1, len(kernel)):
                total.add_(noise.narrow(axis, place, size), alpha=kernel[place])
            noise = total
    return noise


@functools.lru_cache(maxsize=512)
def build_grain_kernel(correlation: float) -> tuple[float, ...]:
    """Gaussian kernel that gives white noise a correlation of neighbours, power 1.

    Args:
        correlation: In [0, 1); what a deviation of 1.6 voxels gives (0.9) at most.
    """
    deviations, reached = _tabulate_kernels()
    deviation = float(np.interp(correlation, reached, deviations))
    if deviation <= 0:
        return (1.0,)
    return tuple(_make_kernel(deviation).tolist())


@functools.cache
def _tabulate_kernels() -> tuple[NDArray, NDArray]:
    deviations = np.linspace(0, 1.6, 161)
    reached = [0.0]
    for deviation in deviations[1:]:
        kernel = _make_kernel(deviation)
        reached.append(float((kernel[1:] * kernel[:-1]).sum()))
    return deviations, np.maximum.accumulate(reached)


def _make_kernel(deviation: float) -> NDArray:
    steps = np.arange(-_GRAIN_RADIUS, _GRAIN_RADIUS + 1)
    kernel = np.exp(-0.5 * (steps / deviation) ** 2)
    return kernel / np.sqrt((kernel**2).sum())


@functools.cache
def _get_tile(device: torch.device) -> Tensor:
    rng = np.random.default_rng(_TILE_SEED)
    tile = rng.standard_normal((_TILE,) * 3, dtype=np.float32)
    return torch.as_tensor(tile).to(device)
