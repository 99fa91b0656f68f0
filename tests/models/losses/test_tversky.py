"""Tversky by number, beside the host's TverskyLoss where it fails."""

import pytest
import torch
from mmseg.models.losses import TverskyLoss

from mmmed.models.losses import FocalTverskyLoss, SoftDiceLoss, SoftTverskyLoss


@pytest.fixture
def box():
    """10 px lesion; the guess finds 6 of them and adds 2: TP 6, FP 2, FN 4."""
    target = torch.zeros(1, 5, 8, dtype=torch.long)
    target[0, :2, :5] = 1
    guess = torch.zeros_like(target)
    guess[0, :2, :3] = 1
    guess[0, 4, 6:] = 1
    return torch.where(guess == 1, 50.0, -50.0).unsqueeze(1), target


def test_one_channel_is_not_constant(box):
    logits, target = box
    perfect = torch.where(target == 1, 50.0, -50.0).unsqueeze(1)
    values = [SoftTverskyLoss()(z, target).item() for z in (perfect, logits, -perfect)]
    # s = 1: inverted has TP 0, FP 30, FN 10.
    expected = [0, 1 - 7 / (7 + 0.6 + 2.8), 1 - 1 / (1 + 9 + 7)]
    assert values == pytest.approx(expected, abs=1e-6)
    assert {TverskyLoss()(z, target).item() for z in (perfect, logits)} == {0.0}


@pytest.mark.parametrize(
    ('alpha', 'beta', 'index'),
    [
        (0.3, 0.7, 6 / 9.4),
        (0.7, 0.3, 6 / 8.6),
        (1.0, 1.0, 6 / 12),
        (0.2, 2.0, 6 / 14.4),
        (0.0, 1.0, 6 / 10),  # recall: false positives cost nothing
        (1.0, 0.0, 6 / 8),  # precision: false negatives cost nothing
    ],
)
def test_alpha_weighs_false_positives_and_the_sum_is_free(box, alpha, beta, index):
    loss = SoftTverskyLoss(alpha=alpha, beta=beta, smooth=0)
    assert loss(*box).item() == pytest.approx(1 - index, abs=1e-6)


def test_host_allows_no_other_sum():
    with pytest.raises(AssertionError):
        TverskyLoss(alpha=0.2, beta=2.0)


def test_one_half_each_is_dice(box):
    dice = SoftDiceLoss(smooth=1.0)(*box)
    tversky = SoftTverskyLoss(alpha=0.5, beta=0.5, smooth=0.5)(*box)
    torch.testing.assert_close(tversky, dice)


@pytest.mark.parametrize(('gamma', 'exponent'), [(1.0, 1.0), (4 / 3, 0.75), (2, 0.5)])
def test_focal_power_by_hand(box, gamma, exponent):
    loss = FocalTverskyLoss(gamma=gamma, smooth=0)
    assert loss(*box).item() == pytest.approx((3.4 / 9.4) ** exponent, abs=1e-6)


def test_focal_gradient_is_finite_at_a_perfect_prediction():
    target = torch.tensor([[1, 0, 1]])
    logits = torch.tensor([[[200.0, -200.0, 200.0]]], requires_grad=True)
    value = FocalTverskyLoss()(logits, target)
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ('part', 'settings', 'message'),
    [
        (SoftTverskyLoss, {'alpha': -0.1}, 'alpha and beta'),
        (SoftTverskyLoss, {'alpha': 0, 'beta': 0}, 'not both 0'),
        (FocalTverskyLoss, {'gamma': 0}, 'gamma must be > 0'),
    ],
)
def test_impossible_settings_are_refused(part, settings, message):
    with pytest.raises(ValueError, match=message):
        part(**settings)
