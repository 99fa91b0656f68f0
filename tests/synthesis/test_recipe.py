from dataclasses import replace

import pytest

from mmmed.synthesis import LesionKind, LesionLoad, LesionRecipe

KIND = LesionKind('tiny', (3.0, 5.0), (0.5, 1.0))
RECIPE = LesionRecipe((LesionLoad('tiny', ((KIND, 1, 2),)),))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'placement': 'anywhere'}, 'placement'),
        ({'composition': 'paste'}, 'composition'),
        ({'capsule_share': 1.5}, 'capsule_share'),
        ({'edge_mm': (2.0, 1.0)}, 'edge_mm'),
        ({'edge_mm': (0.0, 1.0)}, 'edge_mm'),
        ({'mass_effect': (0.1, 0.9)}, 'mass_effect'),
        ({'attempts': 0}, 'attempts'),
        ({'reference_ml': 0.0}, 'reference_ml'),
        ({'loads': ()}, 'load'),
    ],
)
def test_a_recipe_is_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **changes)


def test_loads_are_found_by_name():
    assert RECIPE.types == ('tiny',)
    assert RECIPE.get_load('tiny').parts[0][0] == KIND
    with pytest.raises(ValueError, match='giant'):
        RECIPE.get_load('giant')


def test_kinds_and_counts_are_checked():
    with pytest.raises(ValueError, match='radius_mm'):
        LesionKind('x', (5.0, 3.0), (0.0, 1.0))
    with pytest.raises(ValueError, match='count'):
        LesionLoad('x', ((KIND, 3, 2),))
    with pytest.raises(ValueError, match='weight'):
        LesionLoad('x', ((KIND, 1, 2),), weight=-1.0)
