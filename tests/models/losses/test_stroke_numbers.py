"""Losses of the stroke comparison by number, with the settings that were published."""

import math

import pytest
import torch

from mmmed.models.losses import (
    EnhancedMixingLoss,
    FocalTverskyLoss,
    PixelFocalLoss,
    SoftDiceLoss,
    SoftTverskyLoss,
    TverskyFocalLoss,
)

DICE = SoftDiceLoss(batch_dice=True)
SQUARED_DICE = SoftDiceLoss(batch_dice=True, square_errors=True)
FOCAL = PixelFocalLoss(alpha=0.8)
TVERSKY = SoftTverskyLoss(batch_dice=True)
SUM = TverskyFocalLoss(batch_dice=True)
POWER = FocalTverskyLoss(batch_dice=True)
EML = EnhancedMixingLoss(batch_dice=True)
# Logit of -200: probability exactly 0 in float32.
NEVER = -200.0


def batch(prob, truth, shape=(2, 3, 5)):
    """One probability and one label everywhere: logits (2, 1, 3, 5), labels."""
    logit = NEVER if prob == 0 else math.log(prob / (1 - prob))
    target = torch.full(shape, truth)
    return torch.full((shape[0], 1, *shape[1:]), logit), target


@pytest.mark.parametrize(
    ('loss', 'prob', 'truth', 'expected'),
    [
        (DICE, 0, 0, 0.0),
        (SQUARED_DICE, 0, 0, 0.0),
        (TVERSKY, 0, 0, 0.0),
        (POWER, 0, 0, 0.0),
        (SUM, 0, 0, 0.0),
        (EML, 0, 0, 0.0),
        (TVERSKY, 0, 1, 1 - 1 / (0.7 * 30 + 1)),
        (POWER, 0, 1, (1 - 1 / (0.7 * 30 + 1)) ** 0.75),
        (DICE, 0, 1, 1 - 1 / 31),
        (FOCAL, 0.5, 1, 0.13863),
        (FOCAL, 0.5, 0, 0.03466),
        # p = 1/2 on 30 healthy pixels: 15 soft false positives, squares 7.5.
        (TVERSKY, 0.5, 0, 1 - 1 / (0.3 * 15 + 1)),
        (DICE, 0.5, 0, 1 - 1 / 16),
        (SQUARED_DICE, 0.5, 0, 1 - 1 / 8.5),
        (SUM, 0.5, 0, 1 - 1 / 5.5 + 0.2 * 0.25 * math.log(2)),
        # p = 1/2 on 30 lesion pixels: TP 15; sum(g^2) + sum(p^2) = 30 + 7.5.
        (DICE, 0.5, 1, 1 - 31 / 46),
        (SQUARED_DICE, 0.5, 1, 1 - 31 / 38.5),
        (SUM, 0.5, 1, 1 - 16 / (15 + 0.7 * 15 + 1) + 0.8 * 0.25 * math.log(2)),
        (EML, 0.5, 1, 0.48 * 0.5**1.1 * math.log(2) - math.log(31 / 38.5)),
        (EML, 0.5, 0, 0.52 * 0.5**1.1 * math.log(2) + math.log(8.5)),
    ],
)
def test_values_by_hand(loss, prob, truth, expected):
    assert loss(*batch(prob, truth)).item() == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize('exponent', [0.5, 1.0, 2.0])
def test_power_of_the_tversky_error(exponent):
    loss = FocalTverskyLoss(gamma=1 / exponent, batch_dice=True)
    error = 1 - 16 / 26.5
    assert loss(*batch(0.5, 1)).item() == pytest.approx(error**exponent, rel=1e-5)


def test_squared_denominators_on_random_probabilities(rng):
    prob = torch.from_numpy(rng.uniform(0.01, 0.99, size=(3, 1, 4, 7)))
    target = torch.from_numpy(rng.integers(0, 2, size=(3, 4, 7)))
    truth = target.unsqueeze(1).double()
    overlap = 2 * (prob * truth).sum() + 1
    expected = overlap / (truth.square().sum() + prob.square().sum() + 1)
    found = SQUARED_DICE(prob.logit(), target)
    torch.testing.assert_close(found, 1 - expected, rtol=1e-12, atol=0)


def test_enhanced_mixing_loss_is_its_formula(rng):
    prob = torch.from_numpy(rng.uniform(0.01, 0.99, size=(3, 1, 4, 7)))
    target = torch.from_numpy(rng.integers(0, 2, size=(3, 4, 7)))
    g = target.unsqueeze(1).double()
    focal = g * 0.48 * (1 - prob) ** 1.1 * prob.log()
    focal = focal + (1 - g) * 0.52 * prob**1.1 * (1 - prob).log()
    dice = (2 * (prob * g).sum() + 1) / (g.sum() + (prob**2).sum() + 1)
    expected = -focal.mean() - dice.log()
    torch.testing.assert_close(EML(prob.logit(), target), expected)


def test_smoothing_is_an_option_except_under_the_logarithm():
    assert SoftDiceLoss(smooth=0)(*batch(0, 1)).item() == 1
    with pytest.raises(ValueError, match='smooth must be > 0'):
        EnhancedMixingLoss(smooth=0)
