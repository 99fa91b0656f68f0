"""Random intensity: drawn as configured, and left pending where a warp is."""

import numpy as np
import pytest

from mmmed.datasets import (
    LoadVolumePatch,
    RandomAffineVolume,
    RandomIntensityVolume,
    VolumeDataset,
)

OFF = {f'{name}_prob': 0.0 for name in ('gain', 'gamma', 'noise', 'blur', 'zoom')}


def make_sample(seed=0):
    img = np.random.default_rng(1).random((1, 6, 7, 8)).astype(np.float32)
    img.setflags(write=False)
    return {'img': img, 'rng': np.random.default_rng(seed)}


def test_nothing_drawn_changes_nothing():
    result = RandomIntensityVolume(**OFF)(make_sample())
    np.testing.assert_array_equal(result['img'], make_sample()['img'])


@pytest.mark.parametrize('name', ['gain', 'gamma', 'noise', 'blur', 'zoom'])
def test_each_change_alone_changes_the_image(name):
    only = RandomIntensityVolume(**{**OFF, f'{name}_prob': 1.0})
    result = only(make_sample())
    assert not np.array_equal(result['img'], make_sample()['img'])
    assert result['img'].shape == (1, 6, 7, 8)


def test_chances_are_those_of_the_configuration():
    change = RandomIntensityVolume(**{**OFF, 'gamma_prob': 0.3})
    drawn = [change(make_sample(seed))['applied'][0]['gamma'] for seed in range(500)]
    assert 115 < sum(gamma != 1 for gamma in drawn) < 185


def test_it_waits_for_a_pending_warp(make_volumes):
    item = VolumeDataset(str(make_volumes()), split='train').get_data_info(0)
    item['rng'] = np.random.default_rng(0)
    item = RandomAffineVolume(rotate_prob=1)(item)
    item = LoadVolumePatch((3, 3, 3))(item)
    before = item['img'].copy()
    item = RandomIntensityVolume(noise_prob=1)(item)
    np.testing.assert_array_equal(item['img'], before)
    assert item['pending_intensity'].noise_std > 0


@pytest.mark.parametrize('options', [{'zoom': (0.5, 2)}, {'blur_prob': -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match='expected'):
        RandomIntensityVolume(**options)
