import numpy as np
import pytest
import torch

from mmmed.datasets.transforms import PackSliceTargets


def test_a_slice_is_a_region_one_voxel_thick(make_sample):
    sample = make_sample(channels=2) | {'targets': {'view': 1, 'anatomy': -1}}
    packed = PackSliceTargets()(sample)
    assert packed['inputs'].shape == (1, 2, 1, 24, 16)
    assert packed['inputs'].dtype is torch.float32
    expected = torch.from_numpy(sample['img'].astype(np.float32) / 255)
    assert torch.equal(packed['inputs'][0, :, 0].permute(1, 2, 0), expected)
    labels = packed['data_samples']
    assert labels.gt_targets == {'view': 1, 'anatomy': -1}
    assert labels.available.tolist() == [True]
    assert (labels.case_id, labels.img_shape) == ('049_0', (24, 16))


def test_chooses_targets(make_sample):
    sample = make_sample() | {'targets': {'view': 1, 'anatomy': 0}}
    packed = PackSliceTargets(targets=['anatomy'])(dict(sample))
    assert packed['data_samples'].gt_targets == {'anatomy': 0}
    with pytest.raises(ValueError, match=r"049_0: no target \['cord'\]"):
        PackSliceTargets(targets=['cord'])(sample)
    assert 'gt_targets' not in PackSliceTargets()(make_sample())['data_samples']


def test_refuses_what_is_no_picture(make_sample):
    with pytest.raises(ValueError, match='NaN or infinity'):
        PackSliceTargets()(make_sample() | {'img': np.full((2, 2, 1), np.nan)})
    with pytest.raises(ValueError, match=r'expected \(H, W, C\)'):
        PackSliceTargets()(make_sample() | {'img': np.ones((2, 2))})
