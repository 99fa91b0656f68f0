"""Changes of grey values of a slice on the scale from 0 to 255, in float32.

Nothing is rounded to 8 bits on the way, so that one change does not eat what the next
one needs. Not here: which change is drawn (the transforms), volumes
(``volume_intensity``), artefacts in three dimensions (``mr_artifacts``).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
WHITE = 255.0


def blur_slice(img: NDArray, kernel: int) -> Image:
    """Mean over a square; the border is mirrored.

    Args:
        img: Shape (Y, X, C).
        kernel: Side of the square in pixels, odd; 1 changes nothing.
    """
    img = np.ascontiguousarray(img, np.float32)
    # A border can only mirror what there is.
    rows, columns = (min(kernel, 2 * n - 1) for n in img.shape[:2])
    return _clip(cv2.blur(img, (columns, rows)).reshape(img.shape))


def change_contrast(img: NDArray, gain: float, offset: float) -> Image:
    """``gain * value + 255 * offset``, clipped; gain 1 and offset 0 change nothing."""
    return _clip(np.float32(gain) * img + np.float32(WHITE * offset))


def change_gamma(img: NDArray, gamma: float) -> Image:
    """Share of white to a power > 0; 1 changes nothing."""
    img = _clip(img)
    if gamma == 1:
        return img
    return cv2.pow(img / np.float32(WHITE), gamma).reshape(img.shape) * np.float32(
        WHITE
    )


def bend_grey(img: NDArray, levels: Sequence[float]) -> Image:
    """Grey values along a curve of straight pieces, as another sequence has them.

    Args:
        img: Shape (Y, X, C).
        levels: Values of the curve at ``255 k / n``, k = 1 ... n, 0 to 255. At 0 it is
            0: air stays black. Evenly rising levels to 255 change nothing.
    """
    knots = np.linspace(0, WHITE, len(levels) + 1)
    values = np.interp(_clip(img), knots, (0.0, *levels))
    return _clip(values.astype(np.float32))


def add_noise(img: NDArray, std: float, rng: np.random.Generator) -> Image:
    """Normal noise, its own in each channel, clipped.

    Args:
        img: Shape (Y, X, C).
        std: In grey levels; 0 changes nothing.
        rng: Source of chance.
    """
    noise = rng.standard_normal(img.shape, dtype=np.float32)
    return _clip(img + np.float32(std) * noise)


def multiply_noise(
    img: NDArray, low: float, high: float, rng: np.random.Generator
) -> Image:
    """Each value times its own uniform number of a range, clipped."""
    factors = rng.random(img.shape, dtype=np.float32)
    return _clip(img * (np.float32(low) + np.float32(high - low) * factors))


def build_bias_field(
    shape: tuple[int, int], coefficients: Sequence[float], gain: Sequence[float]
) -> Image:
    """Smooth sensitivity of a coil: a polynomial of both axes, scaled to a range.

    Args:
        shape: (Y, X).
        coefficients: Of ``x**i * y**j`` with ``i + j <= order``, by rising i, then
            rising j; x and y run from -1 to 1, 0 on an axis of one pixel.
        gain: Least and largest value of the field.

    Returns:
        Shape (Y, X); 1 everywhere where the polynomial is flat.

    Raises:
        ValueError: So many coefficients that no order has them.
    """
    order = 0
    while (order + 1) * (order + 2) // 2 < len(coefficients):
        order += 1
    if (order + 1) * (order + 2) // 2 != len(coefficients):
        raise ValueError(
            f'{len(coefficients)} coefficients, expected (order + 1)(order + 2) / 2'
        )
    table = np.zeros((order + 1, order + 1))
    places = [(j, i) for i in range(order + 1) for j in range(order + 1 - i)]
    for place, value in zip(places, coefficients, strict=True):
        table[place] = value
    rows, columns = (
        np.vander(
            np.linspace(-1, 1, n) if n > 1 else np.zeros(1), order + 1, increasing=True
        )
        for n in shape
    )
    field = rows @ table @ columns.T
    low, high = field.min(), field.max()
    if high - low < 1e-9:
        return np.ones(shape, np.float32)
    share = (field - low) / (high - low)
    return (gain[0] + (gain[1] - gain[0]) * share).astype(np.float32)


def multiply_field(img: NDArray, field: Image) -> Image:
    """Image (Y, X, C) times a field (Y, X), clipped."""
    return _clip(img * field[..., None])


def erase_boxes(img: NDArray, boxes: Sequence[Sequence[int]], fill: float) -> Image:
    """Fill boxes of (first row, first column, rows, columns), in all channels."""
    result = np.array(img, np.float32)
    for top, left, rows, columns in boxes:
        result[top : top + rows, left : left + columns] = fill
    return result


def keep_box(img: NDArray, box: Sequence[int]) -> Image:
    """Black outside a box of (first row, first column, rows, columns)."""
    top, left, rows, columns = box
    result = np.zeros(img.shape, np.float32)
    part = slice(top, top + rows), slice(left, left + columns)
    result[part] = img[part]
    return result


def _clip(img: NDArray) -> Image:
    return np.clip(img, 0, np.float32(WHITE)).astype(np.float32, copy=False)
