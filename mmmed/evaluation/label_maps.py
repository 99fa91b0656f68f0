"""Label maps of any source as masks: which values occur, where, and as booleans.

Not here: reading files (``mmmed.io``), scoring (``case_scores``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.evaluation.score_options import MAX_LABEL
from mmmed.functional.masks import Box, find_box
from mmmed.structures import Volume


class LabelMap:
    """The structures of one volume, each found once.

    Args:
        volume: Labels (Z, Y, X): integers, booleans or whole numbers stored as
            floats; or one channel per segment of a DICOM-SEG whose segments overlap.

    Raises:
        ValueError: Fractions (probabilities), values outside 0 to ``MAX_LABEL``, or
            channels that are not segments.
    """

    def __init__(self, volume: Volume) -> None:
        self.shape = volume.shape
        self._array: NDArray[Any] | None = None
        self._channels: dict[int, NDArray[np.bool_]] = {}
        self._boxes: dict[int, Box] = {}
        segments = getattr(getattr(volume.source, 'header', None), 'segments', None)
        array = volume.array
        if array.ndim == 4 and segments and array.dtype.kind in 'bu':
            for segment, channel in zip(segments, array, strict=True):
                self._add_channel(int(segment.number), channel > 0)
            return
        self._array = _check_values(_drop_channels(array))
        for value, box in enumerate(ndimage.find_objects(self._array), start=1):
            if box is not None:
                self._boxes[value] = box

    def _add_channel(self, value: int, mask: NDArray[np.bool_]) -> None:
        box = find_box(mask)
        if box is not None:
            self._channels[value] = mask
            self._boxes[value] = box

    @property
    def values(self) -> tuple[int, ...]:
        """Labels that occur, in rising order, without 0."""
        return tuple(sorted(self._boxes))

    def find_boxes(self, values: Iterable[int]) -> list[Box]:
        """Smallest box of each of these labels that occurs."""
        return [self._boxes[value] for value in values if value in self._boxes]

    def crop_mask(self, values: Sequence[int], box: Box) -> NDArray[np.bool_]:
        """Where any of these labels is, in a box; a new array."""
        mask = np.zeros([side.stop - side.start for side in box], np.bool_)
        for value in values:
            if value not in self._boxes:
                continue
            if self._array is None:
                mask |= self._channels[value][box]
            else:
                mask |= self._array[box] == value
        return mask


def unite_boxes(boxes: Sequence[Box]) -> Box:
    """Smallest box that holds all; an empty one at the origin if there are none."""
    if not boxes:
        return (slice(0, 0),) * 3
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )


def _drop_channels(array: NDArray[Any]) -> NDArray[Any]:
    """One channel, if there are several that agree (grey stored as colours)."""
    if array.ndim == 3:
        return array
    if any(not np.array_equal(array[0], channel) for channel in array[1:]):
        raise ValueError(
            f'{len(array)} channels of different values, expected one label per '
            'voxel; choose a channel, or merge them into a label map'
        )
    return array[0]


def _check_values(array: NDArray[Any]) -> NDArray[Any]:
    """Integers from 0 to MAX_LABEL."""
    if array.dtype.kind == 'b':
        return array.view(np.uint8)
    low, high = array.min(), array.max()
    if not 0 <= low <= high <= MAX_LABEL:
        raise ValueError(
            f'values from {low} to {high}, expected labels from 0 to {MAX_LABEL}; is '
            'this an image, not a mask?'
        )
    if array.dtype.kind != 'f':
        return array if array.dtype.itemsize < 8 else array.astype(np.int32)
    labels = array.astype(np.int32)
    wrong = labels != array
    if wrong.any():
        raise ValueError(
            f'value {array[wrong].flat[0]}, expected whole numbers; threshold '
            'probabilities, or take the arg-max, first'
        )
    return labels
