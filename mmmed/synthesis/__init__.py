"""Synthetic lesions: image, organ mask and seed become image, label and records.

The interface, all arrays (Z, Y, X), spacing (Z, Y, X) in mm, NumPy or torch:

``synthesize(image, organ_mask, spacing, seed, recipe='public', *, organ='liver',
lesion_type=None, box=None, prior=None, mixes_real=False) -> Synthesis``
    with the fields ``image``, ``label`` (0 outside, 1 organ, 2 lesion), ``lesions``
    (records, with the volume achieved), ``outcome`` (``'ok'``, or why there are none:
    ``'no organ'``, ``'no room'``, ``'real tumor'``) and ``requested``.
``plan_lesions(organ_mask, spacing, recipe, rng, *, image=None, lesion_type=None,
prior=None, mixes_real=False) -> LesionPlan``
    fields ``lesions``, ``requested``, ``outcome``, ``lesion_type``.
``draw_lesions(...) -> tuple[LesionRecord, ...]``
    the lesions of the plan. ``image`` is needed by recipes that look at the organ.
``apply_lesions(image, organ_mask, lesions, spacing, *, origin=(0, 0, 0),
in_place=False) -> (image, label)``
    ``origin``: index of the first voxel of a patch in the volume of the records.
"""

from .presets import ORGANS as ORGANS
from .presets import get_recipe as get_recipe
from .recipe import LesionKind as LesionKind
from .recipe import LesionLoad as LesionLoad
from .recipe import LesionRecipe as LesionRecipe
from .records import LesionRecord as LesionRecord
