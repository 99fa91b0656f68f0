"""Tumors grown by cells in training volumes: what SynthesizeLesions does for them.

Not here: the automaton (``mmmed.synthesis.automaton``).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.synthesis.automaton import grow_tumor
from mmmed.synthesis.automaton_plan import (
    GrowthPlan,
    GrowthRecipe,
    adapt_recipe,
    draw_growth,
    get_growth_recipe,
)
from mmmed.synthesis.specification import list_grown

_TUMOR = 2


def build_growth(
    recipe: str, organ: str, overrides: Mapping[str, Any] | None
) -> GrowthRecipe:
    """An automaton's recipe with single values changed, as a config writes them.

    Raises:
        ValueError: No such organ or value.
    """
    published = recipe == 'automaton-published'
    preset = get_growth_recipe(organ, as_published=published)
    known = {one.name for one in dataclasses.fields(GrowthRecipe)}
    known -= {'organ', 'as_published'}
    values: dict[str, Any] = {}
    for name, value in (overrides or {}).items():
        if name not in known:
            raise ValueError(
                f'a recipe of growth has no {name!r}, expected one of '
                f'{", ".join(sorted(known))}'
            )
        values[name] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(preset, **values)


def plan_growth(
    hu: NDArray,
    seg: NDArray,
    spacing: Sequence[float],
    recipe: GrowthRecipe,
    rng: np.random.Generator,
) -> tuple[dict[str, Any] | None, str]:
    """Plan of a tumor, and ``ok`` or why there is none.

    Args:
        hu: (Z, Y, X) in HU.
        seg: Same shape: 1 organ; tumors grow nowhere else.
        spacing: (Z, Y, X) in mm.
        recipe: Its tissue levels and contrasts follow the scan, unless it is the
            published one.
        rng: Source of the draws.
    """
    organ = seg == 1
    if not organ.any():
        return None, 'no organ'
    if not recipe.as_published:
        recipe = adapt_recipe(recipe, hu, organ)
    plan = draw_growth(hu, organ, spacing, recipe, rng)
    return (None, 'no room') if plan.is_empty else (plan.to_json(), 'ok')


def grow_planned(
    hu: NDArray, seg: NDArray, spacing: Sequence[float], plan: Mapping[str, Any]
) -> tuple[NDArray, NDArray, list[dict[str, Any]]]:
    """Image and labels with the tumor, and a row for each part of it.

    Labels other than 1 stay what they are.
    """
    organ = seg == 1
    grown = grow_tumor(hu, organ, spacing, GrowthPlan.from_json(plan))
    if grown.is_empty:
        return hu, seg, []
    label = np.where(organ, grown.label, seg).astype(seg.dtype, copy=False)
    return grown.image, label, list(list_grown(hu, grown, spacing))
