"""SliceAugmentation: a recipe of random steps, deformations resampled once.

Not here: the recipes (``slice_recipes``), the steps (``slice_warps``, ``slice_grey``,
``spatial``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from mmmed.datasets.transforms.slice_recipes import RECIPES
from mmmed.datasets.transforms.slice_warps import SliceWarp, warp_sample
from mmmed.functional.slice_warps import Map, compose_maps
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SliceAugmentation(BaseTransform):
    """Run the steps of a recipe in order.

    Deformations that follow each other become one map, so that the slice is blurred
    by interpolation once. Each step draws what it would draw alone.

    Required keys: ``img`` (H, W, C), 0 to 255, ``seg_fields``, ``rng``.

    Modified keys: what the steps that are applied modify. Added keys: ``applied``,
    one dict a step that was applied, in order; ``flip`` and ``flip_direction`` where
    the recipe flips.

    Args:
        recipe: ``'A'`` to ``'F'``, see ``slice_recipes``.
        steps: Transforms instead of a recipe, in order.

    Raises:
        ValueError: Neither or both are given, or there is no such recipe.
    """

    def __init__(
        self,
        recipe: str | None = None,
        steps: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if (recipe is None) == (steps is None):
            raise ValueError('expected recipe or steps, got both or neither')
        if recipe is not None and recipe not in RECIPES:
            raise ValueError(f'recipe is {recipe!r}, expected one of {list(RECIPES)}')
        listed = RECIPES[recipe] if recipe is not None else steps or ()
        self.recipe = recipe
        self.steps = [TRANSFORMS.build(dict(step)) for step in listed]

    def transform(self, results: dict) -> dict | None:
        """Draw and apply; the host calls this."""
        pending: Map | None = None
        for step in self.steps:
            if isinstance(step, SliceWarp):
                pending = _add(pending, step, results)
                continue
            if pending is not None:
                results, pending = warp_sample(results, pending), None
            results = step(results)
        return results if pending is None else warp_sample(results, pending)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(recipe={self.recipe!r}, steps={self.steps})'


def _add(pending: Map | None, step: SliceWarp, results: dict) -> Map | None:
    """The map so far, with that of another step if it is to be applied."""
    params = step.decide(results)
    if params is None:
        return pending
    source = step.build_map(results['img'].shape[:2], params)
    return source if pending is None else compose_maps(pending, source)
