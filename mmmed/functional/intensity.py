"""Intensity scales of images; not here: random augmentation or file values."""

import numpy as np
from numpy.typing import NDArray


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
