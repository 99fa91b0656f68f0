"""Applying records of cord lesions to an image, or to any box of one.

Not here: drawing them (``cord_drawing``), their shape (``cord_shape``).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import check_spacing
from mmmed.synthesis.cord_records import CordLesionRecord
from mmmed.synthesis.cord_shape import clip_box, measure_coverage

# What differs from the cord by more deviations than this is not all cord but water or
# a vessel beside it. It is not cord at all where it differs by a further cord's worth.
_GRAIN_LIMIT = 2.5


class CordSynthesis(NamedTuple):
    """What comes of applying.

    Attributes:
        image: As given, of the same type; a copy.
        label: 1 where a lesion fills at least half of a voxel of the cord, uint8: the
            union of all lesions.
        voxels: Voxels that each lesion labels in this box.
    """

    image: NDArray
    label: NDArray[np.uint8]
    voxels: tuple[int, ...]


def apply_cord_lesions(
    image: NDArray,
    cord: NDArray,
    lesions: Sequence[CordLesionRecord],
    spacing: Sequence[float],
    *,
    origin: Sequence[int] = (0, 0, 0),
    grey_scale: float = 1.0,
) -> CordSynthesis:
    """Put lesions into the cord.

    The signal of the cord becomes ``ratio`` times what it is around, its grain stays;
    the border is as soft as the scan. A voxel of the mask that is partly water changes
    in part, one that is water does not, and nothing outside the mask does. Applied to a
    part of the volume the values are those of the whole, bit for bit.

    Args:
        image: (Z, Y, X), integer or floating; a box of the volume of the records.
        cord: Mask of the same box, not 0 in the cord.
        lesions: Records; the union of all is labelled.
        spacing: (Z, Y, X) of the volume in mm.
        origin: Index of the first voxel of the box in the volume.
        grey_scale: Grey values of ``image`` over those that the records were drawn
            on, > 0; 1/257 for 8 bits of a volume of 16.

    Raises:
        ValueError: Shapes differ, or a number is out of range.
    """
    mm = check_spacing(spacing, 3)
    if image.ndim != 3 or cord.shape != image.shape or len(origin) != 3:
        raise ValueError(
            f'image has shape {image.shape}, cord {cord.shape}, origin {origin}; '
            'expected two equal shapes (Z, Y, X) and three indices'
        )
    if not (math.isfinite(grey_scale) and grey_scale > 0):
        raise ValueError(f'grey_scale is {grey_scale}, expected > 0')
    result = image.copy()
    label = np.zeros(image.shape, np.uint8)
    whole = [slice(o, o + n) for o, n in zip(origin, image.shape, strict=True)]
    voxels = []
    for lesion in lesions:
        voxels.append(0)
        box = clip_box(lesion, mm, whole)
        if box is None:
            continue
        z, y, x = (
            slice(part.start - o, part.stop - o)
            for part, o in zip(box, origin, strict=True)
        )
        inside = cord[z, y, x] != 0
        if not inside.any():
            continue
        share, noise = measure_coverage(lesion, mm, box)
        share = np.where(inside, share, 0.0)
        _blend(result[z, y, x], share, noise, lesion, grey_scale)
        filled = share >= 0.5
        label[z, y, x] |= filled
        voxels[-1] = int(np.count_nonzero(filled))
    return CordSynthesis(result, label, tuple(voxels))


def _blend(
    image: NDArray,
    share: NDArray[np.float64],
    noise: NDArray[np.float64],
    lesion: CordLesionRecord,
    grey_scale: float,
) -> None:
    """Mix a lesion into an image, in place."""
    grey = lesion.cord_grey * grey_scale
    limit = _GRAIN_LIMIT * lesion.cord_spread * grey_scale
    contrast = (lesion.ratio - 1) * (1 + lesion.texture * noise)
    before = image.astype(np.float64)
    other = np.clip((np.abs(before - grey) - limit) / grey, 0, 1)
    after = before + share * (1 - other) * contrast * grey
    # No grey value falls below 0 that was not there before.
    after = np.maximum(after, np.minimum(before, 0))
    if image.dtype.kind in 'iu':
        limits = np.iinfo(image.dtype)
        after = np.clip(np.rint(after), limits.min, limits.max)
    # Where there is no lesion, not even rounding may change a value.
    np.copyto(image, after.astype(image.dtype), where=share > 0)
