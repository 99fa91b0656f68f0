"""Where the windows of a sliding inference lie and how much each pixel counts, N-D.

NumPy and the standard library only. Not here: running a network
(:mod:`mmmed.functional.sliding_window`).
"""

import math
from collections.abc import Sequence

import numpy as np

Tile = tuple[slice, ...]


def compute_tiles(
    shape: Sequence[int], window: Sequence[int], stride: Sequence[int]
) -> list[Tile]:
    """Windows of equal size that cover a grid, spread evenly.

    Per axis the fewest windows are taken whose distance is at most the stride; first
    and last touch the borders and the rest lie evenly between them (to the pixel), so
    that the overlap is about the same everywhere.

    Args:
        shape: Grid size per axis, in array order.
        window: Window size per axis, at most ``shape`` (pad smaller grids first, see
            :func:`compute_window_padding`).
        stride: Largest distance of neighbouring windows per axis, 1..``window``.

    Returns:
        Slices per window, the last axis moving fastest. Every pixel lies in at least
        one of them.

    Raises:
        ValueError: Lengths differ, a stride lies outside 1..window, or a window is
            larger than the grid.

    Example:
        >>> [t[0].start for t in compute_tiles((10,), (4,), (4,))]
        [0, 3, 6]
    """
    if not len(shape) == len(window) == len(stride):
        raise ValueError(
            f'shape, window and stride must have one entry per axis, got '
            f'{tuple(shape)}, {tuple(window)}, {tuple(stride)}'
        )
    starts = [_spread_starts(*axis) for axis in zip(shape, window, stride, strict=True)]
    corners = np.stack(np.meshgrid(*starts, indexing='ij'), axis=-1)
    return [
        tuple(slice(a, a + size) for a, size in zip(corner, window, strict=True))
        for corner in corners.reshape(-1, len(shape)).tolist()
    ]


def compute_window_padding(
    shape: Sequence[int], window: Sequence[int]
) -> tuple[int, ...]:
    """Pixels to add at the end of each axis so that a window fits.

    Args:
        shape: Grid size per axis.
        window: Window size per axis.

    Returns:
        Pixels per axis, 0 where the grid is large enough.
    """
    return tuple(max(0, w - s) for s, w in zip(shape, window, strict=True))


def compute_gaussian_weights(
    window: Sequence[int], *, sigma_share: float = 0.125, floor: float = 1e-3
) -> np.ndarray:
    """Bell-shaped weights of a window: 1 at its center, small at its border.

    A network sees least context at the border of a window, so predictions count less
    there.

    Args:
        window: Window size per axis.
        sigma_share: Standard deviation as a share of the window size, > 0.
        floor: Smallest weight, > 0; keeps the sum of weights far from 0, also in half
            precision and in corners of volumes.

    Returns:
        Weights in [floor, 1], shape ``window``, float32, symmetric along each axis.

    Raises:
        ValueError: ``sigma_share`` or ``floor`` is not positive.

    Source:
        Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (supplement, inference;
        sigma = window / 8). Differs: analytic bell instead of a filtered delta, floor.
    """
    if sigma_share <= 0 or floor <= 0:
        raise ValueError(
            f'sigma_share and floor must be > 0, got {sigma_share} and {floor}'
        )
    weights = np.ones((), dtype=np.float64)
    for size in window:
        offset = np.arange(size) - (size - 1) / 2
        bell = np.exp(-0.5 * (offset / (sigma_share * size)) ** 2)
        weights = np.multiply.outer(weights, bell)
    # An even window has its center between two pixels; the peak is 1 all the same.
    return np.maximum(weights / weights.max(), floor).astype(np.float32)


def _spread_starts(size: int, window: int, stride: int) -> list[int]:
    if not 1 <= stride <= window:
        raise ValueError(
            f'stride must lie in 1..window, got stride {stride} and window {window}; '
            f'larger strides would leave gaps'
        )
    if window > size:
        raise ValueError(f'window {window} exceeds the grid of {size}; pad it first')
    steps = math.ceil((size - window) / stride)
    # Integer arithmetic: rounding half up, the same on every platform.
    return [
        (2 * i * (size - window) + steps) // (2 * steps) if steps else 0
        for i in range(steps + 1)
    ]
