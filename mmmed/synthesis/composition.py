"""Composition: the change of intensity that makes a lesion of a soft mask.

The change is ``base + amplitude * gain``; base holds what does not scale with the
contrast (capsule, necrosis, replaced and displaced tissue), and the amplitude is chosen
so that the mean over the lesion's label is the record's ``delta_hu``. Not here: shape
and texture, or which voxel belongs to which lesion (``applying``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from mmmed.functional.masks import Box
from mmmed.synthesis.records import LesionRecord
from mmmed.synthesis.shape import (
    EDGE_SUPPORT,
    LesionFrame,
    build_frame,
    evaluate_shape,
    find_lesion_box,
    soften,
)
from mmmed.synthesis.texture import evaluate_grain, evaluate_modulation

# The published reach of the mass effect, in radii.
MASS_EFFECT_REACH = 1.3
# The modulation never turns the contrast round or doubles it.
_LEAST_GAIN, _MOST_GAIN = 0.4, 1.6
_MOST_TEXTURE_DEVIATION = 0.5


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
        depth_mm: Below the surface.
        rho: Relative radius, 1 on the surface.
        organ: Organ voxels.
    """

    lesion: LesionRecord
    frame: LesionFrame
    box: Box
    grid_box: Box
    weight: Tensor
    label: Tensor
    depth_mm: Tensor
    rho: Tensor
    organ: Tensor


def build_layer(
    lesion: LesionRecord,
    organ_mask: Tensor,
    spacing: Sequence[float],
    origin: Sequence[int],
) -> LesionLayer | None:
    """Soft mask and label of a lesion; ``None`` if it does not reach the array.

    Args:
        lesion: The record.
        organ_mask: Array that is changed, (Z, Y, X) integer; 1 is organ.
        spacing: (Z, Y, X) in mm.
        origin: Index of the array's first voxel in the volume of the record.
    """
    margin = EDGE_SUPPORT * lesion.edge_mm
    if lesion.mass_effect > 0:
        margin = max(margin, (MASS_EFFECT_REACH - 1) * max(lesion.radii_mm))
    frame = build_frame(lesion)
    whole = find_lesion_box(lesion, frame, spacing, margin)
    grid_box, box = [], []
    for part, first, size in zip(whole, origin, organ_mask.shape, strict=True):
        start, stop = max(part.start, first), min(part.stop, first + size)
        if start >= stop:
            return None
        grid_box.append(slice(start, stop))
        box.append(slice(start - first, stop - first))
    place, grid_place = tuple(box), tuple(grid_box)
    organ = organ_mask[place] == 1
    device = organ_mask.device
    depth, rho = evaluate_shape(lesion, frame, spacing, grid_place, device)
    weight = soften(depth, lesion.edge_mm).mul_(organ)
    return LesionLayer(
        lesion, frame, place, grid_place, weight, weight >= 0.5, depth, rho, organ
    )


def compose_layer(
    layer: LesionLayer, image: Tensor, spacing: Sequence[float]
) -> Tensor:
    """Change of intensity of one lesion, float32 (Z, Y, X) over its box.

    Args:
        layer: Soft mask and label.
        image: The image before any lesion, the box of the layer.
        spacing: (Z, Y, X) in mm.

    Returns:
        0 outside the organ and where there is no lesion voxel at all. The mean over
        the layer's label is ``delta_hu``.
    """
    lesion = layer.lesion
    base, gain = _compose_parts(layer, image, spacing)
    count = _sum(layer.label)
    missing = lesion.delta_hu * count
    if base is not None:
        base.mul_(count > 0)
        missing = missing - _sum(base * layer.label)
    # Without a voxel both are 0, and so is the amplitude.
    reached = _sum(gain * layer.label) + (count == 0)
    change = gain.mul_(missing / reached)
    return change if base is None else change.add_(base)


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


def _sum(values: Tensor) -> Any:
    """Sum that does not depend on the number of threads; on a GPU a float64 scalar.

    torch divides a sum among threads, so that its last bits would tell how many.
    Reading the number from a GPU would wait for all of its work.
    """
    if values.device.type == 'cpu':
        return float(values.numpy().sum())
    return values.sum(dtype=torch.float64)
