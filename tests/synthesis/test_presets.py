import itertools

import pytest

from mmmed.synthesis import ORGANS, get_recipe

TYPES = ('tiny', 'small', 'medium', 'large', 'mix')


def test_public_recipe_has_the_published_numbers():
    recipe = get_recipe('public', 'liver')
    assert recipe.types == TYPES
    assert {load.weight for load in recipe.loads} == {1.0}
    found = {
        load.name: (load.parts[0][0].radius_mm, load.parts[0][1:])
        for load in recipe.loads[:4]
    }
    assert found == {
        'tiny': ((3, 5), (3, 10)),
        'small': ((6, 10), (3, 10)),
        'medium': ((12, 20), (2, 5)),
        'large': ((24, 40), (1, 3)),
    }
    mix = {kind.name: (a, b) for kind, a, b in recipe.get_load('mix').parts}
    assert mix == {
        'tiny': (3, 10),
        'small': (5, 10),
        'medium': (2, 5),
        'large': (1, 3),
    }
    assert (recipe.contrast_hu, recipe.edge_mm) == ((65, 145), (1, 2))
    assert recipe.central_band == (0.3, 0.7)


@pytest.mark.parametrize(
    ('name', 'organ'), list(itertools.product(('public', 'full'), ORGANS))
)
def test_every_preset_has_the_five_types(name, organ):
    assert get_recipe(name, organ).types == TYPES


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match='secret'):
        get_recipe('secret')
    with pytest.raises(ValueError, match='spleen'):
        get_recipe('public', 'spleen')
