import math

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.structures import SegDataSample

from mmmed.models.losses import DiceCELoss, PixelFocalLoss, SoftDiceLoss
from mmmed.registry import MODELS


def build_head(**settings):
    init_default_scope('mmseg')
    config = {
        'type': 'mmmed.MedFCNHead',
        'in_channels': 1,
        'channels': 1,
        'num_convs': 0,
        'concat_input': False,
        'num_classes': 2,
        'out_channels': 1,
        'loss_decode': {'type': 'mmmed.SoftDiceLoss'},
    }
    return MODELS.build({**config, **settings})


def sample(target):
    return SegDataSample(gt_sem_seg=PixelData(data=target[None]))


@pytest.fixture
def batch():
    """Two 4 x 6 label maps with a lesion of 5 px and an ignored pixel."""
    target = torch.zeros(2, 4, 6, dtype=torch.long)
    target[0, 1, :5] = 1
    target[1, 0, 0] = 255
    return target, [sample(labels) for labels in target]


def test_threshold_is_one_half_unless_said(recwarn):
    assert build_head().threshold == 0.5
    assert build_head(threshold=0.25).threshold == 0.25
    assert not [w for w in recwarn if 'threshold' in str(w.message)]
    with pytest.raises(ValueError, match=r'threshold must lie in \(0, 1\)'):
        build_head(threshold=1.0)


def test_loss_is_that_of_the_labels(batch):
    target, samples = batch
    logits = torch.linspace(-2, 2, 48).view(2, 1, 4, 6)
    losses = build_head().loss_by_feat(logits, samples)
    torch.testing.assert_close(losses['loss_dice'], SoftDiceLoss()(logits, target))
    # Pooled soft Dice without smoothing, the ignored pixel left out.
    prob = logits.sigmoid().squeeze(1)
    prob[1, 0, 0] = 0
    expected = 2 * prob[0, 1, :5].sum() / (prob.sum() + 5)
    torch.testing.assert_close(losses['dice_train'], expected)


def test_no_log_value_pretends_that_all_background_is_good(batch):
    _, samples = batch
    losses = build_head().loss_by_feat(torch.full((2, 1, 4, 6), -50.0), samples)
    assert set(losses) == {'loss_dice', 'dice_train'}
    assert losses['dice_train'].item() == pytest.approx(0, abs=1e-6)
    # The host calls the same prediction 90 % accurate: the share of background.
    host = FCNHead.loss_by_feat(build_head(), torch.full((2, 1, 4, 6), -50.0), samples)
    assert host['acc_seg'].item() == pytest.approx(100 * 42 / 47, abs=1e-3)


def test_dice_train_is_absent_without_foreground(batch):
    _, samples = batch
    losses = build_head().loss_by_feat(torch.zeros(1, 1, 4, 6), samples[1:])
    assert set(losses) == {'loss_dice'}


def test_dice_train_is_no_loss_and_has_no_gradient(build_unet, batch):
    _, samples = batch
    logits = torch.zeros(2, 1, 4, 6, requires_grad=True)
    losses = build_head().loss_by_feat(logits, samples)
    assert not losses['dice_train'].requires_grad
    total, logged = build_unet().parse_losses(losses)
    torch.testing.assert_close(total, losses['loss_dice'])
    assert 'dice_train' in logged


def test_logits_are_resized_to_the_labels(batch):
    _, samples = batch
    coarse = torch.full((2, 1, 2, 3), math.log(3))
    losses = build_head().loss_by_feat(coarse, samples)
    expected = 2 * 0.75 * 5 / (0.75 * 47 + 5)
    assert losses['dice_train'].item() == pytest.approx(expected)


def test_several_losses_are_kept_apart_or_added_by_name(batch):
    target, samples = batch
    logits = torch.linspace(-2, 2, 48).view(2, 1, 4, 6)
    head = build_head(
        loss_decode=[
            {'type': 'mmmed.DiceCELoss'},
            {'type': 'mmmed.PixelFocalLoss', 'loss_weight': 2.0},
            {'type': 'mmmed.SoftDiceLoss', 'loss_name': 'loss_focal'},
        ]
    )
    losses = head.loss_by_feat(logits, samples)
    torch.testing.assert_close(losses['loss_dice_ce'], DiceCELoss()(logits, target))
    both = 2 * PixelFocalLoss()(logits, target) + SoftDiceLoss()(logits, target)
    torch.testing.assert_close(losses['loss_focal'], both)


def test_classes_absent_from_the_batch_do_not_count():
    head = build_head(num_classes=3, out_channels=3)
    target = torch.tensor([[[0, 2, 2, 0]]])
    logits = torch.nn.functional.one_hot(target, 3).movedim(-1, 1) * 100.0
    losses = head.loss_by_feat(logits, [sample(target[0])])
    assert losses['dice_train'].item() == pytest.approx(1)


def test_hosts_hard_pixel_sampler_weighs_the_pixels(batch):
    _, samples = batch
    head = build_head(
        num_classes=2,
        out_channels=2,
        sampler={'type': 'OHEMPixelSampler', 'thresh': 0.7, 'min_kept': 4},
        loss_decode={'type': 'mmmed.PixelFocalLoss', 'alpha': None, 'gamma': 0.0},
    )
    logits = torch.zeros(2, 2, 4, 6)
    logits[:, 0] = 5.0  # sure of background; the 5 lesion pixels are hard
    losses = head.loss_by_feat(logits, samples)
    easy = math.log1p(math.exp(-5))
    # The sampler keeps p < 0.7: the lesion pixels alone.
    assert losses['loss_focal'].item() == pytest.approx(5 + easy, rel=1e-5)
