"""Hemorrhage masks as released (softened by JPEG, scaled by NIfTI) to labels 0, 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

THRESHOLD = 127
# Softened edges are lines: no middle grey is surrounded by middle greys (at most one
# pixel over 300 random shapes at JPEG quality 20 to 95). A slice of CT under the name
# of a mask has tens of thousands that are; hence a grey core shows a wrong file.
_MIDDLE = (32, 223)
_MAX_CORE_SHARE = 0.02
_MAX_CORE_FLOOR = 16


@dataclass(frozen=True)
class BinaryMask:
    """A binarized mask and what that cost.

    Args:
        label: Values {0, 1}, uint8, shape of the source.
        in_between: Pixels that were neither black nor white.
        full: Pixels that were exactly white; a rule ``== 255`` would keep only these.
    """

    label: NDArray[np.uint8]
    in_between: int
    full: int


def binarize_mask(mask: NDArray, *, white: float = 255) -> BinaryMask:
    """Threshold a released mask at half of white.

    Args:
        mask: Shape (Y, X) or (Z, Y, X): 0 is black, ``white`` is white, and in
            between is what compression or scaling left.
        white: Value that means hemorrhage.

    Returns:
        The labels; all zero for a black mask.

    Raises:
        ValueError: The values are not those of a softened binary mask.
    """
    grey = np.asarray(mask, dtype=np.float32) * (255 / white)
    low, high = float(grey.min()), float(grey.max())
    if not (low > -1 and high < 256):
        raise ValueError(f'mask values reach from {low:g} to {high:g} of 0 to 255')
    if 1e-3 < high <= THRESHOLD:
        raise ValueError(f'the brightest mask value is {high:g}, expected 0 or 255')
    middle = (grey > _MIDDLE[0]) & (grey < _MIDDLE[1])
    # Surrounded by middle greys on all eight sides, in each slice.
    neighbourhood = np.ones((1,) * (middle.ndim - 2) + (3, 3), dtype=bool)
    core = int(np.count_nonzero(binary_erosion(middle, neighbourhood)))
    visible = int(np.count_nonzero(grey > _MIDDLE[0]))
    if core > max(_MAX_CORE_FLOOR, _MAX_CORE_SHARE * visible):
        raise ValueError(
            f'the mask is not binary: {core} of {visible} visible pixels lie in grey '
            'areas, which compression does not make'
        )
    full = grey > 254.5
    black = grey < 0.5
    return BinaryMask(
        label=(grey > THRESHOLD).astype(np.uint8),
        in_between=int(mask.size - np.count_nonzero(full) - np.count_nonzero(black)),
        full=int(np.count_nonzero(full)),
    )
