"""Doubts about a result that follow from sizes alone: what a reader should check first.

Not here: decisions of gates; nothing is rejected or changed for a doubt.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Pixels of a network for cords are 0.5 to 1 mm.
_COARSE_MM = 1.5
# Cross sections of healthy cords, from conus to cervical enlargement, with room.
_AREA_MM2 = (15.0, 180.0)
_SHARE = 0.3


def list_doubts(
    cord: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    spacing: Sequence[float],
    plane: str,
) -> tuple[str, ...]:
    """What is unusual about masks of a series.

    Args:
        cord: Shape (S, H, W) of a stack.
        lesion: Likewise.
        spacing: (S, H, W) in mm.
        plane: Of the slices; rows of sagittal and coronal ones run along the cord.

    Returns:
        One sentence each: pixels too coarse for a cord, slices without cord between
        slices with cord, a cross section that no cord has, lesions that fill much of
        the cord. None for an empty cord but the first.
    """
    doubts = []
    pixel_mm = max(spacing[1:])
    if pixel_mm > _COARSE_MM:
        doubts.append(
            f'pixels of {pixel_mm:.2g} mm are coarse for a cord of about 10 mm'
        )
    if not cord.any():
        return tuple(doubts)
    filled = np.flatnonzero(cord.any(axis=(1, 2)))
    holes = int(filled[-1] - filled[0] + 1 - len(filled))
    if holes:
        doubts.append(f'{holes} slice(s) without cord between slices with cord')
    area_mm2 = measure_section(cord, spacing, plane)
    if not _AREA_MM2[0] <= area_mm2 <= _AREA_MM2[1]:
        doubts.append(
            f'median cross section of the cord is {area_mm2:.0f} mm2, expected '
            f'{_AREA_MM2[0]:.0f} to {_AREA_MM2[1]:.0f}'
        )
    share = np.count_nonzero(lesion) / np.count_nonzero(cord)
    if share > _SHARE:
        doubts.append(f'lesions are {share:.0%} of the volume of the cord')
    return tuple(doubts)


def measure_section(
    cord: NDArray[np.bool_], spacing: Sequence[float], plane: str
) -> float:
    """Median area in mm2 of the cord's sections at right angles to the body's axis.

    Args:
        cord: Shape (S, H, W), not empty.
        spacing: (S, H, W) in mm.
        plane: Of the slices.
    """
    along = 0 if plane == 'axial' else 1
    others = tuple(axis for axis in range(3) if axis != along)
    counts = np.count_nonzero(cord, axis=others)
    pixel_mm2 = float(np.prod([spacing[axis] for axis in others]))
    return float(np.median(counts[counts > 0]) * pixel_mm2)
