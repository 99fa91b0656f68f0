"""Boxes around a cord in slices: where to look, and when to look farther.

A box is rows and columns, (top, bottom, left, right), ends not included. Not here:
what is inside (networks), boxes of whole masks (``masks``).
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.components import label_components

Box = tuple[int, int, int, int]


def find_slice_box(mask: NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds a mask in every slice; None for an empty mask.

    Args:
        mask: Shape (N, H, W) or (H, W).

    Example:
        >>> find_slice_box(np.eye(3, dtype=bool)[1:])
        (0, 2, 1, 3)
    """
    shadow = np.asarray(mask.any(axis=0)) if mask.ndim == 3 else mask
    rows = np.flatnonzero(shadow.any(axis=1))
    columns = np.flatnonzero(shadow.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def join_boxes(boxes: Iterable[Box]) -> Box:
    """Smallest box that holds some boxes, at least one."""
    tops, bottoms, lefts, rights = zip(*boxes, strict=True)
    return min(tops), max(bottoms), min(lefts), max(rights)


def scale_box(box: Box, source: Sequence[int], target: Sequence[int]) -> Box:
    """The box of the same part of a slice on another grid, rounded outwards.

    Args:
        box: On the first grid.
        source: Its shape (H, W).
        target: Shape of the other.

    Example:
        >>> scale_box((1, 2, 0, 3), (4, 4), (10, 4))
        (2, 5, 0, 3)
    """
    down, across = target[0] / source[0], target[1] / source[1]
    top, bottom, left, right = box
    return (
        math.floor(top * down),
        math.ceil(bottom * down),
        math.floor(left * across),
        math.ceil(right * across),
    )


def widen_box(
    box: Box, shape: Sequence[int], *, margin: Sequence[int], divisor: int = 1
) -> Box:
    """A box with a margin, inside its slice, on the grid of a network's coarsest maps.

    Args:
        box: Inside the slice.
        shape: (H, W) of the slice.
        margin: Pixels above and below, and left and right, >= 0.
        divisor: Ends are multiples of it, or those of the slice, so that a network
            that halves its maps pools the pixels that it pools in the whole slice.

    Example:
        >>> widen_box((10, 20, 40, 44), (30, 60), margin=(4, 4), divisor=16)
        (0, 30, 32, 48)
    """
    top, bottom, left, right = box
    return (
        max(0, (top - margin[0]) // divisor * divisor),
        min(shape[0], -(-(bottom + margin[0]) // divisor) * divisor),
        max(0, (left - margin[1]) // divisor * divisor),
        min(shape[1], -(-(right + margin[1]) // divisor) * divisor),
    )


def grow_box(
    mask: NDArray[np.bool_],
    box: Box,
    shape: Sequence[int],
    *,
    margin: Sequence[int],
    divisor: int = 1,
) -> Box:
    """The box to look at next, where what was found goes on beyond the box.

    Args:
        mask: What was found in the box, shape (N, H', W') of the box.
        box: Inside the slice.
        shape: (H, W) of the slice.
        margin: As for :func:`widen_box`; at least one pixel counts.
        divisor: As for :func:`widen_box`.

    Returns:
        The same box where the mask touches no side but those of the slice; else
        one that is larger at the sides it touches.
    """
    top, bottom, left, right = box
    shadow = np.asarray(mask.any(axis=0))
    touched = (
        top > 0 and shadow[0].any(),
        bottom < shape[0] and shadow[-1].any(),
        left > 0 and shadow[:, 0].any(),
        right < shape[1] and shadow[:, -1].any(),
    )
    if not any(touched):
        return box
    step = max(1, margin[0]), max(1, margin[1])
    wide = widen_box(box, shape, margin=step, divisor=divisor)
    grown = [
        new if side else old for side, old, new in zip(touched, box, wide, strict=True)
    ]
    return grown[0], grown[1], grown[2], grown[3]


def keep_longest(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """The component that reaches farthest along the body, as a cord does.

    Corners connect; of equally long components the largest stays, of equals the first.

    Args:
        mask: Shape (S, H, W), or any of three axes.
        axis: The one that is most along the body.
    """
    labels, count = label_components(mask, connectivity=26)
    if count < 2:
        return mask
    boxes = ndimage.find_objects(labels)
    lengths = np.array([box[axis].stop - box[axis].start for box in boxes])
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    best = int(np.lexsort((-sizes, -lengths))[0])
    return np.asarray(labels == 1 + best)
