"""Maps that deform a slice, composed so that it is resampled once.

A map says for each pixel of the result where its value lies in the slice: float32,
shape (2, Y, X), first the row, then the column. What lies beyond the slice is its
mirror image about the outermost pixel centres. Not here: stacks of slices
(``stack_recipes``), volumes (``volume_warp``), which map is drawn (the transforms).
"""

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
# Cosines of an elastic field that are damped below this are left out.
_FAINTEST = 1e-4


def build_affine_map(shape: tuple[int, int], forward: NDArray[np.float64]) -> Map:
    """Map of a matrix (2, 3) that takes a pixel (x, y, 1) to its place in the result.

    Raises:
        ValueError: The matrix flattens the slice.
    """
    if abs(np.linalg.det(forward[:, :2])) < 1e-9:
        raise ValueError(f'matrix {forward.tolist()} cannot be inverted, expected area')
    matrix = cv2.invertAffineTransform(np.asarray(forward, np.float64))
    x, y = np.arange(shape[1]), np.arange(shape[0])[:, None]
    result = np.empty((2, *shape), np.float32)
    for place, (a, b, c) in zip(result, matrix[::-1], strict=True):
        place[...] = (a * x + c) + b * y
    return result


def build_crop_map(
    shape: tuple[int, int], corner: Sequence[float], size: Sequence[float]
) -> Map:
    """Map of a window that is enlarged to the whole shape.

    Args:
        shape: (Y, X) of the slice and of the result.
        corner: First row and column of the window.
        size: Rows and columns of it, > 0.
    """
    rows, columns = (
        np.clip(start + (np.arange(n) + 0.5) * part / n - 0.5, start, start + part - 1)
        for n, start, part in zip(shape, corner, size, strict=True)
    )
    return _join(rows, columns)


def build_elastic_map(
    shape: tuple[int, int], *, alpha: float, sigma: float, rng: np.random.Generator
) -> Map:
    """Map of an elastic deformation: smoothed white noise as displacement.

    The noise is drawn as the cosines of it that survive the smoothing, which is exact
    for mirrored borders, and nearly free where it is strong.

    Args:
        shape: (Y, X).
        alpha: Displacement in pixels that uniform noise in (-1, 1) is multiplied by.
        sigma: Standard deviation of the Gaussian that smooths it, in pixels, > 0.
        rng: Source of chance.

    Source:
        Simard, Steinkraus and Platt 2003, doi:10.1109/ICDAR.2003.1227801. Differs: the
        noise is normal of the same variance, 1/3.
    """
    bases = [_build_cosines(n, sigma) for n in shape]
    result = get_identity_map(shape).copy()
    for place in result:
        drawn = rng.standard_normal((bases[0].shape[1], bases[1].shape[1]))
        place += bases[0] @ (alpha / math.sqrt(3) * drawn) @ bases[1].T
    return result


def build_grid_map(
    shape: tuple[int, int], rows: Sequence[float], columns: Sequence[float]
) -> Map:
    """Map of a grid whose bands are stretched or squeezed.

    Args:
        shape: (Y, X).
        rows: Factor of each band of rows, from the first; 1 leaves it as it is, 2
            shows twice as many rows of the slice in it.
        columns: Likewise.
    """
    places = []
    for n, factors in zip(shape, (rows, columns), strict=True):
        step = n / len(factors)
        ends = np.arange(len(factors) + 1) * step
        source = np.concatenate([[0.0], np.cumsum(factors) * step])
        places.append(np.interp(np.arange(n), ends, source))
    return _join(*places)


