"""Applying records of cord lesions to an image, or to any box of one.

Not here: drawing them (``cord_drawing``), their shape (``cord_shape``).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import Box, check_spacing
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
    whole = tuple(slice(o, o + n) for o, n in zip(origin, image.shape, strict=True))
    boxes = [clip_box(lesion, mm, whole) for lesion in lesions]
    hull = _join_boxes([box for box in boxes if box is not None])
    result, label = image.copy(), np.zeros(image.shape, np.uint8)
    voxels = [0] * len(boxes)
    if hull is None:
        return CordSynthesis(result, label, tuple(voxels))
    view = _shift(hull, origin)
    before, mask = image[view].astype(np.float64), cord[view] != 0
    change = np.zeros(before.shape)
    for number, (lesion, box) in enumerate(zip(lesions, boxes, strict=True)):
        if box is None:
            continue
        part = _shift(box, [side.start for side in hull])
        if not mask[part].any():
            continue
        share, noise = measure_coverage(lesion, mm, box)
        share = np.where(mask[part], share, 0.0)
        own = _measure_change(before[part], share, noise, lesion, grey_scale)
        # Where lesions overlap the stronger one shows, in whatever order they come.
        kept = change[part]
        np.copyto(kept, own, where=np.abs(own) > np.abs(kept))
        filled = share >= 0.5
        label[_shift(box, origin)] |= filled
        voxels[number] = int(np.count_nonzero(filled))
    _add_change(result[view], before, change)
    return CordSynthesis(result, label, tuple(voxels))


def _join_boxes(boxes: Sequence[Box]) -> Box | None:
    """Smallest box around all; None for none."""
    if not boxes:
        return None
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )


def _shift(box: Box, origin: Sequence[int]) -> Box:
    """A box of the volume as one of an array that begins at ``origin``."""
    return tuple(
        slice(side.start - first, side.stop - first)
        for side, first in zip(box, origin, strict=True)
    )


def _measure_change(
    before: NDArray[np.float64],
    share: NDArray[np.float64],
    noise: NDArray[np.float64],
    lesion: CordLesionRecord,
    grey_scale: float,
) -> NDArray[np.float64]:
    """What a lesion adds to each grey value."""
    grey = lesion.cord_grey * grey_scale
    limit = _GRAIN_LIMIT * lesion.cord_spread * grey_scale
    contrast = (lesion.ratio - 1) * (1 + lesion.texture * noise)
    other = np.clip((np.abs(before - grey) - limit) / grey, 0, 1)
    return np.asarray(share * (1 - other) * contrast * grey)


def _add_change(
    image: NDArray, before: NDArray[np.float64], change: NDArray[np.float64]
) -> None:
    """Add to an image of any type, in place."""
    # No grey value falls below 0 that was not there before.
    after = np.maximum(before + change, np.minimum(before, 0))
    if image.dtype.kind in 'iu':
        limits = np.iinfo(image.dtype)
        after = np.clip(np.rint(after), limits.min, limits.max)
    # Where there is no lesion, not even rounding may change a value.
    np.copyto(image, after.astype(image.dtype), where=change != 0)
