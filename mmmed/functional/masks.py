"""Binary masks at the door: validation, spacing, bounding box.

Not here: what is measured on masks (``overlap``, ``surface``, ``components``).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[slice, ...]


def check_mask(mask: ArrayLike, name: str) -> NDArray[np.bool_]:
    """A boolean array of a mask that holds 0 and 1 only; a view where possible.

    Raises:
        ValueError: The mask holds another value; ``name`` is in the message.
    """
    array = np.asarray(mask)
    if array.dtype == np.bool_:
        return array
    if array.dtype == np.uint8 and (array.size == 0 or array.max() <= 1):
        return array.view(np.bool_)
    binary = array == 1
    wrong = ~binary & (array != 0)
    if wrong.any():
        raise ValueError(
            f'{name} holds {array[wrong].flat[0]!r}, expected a binary mask of 0 and '
            '1; compare with a label (seg == 1) or a threshold (prob > 0.5) first'
        )
    return binary


def check_mask_pair(
    pred: ArrayLike, target: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Both masks as boolean arrays of one shape.

    Raises:
        ValueError: As :func:`check_mask`, or the shapes differ.
    """
    pred_mask, target_mask = check_mask(pred, 'pred'), check_mask(target, 'target')
    if pred_mask.shape != target_mask.shape:
        raise ValueError(
            f'pred has shape {pred_mask.shape}, target {target_mask.shape}, expected '
            'the same; bring the prediction to the grid of the target first'
        )
    return pred_mask, target_mask


def check_spacing(spacing: Sequence[float], dimensions: int) -> tuple[float, ...]:
    """Spacing as floats, one finite length > 0 in mm per array axis.

    Raises:
        ValueError: Wrong number of lengths, or one that is not a length.
    """
    values = tuple(float(size) for size in spacing)
    if len(values) != dimensions or not all(0 < size < math.inf for size in values):
        raise ValueError(
            f'spacing is {values}, expected {dimensions} finite lengths > 0 in mm, '
            'one per array axis in array order'
        )
    return values


def find_box(mask: NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds every element of a mask; ``None`` for an empty one.

    Fast for any order of the axes in memory.
    """
    order = np.argsort([-abs(stride) for stride in mask.strides], kind='stable')
    box = _find_sorted_box(mask.transpose(order))
    if box is None:
        return None
    return tuple(box[place] for place in np.argsort(order))


def _find_sorted_box(mask: NDArray[np.bool_]) -> Box | None:
    """As find_box, for axes from the outermost in memory to the innermost."""
    held = np.flatnonzero(mask.any(axis=tuple(range(1, mask.ndim))))
    if not held.size:
        return None
    here = slice(int(held[0]), int(held[-1]) + 1)
    if mask.ndim == 1:
        return (here,)
    # The other axes need only the shadow along this one.
    rest = _find_sorted_box(np.asarray(mask[here].any(axis=0)))
    assert rest is not None
    return here, *rest
