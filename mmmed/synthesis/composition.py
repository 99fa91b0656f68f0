"""Composition: the change of intensity that makes a lesion of a soft mask.

The change is ``base + amplitude * gain``; base holds what does not scale with the
contrast (capsule, necrosis, replaced and displaced tissue), and the amplitude is chosen
so that the mean over the lesion's label is the record's ``delta_hu``. Not here: shape
and texture, or which voxel belongs to which lesion (``applying``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from mmmed.functional.masks import Box
from mmmed.synthesis.records import LesionRecord
from mmmed.synthesis.shape import (
    EDGE_SUPPORT,
    LesionFrame,
    build_frames,
    evaluate_shapes,
    find_lesion_boxes,
    soften,
)
from mmmed.synthesis.texture import evaluate_grain, evaluate_modulation

# The published reach of the mass effect, in radii.
MASS_EFFECT_REACH = 1.3
# The modulation never turns the contrast round or doubles it.
_LEAST_GAIN, _MOST_GAIN = 0.4, 1.6
_MOST_TEXTURE_DEVIATION = 0.5
# Voxels of lesions that are evaluated together: what a cache holds, and what a GPU
# needs to have enough to do.
_BATCH, _BATCH_GPU = 2**17, 2**23
# Voxels that take as long as the calls for one more batch.
_CALL = 2**13


@dataclass
class LesionLayer:
    """One lesion evaluated on the voxels of a box.

    Args:
        lesion: The record.
        frame: Its control points.
        box: In the array that is changed.
        grid_box: The same voxels as indices of the whole volume.
        weight: Soft mask, 0 outside the organ.
        label: Lesion voxels, where the weight is 0.5 or more.
        rho: Relative radius, 1 on the surface.
        organ: Organ voxels.
    """

    lesion: LesionRecord
    frame: LesionFrame
    box: Box
    grid_box: Box
    weight: Tensor
    label: Tensor
    rho: Tensor
    organ: Tensor


def build_layers(
    lesions: Sequence[LesionRecord],
    organ: Tensor,
    spacing: Sequence[float],
    origin: Sequence[int],
) -> list[LesionLayer | None]:
    """Soft masks and labels of lesions; ``None`` for one that misses the array.

    Lesions of about one size are evaluated together: a tiny one takes longer to call
    than to reckon.

    Args:
        lesions: The records.
        organ: Where the array that is changed may change, (Z, Y, X) boolean.
        spacing: (Z, Y, X) in mm.
        origin: Index of the array's first voxel in the volume of the records.
    """
    layers: list[LesionLayer | None] = [None] * len(lesions)
    if not lesions:
        return layers
    frames = build_frames(lesions)
    margins = [_find_margin(one) for one in lesions]
    boxes = find_lesion_boxes(lesions, frames, spacing, margins)
    starts = np.maximum(boxes[:, 0], origin)
    stops = np.minimum(boxes[:, 1], np.add(origin, organ.shape))
    most = _BATCH if organ.device.type == 'cpu' else _BATCH_GPU
    for some in batch_boxes(stops - starts, most):
        size = (stops[some] - starts[some]).max(axis=0).tolist()
        few = [lesions[i] for i in some]
        depth, rho = evaluate_shapes(
            few, frames.pick(some), spacing, starts[some], size, organ.device
        )
        edges = torch.tensor([one.edge_mm for one in few], device=organ.device)
        weight = soften(depth, edges[:, None, None, None])
        for place, index in enumerate(some):
            layers[index] = _cut_layer(
                lesions[index], frames.pick(index), organ, weight[place], rho[place],
                starts[index].tolist(), stops[index].tolist(), origin,
            )  # fmt: skip
    return layers


def _cut_layer(
    lesion: LesionRecord,
    frame: LesionFrame,
    organ: Tensor,
    weight: Tensor,
    rho: Tensor,
    start: Sequence[int],
    stop: Sequence[int],
    origin: Sequence[int],
) -> LesionLayer:
    """One lesion of a batch in its own box."""
    grid_box, box, own = [], [], []
    for first, end, at in zip(start, stop, origin, strict=True):
        grid_box.append(slice(first, end))
        box.append(slice(first - at, end - at))
        own.append(slice(0, end - first))
    inside = organ[tuple(box)]
    if lesion.mass_effect > 0:
        inside = inside.clone()  # lesions nearby are taken from it
    # The product is dense: sums over it do not depend on the batch.
    part = weight[tuple(own)] * inside
    return LesionLayer(
        lesion, frame, tuple(box), tuple(grid_box), part, part >= 0.5,
        rho[tuple(own)], inside,
    )  # fmt: skip


def batch_boxes(sizes: NDArray[np.int64], most: int) -> list[list[int]]:
    """Indices of boxes that are evaluated together; empty boxes are left out.

    Args:
        sizes: (n, 3).
        most: Voxels of a batch, where it has more than one box.

    Returns:
        Batches of similar sizes: what is wasted on bringing boxes to the same size
        costs less than calls of their own.
    """
    order = np.argsort(sizes.prod(axis=1), kind='stable')
    batches: list[list[int]] = []
    joint, held = np.zeros(3, np.int64), 0
    for index in order.tolist():
        size = sizes[index]
        if (size <= 0).any():
            continue
        voxels = int(size.prod())
        wider = np.maximum(joint, size)
        total = int(wider.prod()) * (len(batches[-1]) + 1) if batches else 0
        if batches and total <= min(most, held + voxels + _CALL * len(batches[-1])):
            batches[-1].append(index)
            joint, held = wider, held + voxels
        else:
            batches.append([index])
            joint, held = size, voxels
    return batches


def _find_margin(lesion: LesionRecord) -> float:
    """How far around its surface a lesion changes the image, in mm."""
    margin = EDGE_SUPPORT * lesion.edge_mm
    if lesion.mass_effect > 0:
        margin = max(margin, (MASS_EFFECT_REACH - 1) * max(lesion.radii_mm))
    return margin


def compose_layer(
    layer: LesionLayer, image: Tensor, spacing: Sequence[float]
) -> tuple[Tensor, Any]:
    """Change of intensity of one lesion, and how many voxels it has.

    Args:
        layer: Soft mask and label.
        image: The image before any lesion, the box of the layer.
        spacing: (Z, Y, X) in mm.

    Returns:
        The change, float32 (Z, Y, X) over the box: 0 outside the organ and where there
        is no lesion voxel at all; its mean over the layer's label is ``delta_hu``. The
        number may still be on the device.
    """
    lesion = layer.lesion
    base, gain = _compose_parts(layer, image, spacing)
    count = _count(layer.label)
    missing = lesion.delta_hu * count
    if base is not None:
        base.mul_(count > 0)
        missing = missing - _sum(base * layer.label)
    # Without a voxel both are 0, and so is the amplitude.
    reached = _sum(gain * layer.label) + (count == 0)
    change = gain.mul_(missing / reached)
    return change if base is None else change.add_(base), count


def _compose_parts(
    layer: LesionLayer, image: Tensor, spacing: Sequence[float]
) -> tuple[Tensor | None, Tensor]:
    """What is added anyway, or ``None``, and what is multiplied by the contrast."""
    lesion, weight = layer.lesion, layer.weight
    modulation = None
    # Between two knots there is next to nothing to see, and the mean is set anyway.
    has_room = 2 * lesion.radius_mm > lesion.texture_mm
    has_texture = lesion.texture_deviation > 0 and has_room
    if has_texture or lesion.necrosis_share or lesion.capsule_hu:
        modulation = evaluate_modulation(
            lesion, layer.frame, spacing, layer.grid_box, weight.device
        )
    base = None
    if lesion.composition == 'replace' or lesion.mass_effect > 0:
        base = _replace_tissue(layer, image.float(), spacing)
    if lesion.capsule_hu != 0:
        # Highest on the surface, where the weight is 0.5; thicker here than there.
        shell = (1 - weight).mul_(weight).mul_(4)
        if modulation is not None:
            shell.mul_((0.4 * modulation).add_(1).clamp_(0, 2))
        shell.mul_(lesion.capsule_hu)
        base = shell if base is None else base.add_(shell)
    if lesion.necrosis_share > 0 and modulation is not None:
        core = _build_core(layer, modulation)
        base = core if base is None else base.add_(core)
    if modulation is None or not has_texture:
        return base, weight.clone()
    deviation = min(lesion.texture_deviation, _MOST_TEXTURE_DEVIATION)
    gain = modulation.mul_(deviation).add_(1).clamp_(_LEAST_GAIN, _MOST_GAIN)
    return base, gain.mul_(weight)


def _replace_tissue(
    layer: LesionLayer, image: Tensor, spacing: Sequence[float]
) -> Tensor:
    """Change to displaced surroundings, and inside to a tissue with its own grain."""
    lesion = layer.lesion
    source = image
    if lesion.mass_effect > 0:
        source = warp_surroundings(layer, image, spacing)
    change = source - image
    if lesion.composition == 'replace':
        tissue = lesion.tissue_hu - source
        if lesion.grain_hu > 0:
            grain = evaluate_grain(lesion, layer.grid_box, image.device)
            tissue.add_(grain, alpha=lesion.grain_hu)
        change.add_(tissue.mul_(layer.weight))
    # A voxel that is not finite must not decide the contrast of the others.
    return torch.where(layer.organ & change.isfinite(), change, 0.0)


def _build_core(layer: LesionLayer, modulation: Tensor) -> Tensor:
    """Change of the necrotic core, whose border follows the texture."""
    lesion = layer.lesion
    ragged = (0.2 * modulation).add_(1).mul_(layer.rho)
    depth = (lesion.necrosis_share - ragged).mul_(lesion.radius_mm)
    core = soften(depth, 1.5 * lesion.edge_mm)
    return core.mul_(layer.weight).mul_(lesion.necrosis_hu)


def warp_surroundings(
    layer: LesionLayer, image: Tensor, spacing: Sequence[float]
) -> Tensor:
    """Tissue around a lesion pushed outwards, up to 1.3 radii; the organ's wall stays.

    The voxel at relative radius rho shows what was at ``k * rho``, with k = 1 -
    strength * (1 - q)^2, where q runs from 0 on the surface to 1 at 1.3 radii. The
    published formula counts q from the centre, which leaves 1.6 % of the displacement
    on the surface: nothing to be seen outside a lesion that replaces the tissue.
    """
    lesion = layer.lesion
    inside = (layer.rho < MASS_EFFECT_REACH) & layer.organ
    index = inside.nonzero()  # (n, 3)
    if not len(index):
        return image
    span = MASS_EFFECT_REACH - 1
    q = ((layer.rho[inside] - 1) / span).clamp_(0, 1)
    scale = 1 - lesion.mass_effect * (1 - q).square_()
    center = torch.tensor(
        [
            c / s - part.start
            for c, s, part in zip(
                lesion.center_mm, spacing, layer.grid_box, strict=True
            )
        ],
        dtype=torch.float32,
    ).to(image.device)
    source = (index - center).mul_(scale[:, None]).add_(center)
    size = torch.tensor(image.shape, dtype=torch.float32).to(image.device)
    # grid_sample counts from -1 to 1 between the outer sides, in the order X, Y, Z.
    grid = ((2 * source + 1) / size - 1).flip(1)
    values = grid_sample(
        image[None, None],
        grid[None, None, None],
        padding_mode='border',
        align_corners=False,
    )
    warped = image.clone()
    warped[inside] = values.view(-1)
    return warped


def _count(mask: Tensor) -> Any:
    """Voxels of a mask."""
    if mask.device.type == 'cpu':
        return np.count_nonzero(mask.numpy())
    return mask.sum()


def _sum(values: Tensor) -> Any:
    """Sum that does not depend on the number of threads; on a GPU a float64 scalar.

    torch divides a sum among threads, so that its last bits would tell how many.
    Reading the number from a GPU would wait for all of its work.
    """
    if values.device.type == 'cpu':
        return float(values.numpy().sum())
    return values.sum(dtype=torch.float64)
