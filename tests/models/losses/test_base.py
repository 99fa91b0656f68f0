import pytest
import torch

from mmmed.models.losses import SoftDiceLoss


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'smooth': -1}, 'smooth must be >= 0'),
        ({'class_weight': (1, -1)}, 'class_weight must be >= 0'),
        ({'class_weight': (0, 0)}, 'not all 0'),
        ({'class_weight': (1, 0)}, 'leaves no class to learn'),
    ],
)
def test_settings_that_cannot_train_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SoftDiceLoss(**settings)


def test_background_weight_is_unused_without_background():
    assert SoftDiceLoss(class_weight=(0, 1))._select_class_weight() == (1,)


def test_printing_a_loss_shows_its_settings():
    assert 'batch_dice=True, smooth=1.0' in repr(SoftDiceLoss(batch_dice=True))


def test_nothing_is_stored_with_the_weights():
    assert not SoftDiceLoss(class_weight=(1, 2)).state_dict()


def test_pooling_lets_a_large_lesion_outweigh_a_small_one():
    # Image 0: 8 px lesion found; image 1: 2 px lesion missed. No smoothing.
    target = torch.zeros(2, 1, 10, dtype=torch.long)
    target[0, 0, :8] = 1
    target[1, 0, :2] = 1
    logits = torch.full((2, 1, 1, 10), -50.0)
    logits[0, 0, 0, :8] = 50.0
    apart = SoftDiceLoss(smooth=0)(logits, target).item()
    pooled = SoftDiceLoss(smooth=0, batch_dice=True)(logits, target).item()
    assert apart == pytest.approx(0.5)
    assert pooled == pytest.approx(1 - 16 / 18)
