"""Segmentation of the cord: a coarse look finds where, a fine one says what.

Where the fine mask touches the box that was looked at, the box grows, and where it
reaches the last slice, so do the slices: what the coarse look missed is found. If there
is no cord where it pointed to, the fine look is everywhere. Not here: records and
lesions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.cord_region import (
    Box,
    find_slice_box,
    grow_box,
    join_boxes,
    keep_longest,
    scale_box,
    widen_box,
)
from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.settings import CordSegmentationSettings

# The coarse look misses no cord between two slices this far apart.
_COARSE_STEP_MM = 4.0
# Slices of the published work; min_area counts pixels of these.
_PUBLISHED_PIXELS = 320 * 320
# An axial slice cuts across a cord that the others show along its length.
_AXIAL_SHARE = 0.1

Predict = Callable[[NDArray], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class CordFinding:
    """Where the cord is.

    Args:
        mask: Shape (S, H, W) of the stack.
        pixels: Pixels that went through the network.
        whole_pixels: Pixels that would have without a crop.
        slices: Numbers of the slices that the fine look saw.
    """

    mask: NDArray[np.bool_]
    pixels: int
    whole_pixels: int
    slices: tuple[int, ...]


def segment_cord(
    grid: FineGrid,
    kept: Sequence[int],
    predict: Predict,
    settings: CordSegmentationSettings,
    *,
    min_area: int = 0,
    group_size: int = 8,
) -> CordFinding:
    """Find and outline the cord.

    Args:
        grid: The series on the pixels of the network.
        kept: Numbers of neighbouring slices to look at.
        predict: From greys (N, H', W') to probabilities.
        settings: Thresholds, crop and post-processing.
        min_area: See :func:`clean_cord`.
        group_size: Neighbouring slices that share a box.

    Returns:
        The finding; an empty mask if no probability exceeds the threshold.
    """
    stack = grid.grey.stack
    mask = np.zeros(stack.img.shape, np.bool_)
    seen: list[int] = []
    counter = _Counter(predict)
    plan = _plan(grid, kept, counter, settings, group_size)
    for slices, box, prob in _look(grid, plan, counter, settings):
        mask[slices] = grid.restore(prob, box) > settings.threshold
        seen.extend(slices)
    if settings.post_process:
        mask = clean_cord(mask, stack.plane, min_area)
    if not (plan.is_whole or mask.any()):
        # The coarse look was wrong: a network may know nothing of coarse pixels.
        everywhere = replace(settings, use_crop=False)
        found = segment_cord(
            grid, kept, counter, everywhere, min_area=min_area, group_size=group_size
        )
        return replace(found, pixels=counter.pixels)
    whole = len(kept) * grid.shape[0] * grid.shape[1]
    return CordFinding(mask, counter.pixels, whole, tuple(sorted(seen)))


def clean_cord(mask: NDArray[np.bool_], plane: str, min_area: int) -> NDArray[np.bool_]:
    """A cord in one piece, without holes, and without slices that show next to none.

    Args:
        mask: Shape (S, H, W).
        plane: Of the slices.
        min_area: Pixels of a slice of 320 x 320; smaller slices need proportionally
            fewer, and axial ones, which cut across the cord, a tenth.

    Returns:
        A new mask: the longest component, holes filled slice by slice.
    """
    if not mask.any():
        return mask
    mask = keep_longest(mask, _get_body_axis(plane)).copy()
    share = _AXIAL_SHARE if plane == 'axial' else 1.0
    least = min_area * share * mask[0].size / _PUBLISHED_PIXELS
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        top, bottom, left, right = find_slice_box(mask[index]) or (0, 0, 0, 0)
        part = mask[index, top:bottom, left:right]
        part[...] = ndimage.binary_fill_holes(part)
        if part.sum() < least:
            part[...] = False
    return mask


@dataclass
class _Plan:
    """Groups of neighbouring slices in order, and the boxes to begin with.

    ``is_whole``: those are whole slices, and nothing is left out.
    """

    groups: list[list[int]]
    boxes: dict[int, Box]
    is_whole: bool = False


class _Counter:
    """A network that counts the pixels it saw."""

    def __init__(self, predict: Predict) -> None:
        self.predict = predict
        self.pixels = 0

    def __call__(self, img: NDArray) -> NDArray[np.float32]:
        self.pixels += img.size
        return self.predict(img)


def _plan(
    grid: FineGrid,
    kept: Sequence[int],
    predict: Predict,
    settings: CordSegmentationSettings,
    group_size: int,
) -> _Plan:
    """Where the fine look begins: everywhere, if the coarse one found nothing."""
    kept = [int(index) for index in kept]
    found: dict[int, Box] = {}
    step = max(1, int(_COARSE_STEP_MM / grid.grey.stack.spacing[0]))
    step = min(step, settings.coarse_step)
    is_large = grid.shape[0] * grid.shape[1] > settings.min_crop_pixels
    if settings.use_crop and is_large:
        found = _locate(grid, kept, predict, settings, step)
    if not found:
        groups = _split(kept, group_size)
        boxes = dict.fromkeys(range(len(groups)), grid.whole)
        return _Plan(groups, boxes, is_whole=True)
    first, last = min(found) - step + 1, max(found) + step - 1
    before = [index for index in kept if index < first]
    inside = [index for index in kept if first <= index <= last]
    after = [index for index in kept if index > last]
    groups = [
        # Backwards, so that the short group is the farthest.
        *(part[::-1] for part in _split(before[::-1], group_size)[::-1]),
        *_split(inside, group_size),
        *_split(after, group_size),
    ]
    margin = grid.count_pixels(settings.margin_mm)
    boxes = {}
    for number, group in enumerate(groups):
        if not first <= group[0] <= last:
            continue
        near = [b for i, b in found.items() if group[0] - step <= i <= group[-1] + step]
        box = join_boxes(near or found.values())
        boxes[number] = widen_box(box, grid.shape, margin=margin, divisor=grid.divisor)
    return _Plan(groups, boxes)


def _locate(
    grid: FineGrid,
    kept: list[int],
    predict: Predict,
    settings: CordSegmentationSettings,
    step: int,
) -> dict[int, Box]:
    """Boxes of the cord in some slices, on the fine grid, from a coarse look."""
    sampled = kept[(len(kept) - 1) % step // 2 :: step]
    prob = predict(grid.take_coarse(sampled, settings.coarse_factor))
    mask = prob > settings.threshold
    if not mask.any():
        return {}
    mask = keep_longest(mask, _get_body_axis(grid.grey.stack.plane))
    boxes = {}
    for index, part in zip(sampled, mask, strict=True):
        box = find_slice_box(part)
        if box is not None:
            boxes[index] = scale_box(box, part.shape, grid.shape)
    return boxes


def _look(
    grid: FineGrid, plan: _Plan, predict: Predict, settings: CordSegmentationSettings
) -> list[tuple[list[int], Box, NDArray[np.float32]]]:
    """Probabilities of each group that has a box, or gets one from its neighbour."""
    margin = grid.count_pixels(settings.margin_mm)
    axis = _get_body_axis(grid.grey.stack.plane)
    pending, boxes = sorted(plan.boxes), dict(plan.boxes)
    found = []
    while pending:
        number = pending.pop(0)
        group, box = plan.groups[number], boxes[number]
        while True:
            prob = predict(grid.take(group, box))
            mask = prob > settings.threshold
            grown = grow_box(
                keep_longest(mask, axis),
                box,
                grid.shape,
                margin=margin,
                divisor=grid.divisor,
            )
            if grown == box:
                break
            box = grown
        found.append((group, box, prob))
        for neighbor, facing in ((number - 1, mask[0]), (number + 1, mask[-1])):
            known = neighbor in boxes or not 0 <= neighbor < len(plan.groups)
            if not known and facing.any():
                boxes[neighbor] = box
                pending.append(neighbor)
    return found


def _get_body_axis(plane: str) -> int:
    """Axis of a stack (S, H, W) from foot to head: across axial slices, or the rows."""
    return 0 if plane == 'axial' else 1


def _split(slices: list[int], size: int) -> list[list[int]]:
    """Parts of at most ``size``."""
    return [slices[start : start + size] for start in range(0, len(slices), size)]
