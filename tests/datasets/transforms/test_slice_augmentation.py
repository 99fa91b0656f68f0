import numpy as np
import pytest

from mmmed.datasets.transforms import (
    RandomCurveSlice,
    RandomFieldSlice,
    SliceAugmentation,
)
from mmmed.datasets.transforms.slice_recipes import RECIPES
from mmmed.datasets.transforms.slice_warps import SliceWarp
from mmmed.registry import TRANSFORMS

# Name and probability of each step, as the study lists them.
PUBLISHED = {
    'A': 'Contrast .5',
    'B': 'Blur .2 CropResize .2 Flip .3 Contrast .2 Noise .2 Pose .1',
    'C': '',
    'D': 'Contrast .5',
    'E': 'Blur .2 CropResize .2 Flip .3 Contrast .2 Noise .2 Pose .1',
    'F': (
        'Blur .1 CropResize .1 Gamma .3 Contrast .2 Noise .2 Gain .15 Elastic .2 '
        'Grid .1 Lens .1 Pose .2 Flip .3 Dropout .1 Bias .2'
    ),
}


@pytest.fixture
def make_slice(make_sample):
    """A picture of waves with two channels, float32, (48, 70)."""
    ys, xs = np.mgrid[:48, :70]
    waves = 128 + 60 * np.sin(ys / 6) + 60 * np.cos(xs / 8)
    img = np.stack([waves, 255 - waves], axis=-1).astype(np.float32)
    seg = ((ys - 20) ** 2 + (xs - 40) ** 2 < 90).astype(np.uint8)
    img.setflags(write=False)
    seg.setflags(write=False)
    return lambda seed: make_sample(seed=seed) | {'img': img, 'gt_seg_map': seg}


@pytest.mark.parametrize('recipe', RECIPES)
def test_steps_are_the_published_ones_in_order(recipe):
    found = ' '.join(
        f'{step["type"].removeprefix("mmmed.Random").removesuffix("Slice")} '
        f'{step["prob"]:g}'.replace(' 0.', ' .')
        for step in RECIPES[recipe]
    )
    assert found == PUBLISHED[recipe]


def test_steps_happen_as_often_as_they_should(make_sample):
    augment = SliceAugmentation(recipe='F')
    counts = dict.fromkeys((type(step).__name__ for step in augment.steps), 0)
    for seed in range(600):
        for record in augment(make_sample(seed=seed)).get('applied', []):
            counts[record['type']] += 1
    expected = [600 * step.prob for step in augment.steps]
    assert list(counts.values()) == pytest.approx(expected, rel=0, abs=45)


def test_once_resampled_is_what_the_steps_do_one_by_one(make_slice):
    warps = [{**s, 'prob': 0.8} for s in RECIPES['F'] if is_warp(s)]
    assert len(warps) == 5
    augment, alone = SliceAugmentation(steps=warps), map(TRANSFORMS.build, warps)
    alone = list(alone)
    for seed in range(6):
        once, twice = augment(make_slice(seed)), make_slice(seed)
        for step in alone:
            twice = step(twice)
        assert once['applied'] == twice['applied']
        inside = np.s_[8:-8, 8:-8]
        # Each resampling blurs; the difference is that blur.
        assert np.abs(once['img'] - twice['img'])[inside].max() < 8
        assert (once['gt_seg_map'] != twice['gt_seg_map']).mean() < 0.02


def is_warp(step):
    return issubclass(TRANSFORMS.get(step['type']), SliceWarp)


@pytest.mark.parametrize('recipe', ['B', 'E', 'F'])
def test_same_generator_same_bits_and_labels_stay_labels(make_slice, recipe):
    always = [{**step, 'prob': 1.0} for step in RECIPES[recipe]]
    augment = SliceAugmentation(steps=always)
    for seed in range(3):
        first, second = augment(make_slice(seed)), augment(make_slice(seed))
        assert np.array_equal(first['img'], second['img'])
        assert np.array_equal(first['gt_seg_map'], second['gt_seg_map'])
        assert set(np.unique(first['gt_seg_map'])) <= {0, 1}
        assert first['img'].dtype == np.float32
        assert first['img'].min() >= 0
        assert first['img'].max() <= 255
        assert len(first['applied']) == len(always)


