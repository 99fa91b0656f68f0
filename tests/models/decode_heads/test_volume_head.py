"""Losses of volumes at several depths, computed by hand."""

import pytest
import torch
from mmseg.structures import SegDataSample

from mmmed.models.decode_heads import VolumeHead
from mmmed.models.decode_heads.volume_head import pick_labels
from mmmed.models.losses import DiceCELoss, SoftDiceLoss
from mmmed.structures.voxel_data import VoxelData


def make_samples(labels):
    samples = [SegDataSample() for _ in labels]
    for sample, seg in zip(samples, labels, strict=True):
        sample.gt_sem_seg = VoxelData(data=seg[None])
    return samples


@pytest.fixture
def labels():
    seg = torch.randint(0, 3, (2, 4, 6, 8), generator=torch.Generator().manual_seed(0))
    seg[0, 0] = 255
    return seg.to(torch.uint8)


def test_one_depth_is_the_loss_itself(labels):
    logits = torch.randn(2, 3, 4, 6, 8)
    losses = VolumeHead(3).loss(logits, make_samples(labels))
    expected = DiceCELoss(batch_dice=True)(logits, labels)
    torch.testing.assert_close(losses['loss_dice_ce'], expected)
    assert 0 < losses['dice_train'] < 1


def test_depths_count_half_of_the_one_before(labels):
    depths = [torch.randn(2, 3, *size) for size in ((4, 6, 8), (4, 3, 4), (2, 2, 2))]
    head = VolumeHead(3, loss_decode={'type': 'mmmed.DiceCELoss'})
    losses = head.loss(depths, make_samples(labels))
    loss = DiceCELoss()
    parts = [loss(one, pick_labels(labels, one.shape[2:])) for one in depths]
    expected = (4 * parts[0] + 2 * parts[1] + parts[2]) / 7
    torch.testing.assert_close(losses['loss_dice_ce'], expected)


def test_given_weights_are_scaled_to_one(labels):
    depths = [torch.randn(2, 3, *size) for size in ((4, 6, 8), (2, 3, 4))]
    head = VolumeHead(
        3, loss_decode=[{'type': 'mmmed.SoftDiceLoss'}], depth_weights=(3, 1)
    )
    losses = head.loss(depths, make_samples(labels))
    loss = SoftDiceLoss()
    first, second = (loss(d, pick_labels(labels, d.shape[2:])) for d in depths)
    torch.testing.assert_close(losses['loss_dice'], 0.75 * first + 0.25 * second)
    with pytest.raises(ValueError, match='3 depths'):
        head.loss([*depths, depths[1]], make_samples(labels))


def test_labels_of_a_coarse_grid_lie_in_the_middle():
    seg = torch.arange(8).view(1, 1, 1, 8)
    assert pick_labels(seg, (1, 1, 4)).flatten().tolist() == [1, 3, 5, 7]
    assert pick_labels(seg, (1, 1, 2)).flatten().tolist() == [2, 6]
    assert pick_labels(seg, (1, 1, 8)) is seg


def test_prediction_of_one_channel_uses_the_threshold():
    head = VolumeHead(2, threshold=0.3)
    logits = torch.tensor([-2.0, -0.8, 3.0]).view(1, 1, 1, 1, 3)
    prob, labels = head.predict(logits)
    torch.testing.assert_close(prob, logits.sigmoid())
    assert labels.flatten().tolist() == [0, 1, 1]
    assert labels.dtype == torch.uint8


def test_it_has_no_parameters():
    assert not list(VolumeHead(3).parameters())


@pytest.mark.parametrize(
    'options',
    [
        {'num_classes': 1},
        {'num_classes': 3, 'out_channels': 1},
        {'num_classes': 3, 'out_channels': 2},
        {'num_classes': 2, 'threshold': 1.0},
        {'num_classes': 2, 'depth_weights': (0, 0)},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match=r'expected|must|cannot'):
        VolumeHead(**options)


def test_another_number_of_channels_names_both(labels):
    with pytest.raises(ValueError, match='gives 2 channels, expected 3'):
        VolumeHead(3).loss(torch.randn(2, 2, 4, 6, 8), make_samples(labels))
