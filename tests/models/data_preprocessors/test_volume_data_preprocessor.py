"""A batch that the device augments is the batch that the workers would have made."""

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

from mmmed.functional.volume_intensity import IntensityChange, change_intensity
from mmmed.functional.volume_warp import (
    VolumeWarp,
    build_matrix,
    draw_control,
    warp_volumes,
)
from mmmed.models.data_preprocessors import VolumeDataPreprocessor
from mmmed.structures.voxel_data import VoxelData


class Pending:
    def __init__(self, warp, size):
        self.warp, self.size = warp, size


def make_sample(seg, **meta):
    sample = SegDataSample(metainfo=meta)
    if seg is not None:
        sample.gt_sem_seg = VoxelData(data=seg[None])
    return sample


def test_volumes_are_padded_at_the_end():
    data = {
        'inputs': [torch.ones(1, 4, 5, 6), torch.ones(1, 3, 6, 6)],
        'data_samples': [
            make_sample(torch.ones(4, 5, 6, dtype=torch.uint8)),
            make_sample(torch.ones(3, 6, 6, dtype=torch.uint8)),
        ],
    }
    batch = VolumeDataPreprocessor(pad_val=-1.0)(data, training=True)
    assert batch['inputs'].shape == (2, 1, 4, 6, 6)
    assert (batch['inputs'] == -1).sum() == 24 + 36
    labels = [sample.gt_sem_seg.data for sample in batch['data_samples']]
    assert [int((seg == 255).sum()) for seg in labels] == [24, 36]


def test_what_is_pending_is_what_the_workers_would_do(rng):
    size = (6, 8, 7)
    shapes = [(12, 14, 13), (15, 12, 14)]
    imgs = [torch.from_numpy(rng.random((2, *s)).astype(np.float32)) for s in shapes]
    segs = [torch.from_numpy(rng.integers(0, 3, s).astype(np.uint8)) for s in shapes]
    control, cell = draw_control(3, size, (1, 1, 1), std_mm=1.0, cell_mm=8.0)
    matrix = build_matrix((20, -10, 35), (1.1, 0.9, 1), (1, 1, 1))
    warps = [
        VolumeWarp(matrix, (6.2, 7.0, 6.5), control, cell),
        VolumeWarp(np.eye(3), (7.5, 6.5, 7.0)),
    ]
    changes = [IntensityChange(gamma=1.3, noise_std=0.1, noise_at=7), None]
    samples = [
        make_sample(
            seg, pending_warp=Pending(warp, size), pending_intensity=change, case_id='a'
        )
        for seg, warp, change in zip(segs, warps, changes, strict=True)
    ]
    batch = VolumeDataPreprocessor()({'inputs': imgs, 'data_samples': samples}, True)
    for k in range(2):
        img, seg = warp_volumes(imgs[k][None], segs[k][None], [warps[k]], size)
        if changes[k] is not None:
            img = change_intensity(img, [changes[k]])
        torch.testing.assert_close(batch['inputs'][k], img[0], atol=1e-4, rtol=0)
        sample = batch['data_samples'][k]
        assert torch.equal(sample.gt_sem_seg.data[0], seg[0])
        assert sample.img_shape == size


def test_samples_without_labels_pass():
    data = {'inputs': [torch.ones(1, 4, 5, 6, dtype=torch.uint8)], 'data_samples': None}
    assert VolumeDataPreprocessor()(data)['inputs'].dtype == torch.float32


def test_patches_without_a_warp_stay_as_they_are():
    warp = Pending(VolumeWarp(np.eye(3), (2.5, 1.5, 1.5)), (4, 4, 4))
    seg = torch.zeros(4, 4, 4, dtype=torch.uint8)
    ramp = torch.arange(4.0).view(1, 4, 1, 1).expand(1, 4, 4, 4)
    data = {
        'inputs': [ramp, ramp],
        'data_samples': [make_sample(seg, pending_warp=warp), make_sample(seg + 1)],
    }
    batch = VolumeDataPreprocessor()(data, True)
    assert torch.equal(batch['inputs'][1], ramp)
    assert batch['inputs'][0, 0, :, 0, 0].tolist() == [1, 2, 3, 0]
    assert batch['data_samples'][0].gt_sem_seg.data[0, :, 0, 0].tolist() == [
        0,
        0,
        0,
        255,
    ]
    assert (batch['data_samples'][1].gt_sem_seg.data == 1).all()


def test_patches_of_other_sizes_are_refused():
    warp = Pending(VolumeWarp(np.eye(3), (1.5, 1.5, 1.5)), (4, 4, 4))
    seg = torch.zeros(4, 4, 5, dtype=torch.uint8)
    data = {
        'inputs': [torch.ones(1, 4, 4, 5)] * 2,
        'data_samples': [make_sample(seg, pending_warp=warp), make_sample(seg)],
    }
    with pytest.raises(ValueError, match='expected one size'):
        VolumeDataPreprocessor()(data, True)