@pytest.mark.parametrize('shape', [(1, 1), (2, 3), (1, 9)])
def test_tiny_slices_survive(make_sample, shape):
    always = [{**step, 'prob': 1.0} for step in RECIPES['F']]
    sample = make_sample() | {
        'img': np.ones((*shape, 1), np.float32),
        'gt_seg_map': np.ones(shape, np.uint8),
    }
    out = SliceAugmentation(steps=always)(sample)
    assert out['img'].shape == (*shape, 1)
    assert np.array_equal(out['gt_seg_map'], np.ones(shape))
    assert np.isfinite(out['img']).all()


def test_label_moves_with_its_picture(make_sample):
    """A bright disc and its label stay on each other through all deformations."""
    ys, xs = np.mgrid[:64, :80]
    disc = (ys - 30) ** 2 + (xs - 42) ** 2 < 120
    warps = [{**s, 'prob': 1.0} for s in RECIPES['F'] if is_warp(s)]
    augment = SliceAugmentation(steps=warps)
    for seed in range(5):
        sample = make_sample(seed=seed) | {
            'img': (disc * 200).astype(np.float32)[..., None],
            'gt_seg_map': disc.astype(np.uint8),
        }
        out = augment(sample)
        bright = out['img'][..., 0] > 100
        overlap = (bright & (out['gt_seg_map'] == 1)).sum()
        assert 2 * overlap / (bright.sum() + out['gt_seg_map'].sum()) > 0.97


@pytest.mark.parametrize('options', [{}, {'recipe': 'A', 'steps': []}, {'recipe': 'G'}])
def test_refuses(options):
    with pytest.raises(ValueError, match='recipe'):
        SliceAugmentation(**options)


def test_curves_are_full_of_contrast_and_keep_air_black(make_sample):
    sample = make_sample(seed=3)
    sample['img'] = np.linspace(0, 255, 511, dtype=np.float32).reshape(7, 73, 1)
    step = RandomCurveSlice(knots=3)
    changed = step(sample)
    levels = changed['applied'][-1]['levels']
    assert len(levels) == 3
    assert max(levels) == 255
    assert 0 < min(levels) < 255
    values = changed['img'].ravel()
    assert values[0] == 0
    np.testing.assert_allclose(values[[170, 340, 510]], levels, rtol=1e-5)
    with pytest.raises(ValueError, match='knots is 0'):
        RandomCurveSlice(knots=0)


def test_a_field_of_view_lies_in_what_is_not_black(make_sample):
    img = np.zeros((40, 60, 2), np.float32)
    img[5:30, 10:50] = 7
    step = RandomFieldSlice(size_px=(8, 30))
    corners, sides = [], []
    for seed in range(40):
        out = step(make_sample(seed=seed) | {'img': img})
        top, left, rows, columns = out['applied'][-1]['box']
        expected = np.zeros_like(img)
        expected[top : top + rows, left : left + columns] = 7
        np.testing.assert_array_equal(out['img'], expected)
        assert (out['img'] > 0).sum() == 2 * rows * columns
        corners.append((top, left))
        sides.append((rows, columns))
    assert (min(s[0] for s in sides), max(s[0] for s in sides)) == (8, 25)
    assert 8 <= min(s[1] for s in sides) < max(s[1] for s in sides) <= 30
    assert {5} < {corner[0] for corner in corners}
    black = step(make_sample(seed=1) | {'img': 0 * img})['img']
    assert not black.any()
    with pytest.raises(ValueError, match='size_px'):
        RandomFieldSlice(size_px=(0, 4))
