"""Intensities without a unit, as of MRI, to whole numbers of a known range.

The rule of prepared volumes; inference repeats it. CT has a unit and a window instead
(``intensity``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)
_DTYPES = {8: np.uint8, 16: np.uint16}


def compute_robust_range(
    array: NDArray, *, percentiles: Sequence[float] = PERCENTILES
) -> tuple[float, float]:
    """Percentiles of the values that are not 0, which is air.

    Args:
        array: Finite numbers, any shape.
        percentiles: Lower and upper, 0 to 100.

    Returns:
        Lower and upper value, linearly interpolated between neighbours.

    Raises:
        ValueError: All values are 0, or the two percentiles are equal: no contrast.
    """
    values = array[array != 0]
    if not values.size:
        raise ValueError('all values are 0, expected an image')
    low, high = np.percentile(values, list(percentiles)).tolist()
    if not low < high:
        raise ValueError(
            f'percentiles {tuple(percentiles)} of the values are {low} and {high}, '
            'expected an image with contrast'
        )
    return low, high


def quantize_range(
    array: NDArray, low: float, high: float, *, bits: int = 8
) -> NDArray[np.unsignedinteger]:
    """Map [low, high] linearly to 1 .. 2**bits - 1; 0 stays 0.

    Args:
        array: Finite numbers, any shape.
        low: Value that becomes 1; smaller ones too, except 0.
        high: Value that becomes the largest number; larger ones too.
        bits: 8 or 16.

    Returns:
        Array of the same shape, uint8 or uint16, halves rounded to even.

    Raises:
        ValueError: Another number of bits.

    Example:
        >>> quantize_range(np.array([0.0, 10, 60, 110, 500]), 10, 110)
        array([  0,   1, 128, 255, 255], dtype=uint8)
    """
    if bits not in _DTYPES:
        raise ValueError(f'{bits} bits, expected 8 or 16')
    top = 2**bits - 1
    scaled = np.subtract(array, low, dtype=np.float32)
    scaled *= np.float32((top - 1) / (high - low))
    scaled += 1
    np.clip(scaled, 1, top, out=scaled)
    np.rint(scaled, out=scaled)
    scaled[array == 0] = 0
    return scaled.astype(_DTYPES[bits])
