"""The generator in one call: draw lesions for an organ and apply them.

Not here: the two steps themselves (``drawing``, ``applying``).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mmmed.functional.masks import Box
from mmmed.synthesis.applying import apply_records
from mmmed.synthesis.drawing import plan_lesions
from mmmed.synthesis.presets import get_recipe
from mmmed.synthesis.prior import LesionPrior
from mmmed.synthesis.recipe import LesionRecipe
from mmmed.synthesis.records import LesionRecord


class Synthesis(NamedTuple):
    """A volume or patch with synthetic lesions.

    Args:
        image: As the input, another array.
        label: uint8: the mask with 2 in lesions.
        lesions: Records with the voxels and the volume each one got; those that got
            none (smaller than a voxel, or beside the patch) are left out.
        outcome: ``ok``, or why there are none, see ``LesionPlan``.
        requested: Lesions wanted.
        lesion_type: What the volume got, as ``mix``.
    """

    image: Any
    label: Any
    lesions: tuple[LesionRecord, ...]
    outcome: str
    requested: int
    lesion_type: str


def synthesize(
    image: Any,
    organ_mask: Any,
    spacing: Sequence[float],
    seed: int | Sequence[int] | np.random.Generator,
    recipe: str | LesionRecipe = 'public',
    *,
    organ: str = 'liver',
    lesion_type: str | None = None,
    box: Box | None = None,
    prior: LesionPrior | None = None,
    mixes_real: bool = False,
    in_place: bool = False,
) -> Synthesis:
    """Draw lesions and put them into an image.

    Args:
        image: (Z, Y, X) in HU, NumPy or torch on any device.
        organ_mask: Same shape: 0 outside, 1 organ, 2 real tumor, 255 ignored.
        spacing: (Z, Y, X) in mm.
        seed: Number(s), or a generator to draw from. The same seed gives the same
            bits.
        recipe: Name of a preset, or a recipe.
        organ: Preset of the organ, for a named recipe.
        lesion_type: ``tiny``, ``small``, ``medium``, ``large``, ``mix``; ``None``: by
            the recipe's weights.
        box: Work on this patch only: lesions have their centre in it, and the result
            has its shape. Records count from the whole volume.
        prior: Of positions, for the placement ``prior``.
        mixes_real: Whether lesions are added beside real tumor; else such a volume
            comes back unchanged.
        in_place: Write into ``image`` (into the patch, with ``box``).

    Returns:
        Image, label and records; no lesion at all is a legal result with an outcome.
    """
    rng = np.random.default_rng(seed)
    chosen = get_recipe(recipe, organ) if isinstance(recipe, str) else recipe
    origin = (0, 0, 0)
    if box is not None:
        starts, stops = zip(
            *(_bound(p, n) for p, n in zip(box, image.shape, strict=True)), strict=True
        )
        origin = starts
        place = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
        image, organ_mask = image[place], organ_mask[place]
    plan = plan_lesions(
        organ_mask,
        spacing,
        chosen,
        rng,
        image=image,
        lesion_type=lesion_type,
        prior=prior,
        mixes_real=mixes_real,
        origin=origin,
    )
    applied = apply_records(
        image, organ_mask, plan.lesions, spacing, origin=origin, in_place=in_place
    )
    voxel_mm3 = math.prod(float(length) for length in spacing)
    lesions = tuple(
        lesion.with_size(count, count * voxel_mm3)
        for lesion, count in zip(plan.lesions, applied.voxels, strict=True)
        if count
    )
    outcome = plan.outcome if lesions or plan.outcome != 'ok' else 'no room'
    return Synthesis(
        applied.image,
        applied.label,
        lesions,
        outcome,
        plan.requested,
        plan.lesion_type,
    )


def _bound(part: slice, size: int) -> tuple[int, int]:
    start, stop, step = part.indices(size)
    if step != 1 or stop <= start:
        raise ValueError(f'box holds {part}, expected a part of 0..{size} with step 1')
    return start, stop
