"""Volumes in the host's data samples."""

import pytest
import torch
from mmseg.structures import SegDataSample

from mmmed.structures.voxel_data import VoxelData


def test_a_sample_takes_it_as_labels_and_gives_it_back():
    sample = SegDataSample()
    sample.gt_sem_seg = VoxelData(data=torch.ones(1, 2, 3, 4))
    assert sample.gt_sem_seg.shape == (2, 3, 4)
    assert sample.to_dict()['gt_sem_seg']['data'].shape == (1, 2, 3, 4)
    assert sample.to('cpu').gt_sem_seg.data.sum() == 24
    assert sample.cpu().clone().gt_sem_seg.shape == (2, 3, 4)


@pytest.mark.parametrize('data', [torch.ones(2, 3, 4), [1, 2]])
def test_anything_but_four_axes_is_refused(data):
    with pytest.raises(ValueError, match='expected values of'):
        VoxelData(data=data)


def test_values_of_one_element_share_their_grid():
    element = VoxelData(data=torch.ones(1, 2, 3, 4))
    with pytest.raises(ValueError, match='expected'):
        element.prob = torch.ones(2, 2, 3, 5)
