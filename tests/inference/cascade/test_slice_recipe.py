import numpy as np
import pytest

from mmmed.inference.cascade.slice_recipe import read_slice_recipe
from mmmed.registry import TRANSFORMS


@pytest.mark.parametrize(
    'steps',
    [
        [
            {'type': 'mmmed.FitSlice', 'size': [24, 24]},
            {'type': 'mmmed.WindowSlice', 'low': 2, 'high': 90},
        ],
        [
            {'type': 'mmmed.WindowSlice', 'nonzero': False},
            {'type': 'mmmed.FitSlice', 'size': [20, 26], 'pixel_mm': 1.1},
        ],
    ],
)
def test_inputs_are_those_of_the_training_pipeline(steps):
    img = np.random.default_rng(0).integers(0, 255, (2, 17, 31)).astype(np.float32)
    spacing = (1.6, 0.7)
    steps = [*steps, {'type': 'mmmed.PackSliceTargets'}]
    expected = []
    for plane in img:
        results = {'img': plane[..., None], 'img_spacing': spacing, 'seg_fields': []}
        for step in steps:
            results = TRANSFORMS.build(step)(results)
        expected.append(results['inputs'][0, 0, 0].numpy())
    found = read_slice_recipe(steps).apply(img, spacing)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.stack(expected))
