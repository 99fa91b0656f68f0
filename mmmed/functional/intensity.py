"""Intensity scales of images; not here: random augmentation or file values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Values at a time: a float64 copy of them is 32 MiB.
_CHUNK = 1 << 22


def apply_window(hu: NDArray, *, level_hu: float, width_hu: float) -> NDArray[np.uint8]:
    """Map CT numbers to 8-bit grey values, as a CT display window does.

    Args:
        hu: CT numbers in Hounsfield units, any shape.
        level_hu: Center of the window.
        width_hu: Width of the window, > 0.

    Returns:
        Array of the same shape: 0 at or below the lower edge, 255 at or above the
        upper one, linear between, halves rounded up.

    Raises:
        ValueError: The width is not positive, or a value is NaN, which has no grey.

    Source:
        DICOM PS3.3 C.11.2.1.3.2, function LINEAR_EXACT. Differs: None.

    Example:
        >>> apply_window(np.array([-20, 40, 100]), level_hu=40, width_hu=120)
        array([  0, 128, 255], dtype=uint8)
    """
    if not width_hu > 0:
        raise ValueError(f'window width is {width_hu} HU, expected > 0')
    lower = level_hu - width_hu / 2
    share = (np.asarray(hu, dtype=np.float64) - lower) / width_hu
    if np.isnan(share).any():
        raise ValueError('CT numbers hold NaN, expected Hounsfield units')
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)


def compute_percentile_window(
    array: NDArray, low: float, high: float, nonzero: bool
) -> tuple[float, float]:
    """Values between which a scan without a physical unit is shown, as MRI is.

    Robust against the few brightest voxels (vessels, artefacts), and the same for
    every orientation of the scan, because only the set of values counts.

    Args:
        array: Values, any shape and real type.
        low: Lower percentile, in [0, 100), < ``high``.
        high: Upper percentile, in (0, 100].
        nonzero: Whether voxels that are exactly 0 are left out, as the surroundings
            of a scan that was masked or resampled.

    Returns:
        Lower and upper value; percentiles are interpolated linearly between order
        statistics, in float64 whatever the type of the array.

    Raises:
        ValueError: The percentiles are impossible, a value is NaN or infinite, no
            voxel is left, or both values are the same: a scan without contrast.

    Source:
        Hyndman and Fan 1996, doi:10.1080/00031305.1996.10473566, definition 7; equals
        ``numpy.percentile`` of the values as float64.

    Example:
        >>> compute_percentile_window(np.array([0, 10, 20, 30]), 0, 50, nonzero=True)
        (10.0, 20.0)
    """
    if not 0 <= low < high <= 100:
        raise ValueError(
            f'percentiles are {low} and {high}, expected 0 <= low < high <= 100'
        )
    array = np.asarray(array)
    if array.dtype.kind not in 'biuf':
        raise ValueError(f'values are {array.dtype}, expected real numbers')
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        raise ValueError('scan holds NaN or infinite values, expected numbers')
    values = array[array != 0] if nonzero else array.flatten()
    if not values.size:
        kind = 'differs from 0' if nonzero else 'is there'
        raise ValueError(f'no voxel {kind}, so the scan has no percentiles')
    window = _compute_percentiles(values, (low, high))
    if not window[0] < window[1]:
        raise ValueError(
            f'percentiles {low} and {high} are both {window[0]:g}: the scan has no '
            'contrast'
        )
    return window


def _compute_percentiles(
    values: NDArray, shares: tuple[float, float]
) -> tuple[float, float]:
    """Percentiles of values, which are put into another order."""
    ranks = [share / 100 * (values.size - 1) for share in shares]
    around = {int(rank) + step for rank in ranks for step in (0, 1)}
    # Neither a full sort, nor a second copy, nor one in float64 of what may be bytes.
    values.partition(sorted(rank for rank in around if rank < values.size))
    found = []
    for rank in ranks:
        below = int(rank)
        lower = float(values[below])
        upper = float(values[min(below + 1, values.size - 1)])
        found.append(lower + (upper - lower) * (rank - below))
    return found[0], found[1]


def quantize_intensity(
    array: NDArray, window: tuple[float, float], bits: int, *, nonzero: bool = True
) -> NDArray[Any]:
    """Map values linearly to whole grey values.

    Args:
        array: Values, any shape and real type; not changed.
        window: Value that becomes the least grey and value that becomes the largest.
        bits: 8 or 16, of the result.
        nonzero: Whether 0 is what surrounds the scan, and nothing else: it stays 0,
            and every other value becomes at least 1. Without, the least grey is 0.

    Returns:
        Array of the same shape, uint8 or uint16: the least grey at or below the lower
        value, ``2 ** bits - 1`` at or above the upper one, linear between, halves
        rounded up. A voxel's grey depends on its own value only.

    Raises:
        ValueError: ``bits`` is another number, the window is empty or not finite, or
            a value is NaN, which has no grey.

    Example:
        >>> quantize_intensity(np.array([-5, 0, 10, 60, 110, 500]), (10, 110), 8)
        array([  1,   0,   1, 128, 255, 255], dtype=uint8)
    """
    if bits not in (8, 16):
        raise ValueError(f'{bits} bits, expected 8 or 16')
    low, high = window
    if not -np.inf < low < high < np.inf:
        raise ValueError(f'window is {window}, expected (least, largest)')
    array = np.asarray(array)
    least, largest = int(nonzero), 2**bits - 1
    result = np.empty(array.shape, dtype=np.uint8 if bits == 8 else np.uint16)
    source, target = array.reshape(-1), result.reshape(-1)
    for start in range(0, source.size, _CHUNK):
        part = source[start : start + _CHUNK].astype(np.float64)
        share = np.clip((part - low) / (high - low), 0, 1)
        if np.isnan(share).any():
            raise ValueError('scan holds NaN, which has no grey value')
        grey = np.floor(least + share * (largest - least) + 0.5)
        if nonzero:
            grey[part == 0] = 0
        target[start : start + _CHUNK] = grey
    return result


def convert_grey(grey: NDArray, *, whole: bool) -> NDArray[Any]:
    """Grey values of 8 or 16 bits on the scale from 0 to 255.

    Args:
        grey: uint8 or uint16, any shape; see :func:`quantize_intensity`.
        whole: Round 16 bits to whole numbers, halves up; or keep their fractions.

    Returns:
        uint8 if ``whole``, else float32; 65535 is 255. Contiguous, never a view.

    Raises:
        ValueError: Another type.

    Example:
        >>> convert_grey(np.array([0, 300, 65535], np.uint16), whole=True)
        array([  0,   1, 255], dtype=uint8)
    """
    if grey.dtype == np.uint8:
        # Not astype, which would keep the type of a memory map.
        return np.array(grey, np.uint8 if whole else np.float32, order='C')
    if grey.dtype != np.uint16:
        raise ValueError(f'grey values are {grey.dtype}, expected uint8 or uint16')
    grey = np.ascontiguousarray(grey)
    if not whole:
        return grey / np.float32(257)  # 65535 = 255 * 257
    return ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)
