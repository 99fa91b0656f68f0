"""SynthesizeLesions: synthetic tumors in training volumes, drawn anew every time.

Not here: the generator (``mmmed.synthesis``), which lesions a network finds
(``mmmed.synthesis.quality``: on batches, outside the workers).
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.datasets.transforms.synthesize_growth import (
    build_growth,
    grow_planned,
    plan_growth,
)
from mmmed.datasets.transforms.volume_pending import has_pending
from mmmed.registry import TRANSFORMS
from mmmed.synthesis import LesionRecipe, LesionRecord, get_recipe, read_prior
from mmmed.synthesis.applying import apply_records
from mmmed.synthesis.automaton_plan import GrowthRecipe
from mmmed.synthesis.drawing import plan_lesions
from mmmed.synthesis.specification import GROWN


@TRANSFORMS.register_module()
class SynthesizeLesions(DrawnTransform):
    """Put synthetic lesions into the organ of a CT volume or patch.

    After ``mmmed.LoadVolume`` it works on the whole volume; after
    ``mmmed.LoadVolumePatch`` on the patch alone, which is the cheaper way. It belongs
    before ``mmmed.WindowVolume``, because it reckons in HU. An organ without room gets
    no lesion, and the sample says so.

    Required keys: ``img`` (1, Z, Y, X) in HU, ``gt_seg_map`` (Z, Y, X) with 0 outside,
    1 organ, 2 tumor, 255 ignored, ``spacing``, ``rng``.

    Modified keys: ``img``, ``gt_seg_map``. Added keys: ``lesions``, a list of records
    (dicts of ``LesionRecord.to_json``, with the volume each lesion got; of grown
    tumors center, radius, contrast and volume), ``lesion_outcome``, and
    ``mixes_real``, whether real tumor is there too; ``applied``, which holds what makes
    the sample again.

    Args:
        recipe: Name of a preset: ``public`` or ``full`` (ellipsoids), ``automaton`` or
            ``automaton-published`` (cells).
        organ: Preset of the organ: ``liver``, ``pancreas`` or ``kidney``.
        overrides: Values of ``LesionRecipe`` that replace the preset's; of
            ``GrowthRecipe`` for cells, as ``dict(steps=(5, 60))``.
        weights: Frequency of lesion types, as ``dict(tiny=2, mix=0)``; those that are
            not named keep theirs. Not for cells.
        prob: Probability that lesions are drawn.
        prob_real: The same for volumes with real tumor, which then have both.
        prior: File of a fitted prior of positions, for the placement ``prior``. Not
            for cells.

    Raises:
        ValueError: An option is unknown or out of range, or the sample is no CT with
            labels.
    """

    def __init__(
        self,
        recipe: str = 'public',
        organ: str = 'liver',
        overrides: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
        prob: float = 0.9,
        prob_real: float = 0.0,
        prior: str | None = None,
    ) -> None:
        for name, value in (('prob', prob), ('prob_real', prob_real)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} is {value}, expected a probability in [0, 1]')
        super().__init__(max(prob, prob_real))
        if recipe in GROWN and (weights or prior):
            raise ValueError(
                f'recipe {recipe!r} has neither types with weights nor a prior; leave '
                'them out or take public or full'
            )
        self.recipe: LesionRecipe | GrowthRecipe = (
            build_growth(recipe, organ, overrides)
            if recipe in GROWN
            else build_recipe(get_recipe(recipe, organ), overrides, weights)
        )
        self.prob_healthy = prob
        self.prob_real = prob_real
        self.prior = None if prior is None else read_prior(prior)

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Records of the lesions, and what became of the wish for them."""
        seg, img = results.get('gt_seg_map'), results['img']
        if seg is None or img.ndim != 4 or img.shape[0] != 1:
            raise ValueError(
                f'img has shape {img.shape} and gt_seg_map is '
                f'{"absent" if seg is None else "there"}, expected one CT channel (1, '
                'Z, Y, X) with organ labels; put SynthesizeLesions after loading'
            )
        # Of all draws (made with the larger probability), which are for this case?
        has_tumor = bool((seg == 2).any())
        wanted = self.prob_real if has_tumor else self.prob_healthy
        if self.prob == 0 or rng.random() * self.prob >= wanted:
            return {
                'outcome': 'not drawn', 'lesion_type': '', 'lesions': [],
                'mixes_real': has_tumor,
            }  # fmt: skip
        spacing = _find_spacing(results)
        if isinstance(self.recipe, GrowthRecipe):
            growth, outcome = plan_growth(img[0], seg, spacing, self.recipe, rng)
            return {
                'outcome': outcome,
                'lesion_type': 'grown' if growth else '',
                'lesions': [],
                'growth': growth,
                'mixes_real': has_tumor,
            }
        plan = plan_lesions(
            seg,
            spacing,
            self.recipe,
            rng,
            image=img[0],
            prior=self.prior,
            mixes_real=has_tumor,
        )
        return {
            'outcome': plan.outcome,
            'lesion_type': plan.lesion_type,
            'lesions': [lesion.to_json() for lesion in plan.lesions],
            'mixes_real': has_tumor,
        }

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Change the image and the labels."""
        records = [LesionRecord.from_json(values) for values in params['lesions']]
        results['lesion_outcome'] = params['outcome']
        results['mixes_real'] = params.get('mixes_real', False)
        results['lesions'] = []
        spacing, seg = _find_spacing(results), results['gt_seg_map']
        if params.get('growth'):
            image, label, rows = grow_planned(
                results['img'][0], seg, spacing, params['growth']
            )
            results |= {'img': image[None], 'gt_seg_map': label, 'lesions': rows}
            if not rows:
                results['lesion_outcome'] = 'no room'
        if not records:
            return results
        applied = apply_records(results['img'][0], seg, records, spacing)
        results['img'] = applied.image[None]
        results['gt_seg_map'] = applied.label
        voxel_mm3 = math.prod(spacing)
        results['lesions'] = [
            {**values, 'voxels': count, 'volume_mm3': count * voxel_mm3}
            for values, count in zip(params['lesions'], applied.voxels, strict=True)
            if count
        ]
        return results


def build_recipe(
    recipe: LesionRecipe,
    overrides: Mapping[str, Any] | None,
    weights: Mapping[str, float] | None,
) -> LesionRecipe:
    """A preset with single values and frequencies changed, as a config writes them.

    Raises:
        ValueError: No such value or type, or the recipe's own checks.
    """
    known = {field.name for field in dataclasses.fields(LesionRecipe)} - {'loads'}
    values: dict[str, Any] = {}
    for name, value in (overrides or {}).items():
        if name not in known:
            raise ValueError(
                f'a recipe has no {name!r}, expected one of {", ".join(sorted(known))}'
            )
        values[name] = tuple(value) if isinstance(value, list) else value
    for name in weights or {}:
        recipe.get_load(name)
    loads = tuple(
        dataclasses.replace(load, weight=(weights or {}).get(load.name, load.weight))
        for load in recipe.loads
    )
    return dataclasses.replace(recipe, loads=loads, **values)


def _find_spacing(results: dict) -> tuple[float, ...]:
    """Of the arrays as they are now: a pending warp has not resampled them yet."""
    key = 'spacing' if has_pending(results) else 'img_spacing'
    return tuple(results.get(key, results['spacing']))
