"""Grey values of one slice between two of its own percentiles.

Not here: windows of whole scans (``intensity``), which is how data are prepared.
"""

import numpy as np
from numpy.typing import NDArray


def window_slice(
    img: NDArray, low: float = 1.0, high: float = 99.0, *, nonzero: bool = True
) -> NDArray[np.float32]:
    """Map each channel linearly, its percentiles to 0 and 255, clipped.

    Args:
        img: Shape (Y, X, C), any real type; not changed.
        low: Lower percentile, in [0, 100), < ``high``.
        high: Upper percentile, in (0, 100].
        nonzero: Whether pixels that are exactly 0 surround the scan: they do not
            count, and stay 0.

    Returns:
        Same shape, 0 to 255. A channel without contrast, or without a pixel that
        counts, is 0.

    Raises:
        ValueError: The percentiles are impossible, or a value is NaN or infinite.

    Example:
        >>> window_slice(np.array([[[0], [10], [20], [30]]]), 0, 100)[..., 0]
        array([[  0. ,   0. , 127.5, 255. ]], dtype=float32)
    """
    check_percentiles(low, high)
    result = np.zeros(img.shape, np.float32)
    for channel in range(img.shape[2]):
        plane = np.asarray(img[..., channel], np.float32)
        if not np.isfinite(plane).all():
            raise ValueError('slice holds NaN or infinite values, expected numbers')
        counted = plane[plane != 0] if nonzero else plane.ravel()
        if not counted.size:
            continue
        ends = np.percentile(counted, (low, high))
        if ends[0] < ends[1]:
            gain = np.float32(255 / (ends[1] - ends[0]))
            share = np.clip((plane - np.float32(ends[0])) * gain, 0, 255)
            result[..., channel] = share * (plane != 0) if nonzero else share
    return result


def check_percentiles(low: float, high: float) -> None:
    """Refuse percentiles that are no window.

    Raises:
        ValueError: Not ``0 <= low < high <= 100``.
    """
    if not 0 <= low < high <= 100:
        raise ValueError(
            f'percentiles are {low} and {high}, expected 0 <= low < high <= 100'
        )
