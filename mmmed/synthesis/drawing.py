"""Drawing: random numbers become lesion records; no image is changed here.

Everything is drawn on the CPU from one generator, in a fixed order, so that a seed
gives the same records on every machine and for any number of workers. Not here: the
rules of placement (``placement``), applying records (``applying``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmmed.synthesis.organ import OrganRegion, OrganTissue, find_organ, measure_tissue
from mmmed.synthesis.placement import LesionPlacer
from mmmed.synthesis.prior import LesionPrior
from mmmed.synthesis.recipe import LesionKind, LesionLoad, LesionRecipe, Range
from mmmed.synthesis.records import LesionRecord
from mmmed.synthesis.shape import (
    UNIT_STEPS,
    build_frames,
    compute_blurred_mean,
    find_lesion_boxes,
)
from mmmed.synthesis.vessels import find_vessels

# Each component is moved by two of the three published plane deformations (a factor of
# 1.4); they are not smooth across their planes, which the rest makes up for: the spread
# of volumes is that of the published shapes (deviation 0.2 of the ellipsoid's).
_DEFORMATION_SCALE = 1.8
# In radii: an outer control point pulled further towards the centre would let a tail
# of the lesion end at it as if cut off.
_DISPLACEMENT_LIMITS = np.where(UNIT_STEPS.ravel() != 0, 0.5, 0.9)

OUTCOMES = ('ok', 'no organ', 'no room', 'real tumor')


@dataclass(frozen=True)
class LesionPlan:
    """What was drawn for one volume.

    Args:
        lesions: Records.
        requested: Lesions wanted; more than ``lesions`` where there was no room.
        outcome: ``ok``, or why there is none: ``no organ`` in the mask, ``no room``
            for any lesion in it, ``real tumor`` there already.
        lesion_type: Name of the load, empty where none was drawn.
    """

    lesions: tuple[LesionRecord, ...]
    requested: int
    outcome: str
    lesion_type: str = ''


def plan_lesions(
    organ_mask: Any,
    spacing: Sequence[float],
    recipe: LesionRecipe,
    rng: np.random.Generator,
    *,
    image: Any = None,
    lesion_type: str | None = None,
    prior: LesionPrior | None = None,
    mixes_real: bool = False,
    origin: Sequence[int] = (0, 0, 0),
) -> LesionPlan:
    """Draw lesions for an organ; a thin or empty organ gives none, never an error.

    Args:
        organ_mask: (Z, Y, X), NumPy or torch: 0 outside, 1 organ, 2 real tumor, 255
            ignored.
        spacing: (Z, Y, X) in mm.
        recipe: What to draw.
        rng: Source of every random number.
        image: (Z, Y, X) in HU; needed by recipes that avoid vessels, replace tissue
            or set the level of a lesion.
        lesion_type: Load of the recipe; ``None``: one by weight.
        prior: For the placement ``prior``; without one it is ``depth``.
        mixes_real: Whether lesions are added where there is real tumor. They keep off
            it.
        origin: Index of the mask's first voxel in the volume, for a patch.

    Raises:
        ValueError: The mask, spacing, image or type is wrong; see ``find_organ``.
    """
    organ = find_organ(_to_numpy(organ_mask), spacing)
    if organ is None or not organ.mask.any():
        return LesionPlan((), 0, 'no organ')
    if organ.tumor is not None and not mixes_real:
        return LesionPlan((), 0, 'real tumor')
    if lesion_type is None:
        load = _choose_load(recipe, rng)
    else:
        load = recipe.get_load(lesion_type)
    kinds = _draw_kinds(load, recipe, organ, rng)
    tissue, vessels = _look_at_organ(image, organ, recipe)
    if not recipe.can_overlap:  # the largest first, while there is room
        kinds.sort(key=lambda kind: -kind.radius_mm[1])
    placer = LesionPlacer(organ, recipe, vessels, prior)
    look = _draw_look(recipe, tissue, rng) if recipe.one_look else None
    first = organ.start + np.asarray(origin)
    lesions = []
    for kind in kinds:
        values = _draw_shape(kind, recipe, rng)
        values |= look or _draw_look(recipe, tissue, rng)
        values |= _draw_options(values, recipe, rng)
        radius, reach = _measure_size(values, recipe)
        place = placer.place(rng, radius, reach)
        if place is None:
            continue
        values['center_mm'] = _vector((place[0] + first) * organ.spacing)
        values['vessel_share'] = place[1]
        lesions.append(LesionRecord(**values))
    outcome = 'ok' if lesions or not kinds else 'no room'
    return LesionPlan(tuple(lesions), len(kinds), outcome, load.name)


def draw_lesions(
    organ_mask: Any,
    spacing: Sequence[float],
    recipe: LesionRecipe,
    rng: np.random.Generator,
    **options: Any,
) -> tuple[LesionRecord, ...]:
    """Records of :func:`plan_lesions`, with its options."""
    return plan_lesions(organ_mask, spacing, recipe, rng, **options).lesions


def _draw_shape(
    kind: LesionKind, recipe: LesionRecipe, rng: np.random.Generator
) -> dict[str, Any]:
    """Radii, direction and deformation of one lesion."""
    radii = [_draw(rng, kind.radius_mm) for _ in range(3)]
    deviation = _draw(rng, kind.deformation_mm)
    moved = rng.standard_normal(81) * (_DEFORMATION_SCALE * deviation)
    limits = np.repeat(radii, 27) * _DISPLACEMENT_LIMITS
    moved = np.minimum(np.maximum(moved, -limits), limits)
    shape: dict[str, Any] = {
        'kind': kind.name,
        'radii_mm': (radii[0], radii[1], radii[2]),
        'displacement_mm': tuple(moved.tolist()),
        'texture_seed': int(rng.integers(2**63)),
    }
    if recipe.is_rotated:
        shape['rotation'] = tuple(_draw_rotation(rng).ravel().tolist())
    return shape


def _draw_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniform random rotation, from a random unit quaternion."""
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _choose_load(recipe: LesionRecipe, rng: np.random.Generator) -> LesionLoad:
    weights = np.cumsum([load.weight for load in recipe.loads])
    place = int(np.searchsorted(weights, rng.random() * weights[-1], side='right'))
    return recipe.loads[place]


