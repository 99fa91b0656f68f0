"""The recipes that have a name: ``public`` and ``full`` for three organs.

``public`` is the published training recipe of SyntheticTumors (Hu et al. 2023,
arXiv:2303.14869): five types of the same frequency, sizes, counts, deformation, edge,
texture and contrast. ``full`` adds what its authors describe and left out of training
for its cost (vessel avoidance, mass effect, capsule), and what they do not have:
lesions brighter than the organ, contrast of each lesion, necrosis, grain like the
organ's own. Not here: what the numbers mean (``recipe``).
"""

import dataclasses

from mmmed.synthesis.recipe import LesionKind, LesionLoad, LesionRecipe

ORGANS = ('liver', 'pancreas', 'kidney')

TINY = LesionKind('tiny', (3.0, 5.0), (0.5, 1.0))
SMALL = LesionKind('small', (6.0, 10.0), (1.0, 2.0))
MEDIUM = LesionKind('medium', (12.0, 20.0), (3.0, 6.0))
LARGE = LesionKind('large', (24.0, 40.0), (5.0, 10.0))

_LIVER_LOADS = (
    LesionLoad('tiny', ((TINY, 3, 10),)),
    LesionLoad('small', ((SMALL, 3, 10),)),
    LesionLoad('medium', ((MEDIUM, 2, 5),)),
    LesionLoad('large', ((LARGE, 1, 3),)),
    LesionLoad('mix', ((TINY, 3, 10), (SMALL, 5, 10), (MEDIUM, 2, 5), (LARGE, 1, 3))),
)
# Smaller organs hold fewer lesions, and a lesion larger than the organ is none.
_SMALL_MEDIUM = LesionKind('medium', (9.0, 14.0), (2.0, 4.0))
_SMALL_LARGE = LesionKind('large', (14.0, 22.0), (3.0, 6.0))
_SMALL_ORGAN_LOADS = (
    LesionLoad('tiny', ((TINY, 1, 4),)),
    LesionLoad('small', ((SMALL, 1, 3),)),
    LesionLoad('medium', ((_SMALL_MEDIUM, 1, 2),)),
    LesionLoad('large', ((_SMALL_LARGE, 1, 1),)),
    LesionLoad('mix', ((TINY, 1, 3), (SMALL, 1, 2), (_SMALL_MEDIUM, 0, 1))),
)

_PUBLIC = LesionRecipe(
    loads=_LIVER_LOADS,
    placement='central',
    can_overlap=True,
    is_rotated=False,
    edge_mm=(1.0, 2.0),
    one_look=True,
)
_FULL = LesionRecipe(
    loads=_LIVER_LOADS,
    avoids_vessels=True,
    edge_mm=(0.8, 2.0),
    tissue_level_hu=(30.0, -10.0),
    hyperdense_share=0.15,
    composition='replace',
    capsule_share=0.35,
    mass_effect_share=0.5,
    necrosis_share=0.3,
)


def get_recipe(name: str = 'public', organ: str = 'liver') -> LesionRecipe:
    """A recipe by its name; ``dataclasses.replace`` changes single values of it.

    Args:
        name: ``public`` or ``full``.
        organ: ``liver``, ``pancreas`` or ``kidney``.

    Raises:
        ValueError: No such recipe or organ.
    """
    recipes = {'public': _PUBLIC, 'full': _FULL}
    if name not in recipes:
        raise ValueError(f'no recipe {name!r}, expected one of {tuple(recipes)}')
    if organ not in ORGANS:
        raise ValueError(f'no organ {organ!r}, expected one of {ORGANS}')
    recipe = recipes[name]
    if organ == 'liver':
        return recipe
    # Tumors of a thin organ reach through its wall; further in there is no room.
    changes: dict[str, object] = {'loads': _SMALL_ORGAN_LOADS, 'depth_share': 0.15}
    if organ == 'kidney' and name == 'full':
        # Of the cortex in the portal venous phase, 140-200 HU: most tumors enhance
        # less, and far less than by the liver's contrast.
        changes |= {'tissue_level_hu': (40.0, -40.0), 'hyperdense_share': 0.05}
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]
