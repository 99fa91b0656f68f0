"""Recipes: what is refused, and the way through JSON."""

import json

import pytest

from mmmed.functional.planes import PLANES
from mmmed.inference.intensity import Intensity
from mmmed.inference.recipe import PICTURE_PLANES, VOLUME_PLANES, ScanRecipe

FLAT = {'classes': ('background', 'lesion')}
DEEP = {**FLAT, 'dimension': 3, 'crop_size': (8, 16, 16)}


def test_survives_json_with_every_value() -> None:
    recipe = ScanRecipe(
        classes=('background', 'a', 'b'),
        in_channels=6,
        out_channels=3,
        orientation='PIL',
        intensity=Intensity('window', windows_hu=((40, 120), (700, 3200))),
        mean=(1.0,) * 6,
        std=(2.0,) * 6,
        neighbors=1,
        size=(64, 48),
        crop_size=(32, 32),
        flips=((-1,), (-2, -1)),
        threshold=0.4,
    )
    again = ScanRecipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.stride == (16, 16)


@pytest.mark.parametrize(
    ('values', 'size'),
    [
        ({}, None),
        ({'size': (50, 33), 'size_divisor': 16}, (64, 48)),
        ({'size': (64, 48), 'size_divisor': 16}, (64, 48)),
        ({'size': (50, 33), 'crop_size': (32, 16)}, (32, 16)),
    ],
)
def test_fed_size(values, size) -> None:
    assert ScanRecipe(**FLAT, **values).fed_size == size


@pytest.mark.parametrize('plane', PLANES)
def test_plane_is_another_word_for_the_orientation(plane) -> None:
    recipe = ScanRecipe.from_dict({**FLAT, 'plane': plane})
    assert recipe.orientation == PICTURE_PLANES[plane]
    for kind in (PICTURE_PLANES, VOLUME_PLANES):
        for before in kind.values():
            values = {**FLAT, 'orientation': before, 'plane': plane}
            assert ScanRecipe.from_dict(values).orientation == kind[plane]
    with pytest.raises(ValueError, match='3-D'):
        ScanRecipe.from_dict({**DEEP, 'plane': plane})


def test_planes_of_volumes_keep_the_stored_axes() -> None:
    assert VOLUME_PLANES == {'axial': 'SAR', 'coronal': 'ASR', 'sagittal': 'RSA'}


@pytest.mark.parametrize(
    ('neighbors', 'offsets'),
    [(0, (0,)), (2, (-2, -1, 0, 1, 2)), ([-2, -1, 0, 1], (-2, -1, 0, 1))],
)
def test_neighbours_are_offsets_or_how_many_on_each_side(neighbors, offsets) -> None:
    values = {**FLAT, 'neighbors': neighbors, 'in_channels': len(offsets)}
    assert ScanRecipe.from_dict(values).neighbors == offsets


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({**FLAT, 'neighbors': -1}, 'expected >= 0'),
        ({**FLAT, 'neighbors': ()}, 'whole offsets'),
        ({**FLAT, 'neighbors': (0, 0), 'in_channels': 2}, 'each once'),
        ({**FLAT, 'neighbors': (0.5,)}, 'whole offsets'),
        ({**DEEP, 'neighbors': 1, 'in_channels': 3}, '2-D'),
        ({'classes': ('only',)}, 'classes'),
        ({'classes': ['c'] * 256, 'out_channels': 256}, 'classes'),
        ({**FLAT, 'out_channels': 3}, 'output channels'),
        ({**FLAT, 'in_channels': 2, 'neighbors': 1}, 'channels'),
        ({**FLAT, 'dimension': 4}, 'dimension'),
        ({**FLAT, 'spacing': (1, 1, 1)}, 'spacing'),
        ({**FLAT, 'dimension': 3}, 'crop_size'),
        ({**DEEP, 'size': (8, 8)}, 'size'),
        ({**DEEP, 'crop_size': (8, 8)}, '3 sizes'),
        ({**DEEP, 'stride': (9, 8, 8)}, 'gaps'),
        ({**DEEP, 'spacing': (1, 0, 1)}, 'spacing'),
        ({**FLAT, 'orientation': 'SPP'}, 'orientation'),
        ({**FLAT, 'orientation': 'SPX'}, 'orientation'),
        ({**FLAT, 'flips': ((-3,),)}, 'flips'),
        ({**FLAT, 'flips': ((),)}, 'flips'),
        ({**FLAT, 'window_weight': 'hann'}, 'window_weight'),
        ({**FLAT, 'std': (0.0,)}, 'std'),
        ({**FLAT, 'mean': (float('nan'),)}, 'mean'),
        ({**FLAT, 'mean': (1.0, 2.0)}, 'mean'),
        ({**FLAT, 'threshold': 1.0}, 'threshold'),
        ({**FLAT, 'size_divisor': 0}, 'size_divisor'),
        ({**FLAT, 'colour': 'red'}, 'colour'),
        ({'in_channels': 1}, 'classes'),
        ({**FLAT, 'plane': 'oblique'}, 'plane'),
        ({**FLAT, 'intensity': {'kind': 'guess'}}, 'guess'),
        ({**FLAT, 'intensity': {'colour': 'red'}}, 'colour'),
    ],
)
def test_refuses_what_cannot_be(values, message) -> None:
    with pytest.raises(ValueError, match=message):
        ScanRecipe.from_dict(values)