def build_lens_map(
    shape: tuple[int, int], strength: float, shift: Sequence[float] = (0.0, 0.0)
) -> Map:
    """Map of a lens: radial distortion with both coefficients the same.

    Args:
        shape: (Y, X).
        strength: k of ``r * (1 + k r**2 + k r**4)``, r in longer sides from the axis
            of the lens; positive shows more of the borders, negative less.
        shift: Axis of the lens from the middle, (Y, X) in pixels.

    Source:
        Brown 1966, Decentering distortion of lenses; radial part.
    """
    scale = float(max(shape))
    offsets = [
        (np.arange(n) - ((n - 1) / 2 + move)) / scale
        for n, move in zip(shape, shift, strict=True)
    ]
    y, x = offsets[0][:, None], offsets[1][None]
    square = y * y + x * x
    excess = strength * square * (1 + square) * scale
    result = get_identity_map(shape).copy()
    result[0] += y * excess
    result[1] += x * excess
    return result


def compose_maps(first: Map, second: Map) -> Map:
    """One map for two: as if ``first`` deformed the slice, and then ``second``."""
    shape = first.shape[1:]
    second = fold_map(second, shape)
    identity = get_identity_map(shape)
    # The displacement is smooth, so OpenCV's steps of 1/32 pixel hardly matter to it.
    moved = [
        _remap(place - still, second, cv2.INTER_LINEAR)
        for place, still in zip(first, identity, strict=True)
    ]
    return np.stack(moved) + second


def fold_map(source: Map, shape: tuple[int, ...]) -> Map:
    """Positions beyond a slice (Y, X) mirrored about its outermost pixel centres."""
    folded = source
    for axis, n in enumerate(shape):
        low, high, last = source[axis].min(), source[axis].max(), n - 1
        if low >= 0 and high <= last:
            continue
        folded = source.copy() if folded is source else folded
        place = folded[axis]
        if low < -last or high > 2 * last:
            np.mod(place, np.float32(max(2 * last, 1)), out=place)
        np.abs(place, out=place)
        np.subtract(last, np.abs(last - place), out=place)
        np.clip(place, 0, last, out=place)
    return folded


def warp_image(img: NDArray, source: Map) -> NDArray:
    """Image (Y, X, C), uint8 or float32, any number of channels, bilinear."""
    source = fold_map(source, img.shape[:2])
    parts = [
        _remap(img[..., c : c + 4], source, cv2.INTER_LINEAR).reshape(
            *source.shape[1:], -1
        )
        for c in range(0, img.shape[2], 4)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def warp_labels(seg: NDArray, source: Map) -> NDArray:
    """Label map (Y, X) uint8: the label of the nearest pixel centre."""
    return _remap(seg, fold_map(source, seg.shape), cv2.INTER_NEAREST)


def _remap(array: NDArray, source: Map, method: int) -> NDArray:
    """Values at positions inside the array."""
    return cv2.remap(
        np.ascontiguousarray(array),
        source[1],
        source[0],
        method,
        borderMode=cv2.BORDER_REPLICATE,
    )


@functools.lru_cache(maxsize=16)
def get_identity_map(shape: tuple[int, int]) -> Map:
    """Map that changes nothing; it is shared and may not be written to."""
    result = _join(np.arange(shape[0]), np.arange(shape[1]))
    result.setflags(write=False)
    return result


def _join(rows: NDArray, columns: NDArray) -> Map:
    """Map of a place for each row and one for each column."""
    result = np.empty((2, len(rows), len(columns)), np.float32)
    result[0], result[1] = rows[:, None], columns
    return result


@functools.lru_cache(maxsize=16)
def _build_cosines(n: int, sigma: float) -> NDArray[np.float64]:
    """Orthonormal cosines (n, K) of white noise, damped by a Gaussian."""
    if not sigma > 0:
        raise ValueError(f'sigma is {sigma}, expected pixels > 0')
    count = int(n * math.sqrt(-2 * math.log(_FAINTEST)) / (math.pi * sigma)) + 1
    order = np.arange(min(n, count))
    waves = np.cos(np.pi / n * np.outer(np.arange(n) + 0.5, order))
    norm = np.where(order == 0, math.sqrt(1 / n), math.sqrt(2 / n))
    return waves * norm * np.exp(-0.5 * (np.pi * sigma / n * order) ** 2)
