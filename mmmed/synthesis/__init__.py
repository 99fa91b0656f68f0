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

from .applying import apply_lesions as apply_lesions
from .composition import MASS_EFFECT_REACH as MASS_EFFECT_REACH
from .cord_applying import CordSynthesis as CordSynthesis
from .cord_applying import apply_cord_lesions as apply_cord_lesions
from .cord_drawing import CordLesionPlan as CordLesionPlan
from .cord_drawing import CordLesionRecipe as CordLesionRecipe
from .cord_drawing import draw_cord_lesions as draw_cord_lesions
from .cord_drawing import plan_cord_lesions as plan_cord_lesions
from .cord_geometry import CordGeometry as CordGeometry
from .cord_geometry import measure_cord as measure_cord
from .cord_records import CordLesionRecord as CordLesionRecord
from .drawing import LesionPlan as LesionPlan
from .drawing import draw_lesions as draw_lesions
from .drawing import plan_lesions as plan_lesions
from .generator import Synthesis as Synthesis
from .generator import synthesize as synthesize
from .organ import OrganRegion as OrganRegion
from .organ import OrganTissue as OrganTissue
from .organ import find_organ as find_organ
from .organ import measure_tissue as measure_tissue
from .presets import ORGANS as ORGANS
from .presets import get_recipe as get_recipe
from .prior import LesionPrior as LesionPrior
from .prior import fit_prior as fit_prior
from .prior import normalize_centers as normalize_centers
from .prior import read_prior as read_prior
from .quality import measure_found as measure_found
from .quality import select_found as select_found
from .recipe import LesionKind as LesionKind
from .recipe import LesionLoad as LesionLoad
from .recipe import LesionRecipe as LesionRecipe
from .records import LesionRecord as LesionRecord
from .vessels import find_vessels as find_vessels
