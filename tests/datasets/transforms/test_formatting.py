import numpy as np
import pytest
import torch

from mmmed.datasets.transforms.formatting import PackMedInputs


@pytest.mark.parametrize('channels', [1, 2])
def test_packs_planes_labels_and_facts(make_sample, channels):
    sample = make_sample(channels=channels)
    packed = PackMedInputs()(sample)
    assert packed.keys() == {'inputs', 'data_samples'}
    assert packed['inputs'].dtype == torch.uint8
    assert packed['inputs'].shape == (channels, 24, 16)
    assert packed['inputs'].is_contiguous()
    for c in range(channels):
        assert np.array_equal(packed['inputs'][c].numpy(), sample['img'][..., c])
    target = packed['data_samples'].gt_sem_seg.data
    assert (target.dtype, target.shape) == (torch.int64, (1, 24, 16))
    assert np.array_equal(target[0].numpy(), sample['gt_seg_map'])
    meta = packed['data_samples'].metainfo
    assert meta['case_id'] == '049_0'
    assert meta['spacing'] == [0.5, 0.8]
    assert meta['img_padding_size'] == (1, 2, 3, 4)
    assert 'rng' not in meta


def test_labels_as_bytes_are_the_same_labels(make_sample):
    sample = make_sample()
    target = PackMedInputs(label_dtype='uint8')(sample)['data_samples'].gt_sem_seg.data
    assert (target.dtype, target.shape) == (torch.uint8, (1, 24, 16))
    assert np.array_equal(target[0].numpy(), sample['gt_seg_map'])


def test_refuses_other_label_types():
    with pytest.raises(ValueError, match="label_dtype is 'int32'"):
        PackMedInputs(label_dtype='int32')


def test_unlabelled_image(make_sample):
    sample = make_sample()
    del sample['gt_seg_map']
    assert 'gt_sem_seg' not in PackMedInputs()(sample)['data_samples']


def test_keys_can_be_chosen(make_sample):
    sample = make_sample() | {'applied': [{'type': 'A', 'level': 1}]}
    meta = PackMedInputs(meta_keys=['applied'])(sample)['data_samples'].metainfo
    assert meta == {'applied': [{'type': 'A', 'level': 1}]}


@pytest.mark.parametrize('key', ['img', 'gt_seg_map'])
def test_refuses_other_dimensions(make_sample, key):
    sample = make_sample() | {key: np.zeros((4, 3, 2, 1), np.uint8)}
    with pytest.raises(ValueError, match=f'{key} has shape'):
        PackMedInputs()(sample)
