"""Focal loss by number, beside the host's FocalLoss where it fails on the CPU."""

import math

import pytest
import torch
from mmseg.models.losses import FocalLoss
from torch import nn

from mmmed.models.losses import PixelFocalLoss


@pytest.mark.parametrize('channels', [1, 2, 4])
def test_works_on_the_cpu_for_every_number_of_channels(channels, rng):
    logits = torch.from_numpy(rng.normal(size=(2, channels, 3, 5))).float()
    target = torch.from_numpy(rng.integers(0, max(2, channels), size=(2, 3, 5)))
    assert math.isfinite(PixelFocalLoss()(logits, target))
    with pytest.raises((ValueError, RuntimeError)):
        FocalLoss()(logits, target)


def test_value_by_hand_with_ignored_pixel_and_weight():
    # p = 3/4 on lesion, on background and on an ignored pixel.
    logits = torch.full((1, 1, 3), math.log(3))
    target = torch.tensor([[1, 0, 255]])
    lesion = 0.25 * 0.25**2 * math.log(4 / 3)
    healthy = 0.75 * 0.75**2 * math.log(4)
    loss = PixelFocalLoss()
    assert loss(logits, target).item() == pytest.approx((lesion + healthy) / 2)
    weighted = loss(logits, target, torch.tensor([[3.0, 1.0, 5.0]])).item()
    assert weighted == pytest.approx((3 * lesion + healthy) / 4)
    weighted = PixelFocalLoss(class_weight=(1, 3))(logits, target).item()
    assert weighted == pytest.approx((3 * lesion + healthy) / 4)


def test_no_focus_and_no_balance_is_cross_entropy(rng):
    logits = torch.from_numpy(rng.normal(size=(2, 3, 4, 5)))
    target = torch.from_numpy(rng.choice([0, 1, 2, 255], size=(2, 4, 5)))
    expected = nn.functional.cross_entropy(logits, target, ignore_index=255)
    actual = PixelFocalLoss(alpha=None, gamma=0.0)(logits, target)
    torch.testing.assert_close(actual, expected)


def test_sure_pixels_are_turned_down():
    # Wrong with p = 0.1 against right with p = 0.9, gamma 2: factor (0.9 / 0.1)^2.
    logits = torch.tensor([[[math.log(1 / 9), math.log(9)]]])
    target = torch.ones(1, 2, dtype=torch.long)
    plain = PixelFocalLoss(alpha=None, gamma=0.0)
    focal = PixelFocalLoss(alpha=None, gamma=2.0)

    def ratio(loss):
        hard = loss(logits[..., :1], target[:, :1])
        return (hard / loss(logits[..., 1:], target[:, 1:])).item()

    assert ratio(focal) == pytest.approx(81 * ratio(plain), rel=1e-5)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [({'alpha': 1.5}, r'alpha must lie in \[0, 1\]'), ({'gamma': -1}, 'gamma must be')],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PixelFocalLoss(**settings)
