"""Dice by number, each beside what the host's DiceLoss gives for the same input."""

import pytest
import torch
from mmseg.models.losses import DiceLoss

from mmmed.models.losses import SoftDiceLoss


@pytest.fixture
def half_lesion():
    """Lesion in the upper half of 64 x 48; sure and right one-channel logits."""
    target = torch.zeros(1, 64, 48, dtype=torch.long)
    target[:, :32] = 1
    return torch.where(target == 1, 20.0, -20.0).unsqueeze(1), target


def test_predicting_only_background_costs_one_per_lesion():
    target = torch.zeros(1, 512, 512, dtype=torch.long)
    target.view(-1)[:183] = 1  # 0.07 % of the image, as in the Cranium set
    logits = torch.zeros(1, 2, 512, 512)
    logits[:, 0] = 20.0
    assert SoftDiceLoss()(logits, target).item() == pytest.approx(1 - 1 / 184, abs=1e-5)
    assert SoftDiceLoss(smooth=1e-5)(logits, target).item() == pytest.approx(
        1, abs=1e-4
    )
    host = DiceLoss(use_sigmoid=False)(logits, target).item()
    assert host == pytest.approx(0.0007, abs=5e-5)


def test_one_channel_learns_the_lesion_not_its_inverse(half_lesion):
    logits, target = half_lesion
    assert SoftDiceLoss()(logits, target).item() == pytest.approx(0, abs=1e-6)
    # 1 - (0 + 1) / (1536 + 1536 + 1)
    inverted = SoftDiceLoss()(-logits, target).item()
    assert inverted == pytest.approx(1 - 1 / 3073, abs=1e-6)
    assert DiceLoss()(logits, target).item() == pytest.approx(1, abs=1e-3)
    assert DiceLoss()(-logits, target).item() == pytest.approx(0, abs=1e-3)


def test_ignored_pixels_do_not_lower_a_perfect_prediction(half_lesion):
    logits, target = half_lesion
    logits = torch.cat([-logits, logits], dim=1)
    target[:, :, :24] = 255
    assert SoftDiceLoss()(logits, target).item() == pytest.approx(0, abs=1e-6)
    host = DiceLoss(use_sigmoid=False)(logits, target).item()
    assert host == pytest.approx(1 / 3, abs=1e-3)


def test_shifted_square_has_the_analytic_value():
    # A 6 x 10 box shifted by 2 rows: Dice 1 - 2/6; smoothed (80 + 1) / (120 + 1).
    target = torch.zeros(1, 20, 16, dtype=torch.long)
    target[0, 4:10, 3:13] = 1
    logits = torch.where(target.roll(2, dims=1) == 1, 40.0, -40.0).unsqueeze(1)
    assert SoftDiceLoss(smooth=0)(logits, target).item() == pytest.approx(1 / 3)
    assert SoftDiceLoss()(logits, target).item() == pytest.approx(1 - 81 / 121)


def test_false_alarm_on_an_empty_image_costs_by_its_size():
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    logits = torch.full((1, 1, 8, 8), -60.0)
    logits[0, 0, 0, :3] = 60.0
    assert SoftDiceLoss()(logits, target).item() == pytest.approx(1 - 1 / 4)
    assert SoftDiceLoss(smooth=0)(logits, target).item() == pytest.approx(1)
    silent = torch.full((1, 1, 8, 8), -200.0)  # probability exactly 0 in float32
    assert SoftDiceLoss(smooth=0)(silent, target).item() == 0


def test_classes_are_averaged_with_their_weights():
    # Class 1 found, class 2 missed (4 px), background right elsewhere.
    target = torch.tensor([[0, 0, 1, 1, 2, 2, 2, 2]])
    guess = torch.tensor([[0, 0, 1, 1, 0, 0, 0, 0]])
    logits = torch.nn.functional.one_hot(guess, 3).movedim(-1, 1) * 200.0
    loss = SoftDiceLoss(smooth=0)
    assert loss(logits, target).item() == pytest.approx(0.5)
    loss = SoftDiceLoss(smooth=0, class_weight=(9, 3, 1))
    assert loss(logits, target).item() == pytest.approx(0.25)
    # Background: 2 of 2 found with 4 false positives: 1 - 4/8.
    loss = SoftDiceLoss(smooth=0, include_background=True)
    assert loss(logits, target).item() == pytest.approx((0.5 + 0 + 1) / 3)
