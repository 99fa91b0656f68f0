"""Mirrors and warps of loaded volumes."""

import numpy as np
import pytest

from mmmed.datasets import RandomAffineVolume, RandomFlipVolume


@pytest.fixture
def sample(rng):
    def make(seed: int = 0, shape=(10, 14, 12)) -> dict:
        img = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
        seg = np.zeros(shape, np.uint8)
        seg[2:5, 3:9, 4:7] = 2
        img.setflags(write=False)
        seg.setflags(write=False)
        return {
            'img': img,
            'gt_seg_map': seg,
            'seg_fields': ['gt_seg_map'],
            'img_spacing': [3.0, 1.0, 1.0],
            'inside': ((1, 10), (0, 14), (0, 11)),
            'rng': np.random.default_rng(seed),
        }

    return make


def test_a_mirror_moves_arrays_and_inside(sample):
    before = sample()
    after = RandomFlipVolume(axes=('Z', 'X'), axis_prob=1.0)(sample())
    np.testing.assert_array_equal(after['img'], before['img'][:, ::-1, :, ::-1])
    np.testing.assert_array_equal(
        after['gt_seg_map'], before['gt_seg_map'][::-1, :, ::-1]
    )
    assert after['inside'] == ((0, 9), (0, 14), (1, 12))
    assert after['applied'][0]['axes'] == ['Z', 'X']


def test_every_axis_is_mirrored_half_of_the_time(sample):
    flip = RandomFlipVolume()
    drawn = [flip(sample(seed))['applied'][0]['axes'] for seed in range(400)]
    for axis in 'ZYX':
        assert 160 < sum(axis in axes for axes in drawn) < 240


def test_nothing_drawn_changes_nothing(sample):
    before = sample()
    affine = RandomAffineVolume(rotate_prob=0, scale_prob=0, elastic_prob=0)
    after = affine(sample())
    np.testing.assert_array_equal(after['img'], before['img'])
    np.testing.assert_array_equal(after['gt_seg_map'], before['gt_seg_map'])


def test_parameters_are_drawn_alike_whatever_the_probabilities(sample):
    always = RandomAffineVolume(rotate_prob=1, scale_prob=1, elastic_prob=1)
    never = RandomAffineVolume(rotate_prob=1, scale_prob=0, elastic_prob=0)
    one, other = (t(sample(5))['applied'][0] for t in (always, never))
    assert one['angles_deg'] == other['angles_deg']
    assert one['elastic_seed'] == other['elastic_seed']
    assert other['scale'] == [1.0] * 3
    assert one['scale'][0] == one['scale'][1] != 1.0


def test_labels_stay_labels_and_the_outside_is_ignored(sample):
    affine = RandomAffineVolume(angle_deg=45, rotate_prob=1, elastic_prob=1)
    for seed in range(5):
        after = affine(sample(seed))
        assert set(np.unique(after['gt_seg_map'])) <= {0, 2, 255}
        assert after['img'].dtype == np.float32


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        (RandomAffineVolume, {'angle_deg': 200}),
        (RandomAffineVolume, {'scale': (1.2, 0.8)}),
        (RandomAffineVolume, {'elastic_cell_mm': 0}),
        (RandomAffineVolume, {'elastic_prob': 2}),
        (RandomFlipVolume, {'axes': ('W',)}),
    ],
)
def test_impossible_options_are_refused(kind, options):
    with pytest.raises(ValueError, match='expected'):
        kind(**options)