def _draw_kinds(
    load: LesionLoad,
    recipe: LesionRecipe,
    organ: OrganRegion,
    rng: np.random.Generator,
) -> list[LesionKind]:
    """The size class of every lesion wanted."""
    kinds = []
    for kind, fewest, most in load.parts:
        kinds += [kind] * int(rng.integers(fewest, most + 1))
    if recipe.reference_ml is None or organ.volume_ml >= recipe.reference_ml:
        return kinds
    kept = rng.random(len(kinds)) < organ.volume_ml / recipe.reference_ml
    if kinds and not kept.any():
        kept[int(rng.integers(len(kinds)))] = True
    return [kind for kind, keep in zip(kinds, kept, strict=True) if keep]


def _look_at_organ(
    image: Any, organ: OrganRegion, recipe: LesionRecipe
) -> tuple[OrganTissue | None, NDArray[np.bool_] | None]:
    """Tissue and vessels, as far as the recipe needs them."""
    needed = recipe.composition == 'replace' or recipe.tissue_level_hu is not None
    if not needed and not recipe.avoids_vessels:
        return None, None
    if image is None:
        raise ValueError(
            'the recipe looks at the organ (vessels, tissue level or replacement) and '
            'got no image; hand over image=, or take the public recipe'
        )
    tissue = measure_tissue(_to_numpy(image), organ)
    if not recipe.avoids_vessels:
        return tissue, None
    contrast = recipe.vessel_contrast_hu
    return tissue, find_vessels(image, organ, tissue, contrast_hu=contrast)


