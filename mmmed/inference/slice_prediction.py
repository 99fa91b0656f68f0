"""2-D networks over a scan: slice by slice, in batches."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmmed.functional.letterbox import Letterbox
from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights
from mmmed.inference.adaptive_batch import AdaptiveBatch
from mmmed.inference.members import Member, normalize
from mmmed.inference.networks import Network
from mmmed.inference.planes import Plane
from mmmed.inference.recipe import ScanRecipe
from mmmed.inference.scan_grid import ScanGrid

# Float copies of a slice's classes that are alive at a time, at most.
_COPIES = 4


def predict_slices(
    grid: ScanGrid, member: Member, batch: AdaptiveBatch, *, memory_bytes: int
) -> Iterator[Plane]:
    """Probabilities of every slice.

    Args:
        grid: The scan.
        member: A 2-D network, or several.
        batch: Slices, or windows of slices, at a time.
        memory_bytes: Aimed at for class probabilities; limits the batch.

    Yields:
        Whole planes in order.
    """
    recipe = member.recipe
    depth, height, width = grid.shape
    fit = Letterbox.fit((height, width), recipe.size)
    span = max(recipe.neighbors) - min(recipe.neighbors) + 1
    read = _cache_planes(grid, fit, span)

    def work(indices: Sequence[int]) -> list[Tensor]:
        inputs = normalize(
            [read_stack(read, z, recipe.neighbors) for z in indices], recipe
        )
        return member.average(
            inputs,
            lambda network, view: predict_logits(network, view, recipe, batch.size),
            lambda logits: fit.restore_logits(
                logits, align_corners=recipe.align_corners
            ),
        )

    largest = max(height * width, fit.outer[0] * fit.outer[1])
    per_slice = _COPIES * 4 * recipe.out_channels * largest
    most = max(1, memory_bytes // per_slice)
    for first in range(0, depth, most):
        indices = range(first, min(depth, first + most))
        for done, probs in batch.map(indices, work):
            for z, prob in zip(done, probs, strict=True):
                yield Plane(z, prob)


def predict_logits(
    network: Network, inputs: Tensor, recipe: ScanRecipe, window_batch: int
) -> Tensor:
    """Logits of whole slices, or blended from sliding windows.

    Args:
        network: 2-D.
        inputs: Shape (N, C, Y, X).
        recipe: Says which.
        window_batch: Most windows at a time.

    Returns:
        Shape (N, K, Y, X).
    """
    if recipe.crop_size is None or recipe.stride is None:
        height, width = inputs.shape[2:]
        divisor = recipe.size_divisor
        padding = (0, -width % divisor, 0, -height % divisor)
        if any(padding):
            inputs = nn.functional.pad(inputs, padding, value=recipe.pad_value)
        return network(inputs)[..., :height, :width]
    weights = None
    if recipe.window_weight == 'gaussian':
        weights = torch.from_numpy(compute_gaussian_weights(recipe.crop_size))
    return predict_by_windows(
        inputs,
        lambda windows, images: network(windows),
        window=recipe.crop_size,
        stride=recipe.stride,
        window_weights=weights,
        window_batch=window_batch,
        pad_value=recipe.pad_value,
    )


def read_stack(
    read: Callable[[int], NDArray], index: int, neighbors: Sequence[int]
) -> NDArray:
    """Channels of neighbouring slices, in the order of ``mmmed.LoadVolumeSlice``.

    Args:
        read: Gives the channels (C, Y, X) of a slice, also beyond the ends.
        index: The slice that is predicted.
        neighbors: Offsets of the slices wanted.

    Returns:
        Shape (C * len(neighbors), Y, X): all slices of the first channel, then of
        the next.
    """
    if len(neighbors) == 1:
        return read(index + neighbors[0])
    stack = np.stack([read(index + offset) for offset in neighbors], axis=1)
    return stack.reshape(-1, *stack.shape[2:])


def _cache_planes(
    grid: ScanGrid, fit: Letterbox, count: int
) -> Callable[[int], NDArray]:
    """Reader of fitted slices that remembers as many as are needed again."""
    fitted = lru_cache(maxsize=count)(lambda z: fit.apply_to_planes(grid.read_plane(z)))

    def read(index: int) -> NDArray:
        if 0 <= index < grid.shape[0]:
            return fitted(index)
        # As mmmed.VolumeSliceDataset has it: nothing lies beyond the ends.
        nearest = min(max(index, 0), grid.shape[0] - 1)
        return np.zeros_like(fitted(nearest))

    return read
