import math
import warnings

import mmseg
import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss
from torch import nn

from mmmed.models.losses import (
    DiceCELoss,
    PixelFocalLoss,
    SoftDiceLoss,
    SoftTverskyLoss,
    TverskyFocalLoss,
)


@pytest.fixture
def pair(rng):
    """Two-channel logits and a target with ignored pixels, 2 x 5 x 7."""
    logits = torch.from_numpy(rng.normal(size=(2, 2, 5, 7)))
    return logits, torch.from_numpy(rng.choice([0, 1, 255], size=(2, 5, 7)))


@pytest.fixture
def host_ce():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return CrossEntropyLoss(class_weight=[1.0, 2.0])


@pytest.mark.parametrize('class_weight', [None, (1.0, 2.0), (0.2, 5.0)])
def test_cross_entropy_is_torchs_mean_over_valid_pixels(pair, class_weight):
    weight = None if class_weight is None else torch.tensor(class_weight).double()
    expected = nn.functional.cross_entropy(*pair, weight=weight, ignore_index=255)
    loss = DiceCELoss(dice_weight=0, class_weight=class_weight)
    torch.testing.assert_close(loss(*pair), expected)


@pytest.mark.skipif(mmseg.__version__ != '1.2.2', reason='mended in the onedl fork')
def test_host_crashes_on_class_weight_with_ignored_pixels(pair, host_ce):
    with pytest.raises(IndexError, match='255'):
        host_ce(*pair, ignore_index=255)


def test_host_crashes_on_an_all_ignored_sigmoid_batch():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        host = CrossEntropyLoss(use_sigmoid=True)
    with pytest.raises(RuntimeError, match='max'):
        host(torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2), 255), ignore_index=255)


def test_binary_value_by_hand():
    # p = 0.8 on the lesion pixel, 0.2 on the healthy one.
    logits = torch.tensor([[[math.log(4), -math.log(4)]]])
    target = torch.tensor([[1, 0]])
    dice = 1 - (2 * 0.8 + 1) / (2 * 0.8 + 0.2 + 0.2 + 1)
    cross_entropy = -math.log(0.8)
    loss = DiceCELoss()
    assert loss(logits, target).item() == pytest.approx(dice + cross_entropy)
    loss = DiceCELoss(dice_weight=0.5, ce_weight=2.0, loss_weight=3.0)
    expected = 3 * (0.5 * dice + 2 * cross_entropy)
    assert loss(logits, target).item() == pytest.approx(expected)


def test_dice_settings_reach_the_dice_term(pair):
    settings = {'batch_dice': True, 'include_background': True, 'smooth': 0.1}
    actual = DiceCELoss(ce_weight=0, **settings)(*pair)
    torch.testing.assert_close(actual, SoftDiceLoss(**settings)(*pair))


def test_tversky_focal_is_the_sum_of_its_terms(pair):
    loss = TverskyFocalLoss(
        tversky_weight=2, focal_weight=3, alpha=0.4, batch_dice=True
    )
    tversky = SoftTverskyLoss(alpha=0.4, batch_dice=True)(*pair)
    focal = PixelFocalLoss(alpha=0.8)(*pair)
    torch.testing.assert_close(loss(*pair), 2 * tversky + 3 * focal)


@pytest.mark.parametrize(
    ('part', 'settings'),
    [
        (DiceCELoss, {'dice_weight': -1}),
        (DiceCELoss, {'dice_weight': 0, 'ce_weight': 0}),
        (TverskyFocalLoss, {'focal_weight': -1}),
    ],
)
def test_impossible_weights_are_refused(part, settings):
    with pytest.raises(ValueError, match='term weights must be'):
        part(**settings)