def _draw_look(
    recipe: LesionRecipe, tissue: OrganTissue | None, rng: np.random.Generator
) -> dict[str, Any]:
    """Contrast, edge, texture and grain."""
    look: dict[str, Any] = {
        'delta_hu': _draw_contrast(recipe, tissue, rng),
        'edge_mm': _draw(rng, recipe.edge_mm),
        'texture_mm': _draw(rng, recipe.texture_mm),
        'texture_deviation': _draw(rng, recipe.texture_deviation),
        'composition': recipe.composition,
    }
    if recipe.composition == 'replace' and tissue is not None:
        look['tissue_hu'] = tissue.level_hu
        look['grain_hu'] = recipe.grain_scale * tissue.noise_hu
        look['grain_correlation'] = tissue.correlation
    return look


def _draw_contrast(
    recipe: LesionRecipe, tissue: OrganTissue | None, rng: np.random.Generator
) -> float:
    if rng.random() < recipe.hyperdense_share:
        return _draw(rng, recipe.hyperdense_hu)
    if recipe.tissue_level_hu is None or tissue is None:
        return -_draw(rng, recipe.contrast_hu) * _draw(rng, recipe.contrast_scale)
    level, below = recipe.tissue_level_hu
    # An organ that is dark itself (fatty, or without contrast agent) leaves no room
    # above the level: its lesions are as far below it as the range is wide, or 20 HU.
    highest = tissue.level_hu + below
    return _draw(rng, (min(level, highest - 20), highest)) - tissue.level_hu


def _draw_options(
    values: dict[str, Any], recipe: LesionRecipe, rng: np.random.Generator
) -> dict[str, Any]:
    """Capsule, mass effect and necrosis of one lesion, and the published loss."""
    radius = math.prod(values['radii_mm']) ** (1 / 3)
    changes: dict[str, Any] = {}
    # All numbers are drawn whether they are needed or not: one lesion's options never
    # shift the draws of the next.
    chances, shares = rng.random(3).tolist(), rng.random(4).tolist()
    is_dark = values['delta_hu'] < 0
    wants_capsule = is_dark and radius >= recipe.capsule_radius_mm
    if wants_capsule and chances[0] < recipe.capsule_share:
        changes['capsule_hu'] = _scale(shares[0], recipe.capsule_hu)
    if chances[1] < recipe.mass_effect_share:
        changes['mass_effect'] = _scale(shares[1], recipe.mass_effect)
    if radius >= recipe.necrosis_radius_mm and chances[2] < recipe.necrosis_share:
        changes['necrosis_hu'] = _scale(shares[2], recipe.necrosis_hu)
        changes['necrosis_share'] = _scale(shares[3], recipe.necrosis_extent)
    if not recipe.is_calibrated:
        left = compute_blurred_mean(radius, values['edge_mm'])
        changes['delta_hu'] = values['delta_hu'] * left
    return changes


def _measure_size(values: dict[str, Any], recipe: LesionRecipe) -> tuple[float, float]:
    """Mean radius, and radius of the ball around the centre that holds the lesion."""
    radius = math.prod(values['radii_mm']) ** (1 / 3)
    if recipe.can_overlap:
        return radius, max(values['radii_mm'])
    record = LesionRecord(center_mm=(0.0, 0.0, 0.0), **values)
    frame = build_frames([record])
    box = find_lesion_boxes([record], frame, (0.5, 0.5, 0.5), [0.0])[0]
    return radius, 0.5 * float(max(-box[0].min(), box[1].max()))


def _draw(rng: np.random.Generator, limits: Range) -> float:
    return _scale(rng.random(), limits)


def _scale(share: float, limits: Range) -> float:
    return float(limits[0] + (limits[1] - limits[0]) * share)


def _vector(values: NDArray) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return z, y, x


def _to_numpy(array: Any) -> NDArray[Any]:
    if isinstance(array, torch.Tensor):
        return array.detach().cpu().numpy()
    return np.asarray(array)
