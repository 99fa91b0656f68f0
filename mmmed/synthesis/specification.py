"""SynthesisSpec: every way to make lesions, by name, behind one call.

For tools that write or show whole scans. Not here: the generators (``generator``,
``automaton``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.components import measure_components
from mmmed.synthesis.automaton import GrownTumor, grow_tumor
from mmmed.synthesis.automaton_plan import (
    GrowthPlan,
    adapt_recipe,
    draw_growth,
    get_growth_recipe,
)
from mmmed.synthesis.generator import synthesize
from mmmed.synthesis.presets import ORGANS, get_recipe
from mmmed.synthesis.prior import LesionPrior

GROWN = ('automaton', 'automaton-published')
RECIPES = ('public', 'full', *GROWN)
_TUMOR = 2


@dataclass(frozen=True)
class SyntheticScan:
    """A scan with synthetic lesions.

    Args:
        image: As the input, another array.
        label: 0 outside, 1 organ, 2 lesion, uint8.
        lesions: A row for each lesion: its record, or for a grown one its measures.
        plan: Of growth, JSON; None for drawn lesions, whose records are the plan.
        outcome: ``ok``, or why there are none: ``no organ``, ``no room``, ``real
            tumor``.
        lesion_type: What it got, as ``mix`` or ``grown``.
    """

    image: NDArray
    label: NDArray[np.uint8]
    lesions: tuple[Mapping[str, Any], ...]
    plan: Mapping[str, Any] | None
    outcome: str
    lesion_type: str


@dataclass(frozen=True)
class SynthesisSpec:
    """What to make.

    Args:
        recipe: One of ``RECIPES``; ``automaton`` follows the scan's own contrast.
        organ: ``liver``, ``pancreas`` or ``kidney``.
        lesion_type: Of the recipe's types; None draws one.
        prior: Of positions, for recipes with ellipsoids.

    Raises:
        ValueError: A name is not known, or does not go with the recipe.
    """

    recipe: str = 'full'
    organ: str = 'liver'
    lesion_type: str | None = None
    prior: LesionPrior | None = None

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise ValueError(
                f'recipe is {self.recipe!r}, expected one of {", ".join(RECIPES)}'
            )
        if self.organ not in ORGANS:
            raise ValueError(
                f'organ is {self.organ!r}, expected one of {", ".join(ORGANS)}'
            )
        if self.lesion_type is not None and self.lesion_type not in self.types:
            raise ValueError(
                f'type is {self.lesion_type!r}, expected one of '
                f'{", ".join(self.types)} for the recipe {self.recipe}'
            )

    @property
    def types(self) -> tuple[str, ...]:
        """Types that the recipe has."""
        if self.recipe in GROWN:
            return ('grown',)
        return get_recipe(self.recipe, self.organ).types

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        prior = None if self.prior is None else self.prior.to_json()
        return {
            'recipe': self.recipe, 'organ': self.organ, 'type': self.lesion_type,
            'prior': prior,
        }  # fmt: skip

    def make(
        self, image: NDArray, organ_mask: NDArray, spacing: Sequence[float],
        seed: int | Sequence[int],
    ) -> SyntheticScan:  # fmt: skip
        """Put lesions into a scan.

        Args:
            image: (Z, Y, X) in HU.
            organ_mask: Same shape: 0 outside, 1 organ, 2 real tumor.
            spacing: (Z, Y, X) in mm.
            seed: The same seed gives the same scan.

        Returns:
            The scan; a mask with real tumor gets none.
        """
        if self.recipe in GROWN:
            return self._grow(image, organ_mask, spacing, seed)
        recipe = get_recipe(self.recipe, self.organ)
        if self.prior is not None:
            recipe = replace(recipe, placement='prior')
        made = synthesize(
            image, organ_mask, spacing, seed, recipe,
            lesion_type=self.lesion_type, prior=self.prior,
        )  # fmt: skip
        lesions = tuple(lesion.to_json() for lesion in made.lesions)
        return SyntheticScan(
            made.image, made.label, lesions, None, made.outcome, made.lesion_type
        )

    def _grow(
        self, image: NDArray, organ_mask: NDArray, spacing: Sequence[float],
        seed: int | Sequence[int],
    ) -> SyntheticScan:  # fmt: skip
        organ = np.asarray(organ_mask) > 0
        is_published = self.recipe == 'automaton-published'
        recipe = get_growth_recipe(self.organ, as_published=is_published)
        if not is_published:
            recipe = adapt_recipe(recipe, image, organ)
        plan = draw_growth(image, organ, spacing, recipe, np.random.default_rng(seed))
        if (np.asarray(organ_mask) == _TUMOR).any():
            copies = image.copy(), np.asarray(organ_mask).astype(np.uint8)
            return SyntheticScan(*copies, (), None, 'real tumor', 'grown')
        grown = grow_tumor(image, organ, spacing, plan)
        outcome = 'ok'
        if grown.is_empty:
            outcome = 'no room' if organ.any() else 'no organ'
        lesions = list_grown(image, grown, spacing)
        return SyntheticScan(
            grown.image, grown.label, lesions, plan.to_json(), outcome, 'grown'
        )


def list_grown(
    image: NDArray, grown: GrownTumor, spacing: Sequence[float]
) -> tuple[dict[str, Any], ...]:
    """A row for each connected tumor, in mm along the array axes.

    Args:
        image: Before growth.
        grown: After.
        spacing: (Z, Y, X) in mm.
    """
    tumor = grown.label == _TUMOR
    found = measure_components(tumor, spacing, connectivity=26)
    change = (grown.image[tumor].astype(float) - image[tumor]).ravel()
    sums = np.bincount(found.labels, change, minlength=len(found) + 1)[1:]
    rows = zip(found.centroids_mm, found.radii_mm, found.sizes, found.volumes, sums,
               strict=True)  # fmt: skip
    return tuple(
        {
            'kind': 'grown',
            'center_mm': [float(value) for value in center],
            'radius_mm': float(radius),
            'delta_hu': float(total / size),
            'voxels': int(size),
            'volume_mm3': float(volume),
        }
        for center, radius, size, volume, total in rows
    )


def replay_growth(
    image: NDArray, organ: NDArray[np.bool_], spacing: Sequence[float],
    plan: Mapping[str, Any],
) -> GrownTumor:  # fmt: skip
    """A grown tumor again, bit for bit, from the plan of a written case."""
    return grow_tumor(image, organ, spacing, GrowthPlan.from_json(plan))
