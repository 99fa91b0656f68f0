"""Segmentation of lesions around a cord; what lies outside is counted and removed.

Not here: measuring lesions (``lesion_analysis``), records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.components import label_components, remove_small
from mmmed.functional.cord_region import find_slice_box, scale_box, widen_box
from mmmed.functional.masks import find_box
from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.settings import LesionSegmentationSettings

# As lesions are counted when they are measured.
_CONNECTIVITY = 18


@dataclass(frozen=True, eq=False)
class LesionFinding:
    """Lesions of a series.

    Args:
        mask: Shape (S, H, W) of the stack.
        prob: Probability of lesion, likewise, float32; 0 where nobody looked.
        outside_voxels: Voxels above the threshold that were removed because they lie
            outside the cord.
        outside_components: Components that lie outside it entirely.
        small_voxels: Voxels of lesions that were removed because they are small.
        pixels: Pixels that went through the network.
    """

    mask: NDArray[np.bool_]
    prob: NDArray[np.float32]
    outside_voxels: int
    outside_components: int
    small_voxels: int
    pixels: int


def segment_lesions(
    grid: FineGrid,
    cord: NDArray[np.bool_],
    predict: Callable[[NDArray], NDArray[np.float32]],
    settings: LesionSegmentationSettings,
    *,
    threshold: float = 0.5,
    margin_mm: float = 12.0,
    slices: Sequence[int] | None = None,
    group_size: int = 8,
) -> LesionFinding:
    """Find lesions in and next to the cord.

    Args:
        grid: The series on the pixels of the network.
        cord: Shape (S, H, W) of the stack.
        predict: From greys (N, H', W') to probabilities.
        settings: Post-processing.
        threshold: Probability that a voxel of a lesion must exceed.
        margin_mm: Around the cord, in the plane of the slices.
        slices: Look at all of these slices, not at the cord alone.
        group_size: Neighbouring slices that share a box.
    """
    prob = np.zeros(cord.shape, np.float32)
    pixels = 0
    looked = np.flatnonzero(cord.any(axis=(1, 2))) if slices is None else slices
    chosen = [int(index) for index in looked]
    margin = grid.count_pixels(margin_mm)
    for start in range(0, len(chosen), group_size):
        group = chosen[start : start + group_size]
        box = grid.whole
        if slices is None:
            inner = find_slice_box(cord[group])
            assert inner is not None
            box = widen_box(
                scale_box(inner, cord.shape[1:], grid.shape),
                grid.shape,
                margin=margin,
                divisor=grid.divisor,
            )
        img = grid.take(group, box)
        pixels += img.size
        prob[group] = grid.restore(predict(img), box)
    raw = prob > threshold
    if not settings.post_process:
        return LesionFinding(raw, prob, 0, 0, 0, pixels)
    near = widen_mask(cord, grid.grey.stack.spacing, settings.cord_margin_mm)
    inside = raw & near
    mask = remove_small(
        inside, min_elements=settings.min_lesion_size, connectivity=_CONNECTIVITY
    )
    return LesionFinding(
        mask=mask,
        prob=prob,
        outside_voxels=int(np.count_nonzero(raw & ~near)),
        outside_components=_count_outside(raw, near),
        small_voxels=int(np.count_nonzero(inside)) - int(np.count_nonzero(mask)),
        pixels=pixels,
    )


def widen_mask(
    mask: NDArray[np.bool_], spacing: Sequence[float], margin_mm: float
) -> NDArray[np.bool_]:
    """A mask and everything within a distance of its voxels' centres.

    Args:
        mask: Shape (S, H, W).
        spacing: In mm.
        margin_mm: In mm, >= 0.
    """
    box = find_box(mask)
    if box is None or margin_mm <= 0:
        return mask
    room = [int(np.ceil(margin_mm / mm)) for mm in spacing]
    part = tuple(
        slice(max(0, side.start - n), side.stop + n)
        for side, n in zip(box, room, strict=True)
    )
    distance = ndimage.distance_transform_edt(~mask[part], sampling=tuple(spacing))
    wide = np.zeros_like(mask)
    # Spacings of files are float32: a voxel at the distance itself is inside.
    wide[part] = distance <= margin_mm * (1 + 1e-6)
    return wide


def _count_outside(raw: NDArray[np.bool_], near: NDArray[np.bool_]) -> int:
    """Components of which no voxel is near the cord."""
    labels, count = label_components(raw, connectivity=_CONNECTIVITY)
    return count - len(np.unique(labels[raw & near]))
