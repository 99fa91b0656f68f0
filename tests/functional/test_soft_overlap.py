import math

import pytest
import torch

from mmmed.functional.labelled_logits import prepare_labelled_logits
from mmmed.functional.soft_overlap import (
    SoftCounts,
    average_class_errors,
    compute_focal_power,
    compute_soft_counts,
    compute_soft_dice,
    compute_tversky_index,
)


def logit(p):
    return math.log(p / (1 - p))


@pytest.fixture
def counts():
    return SoftCounts(
        tp=torch.tensor([[6.0, 0.0]]),
        fp=torch.tensor([[2.0, 0.0]]),
        fn=torch.tensor([[4.0, 0.0]]),
        is_counted=torch.tensor([[True]]),
    )


def count(logits, target, weight=None, *, background=False, pool=False):
    data = prepare_labelled_logits(logits, target, weight)
    return compute_soft_counts(data, include_background=background, pool_batch=pool)


def test_counts_by_hand_with_weight_and_ignored_pixel():
    score = torch.tensor([[[logit(0.9), logit(0.2), logit(0.6), 50.0]]])
    target = torch.tensor([[1, 0, 1, 255]])
    weight = torch.tensor([[1.0, 3.0, 2.0, 7.0]])
    result = count(score, target, weight)
    torch.testing.assert_close(result.tp, torch.tensor([[0.9 + 2 * 0.6]]))
    torch.testing.assert_close(result.fp, torch.tensor([[3 * 0.2]]))
    torch.testing.assert_close(result.fn, torch.tensor([[0.1 + 2 * 0.4]]))
    assert result.is_counted.tolist() == [[True]]


def test_background_counts_mirror_the_foreground():
    score = torch.tensor([[[logit(0.9), logit(0.2)]]])
    result = count(score, torch.tensor([[1, 0]]), background=True)
    torch.testing.assert_close(result.tp, torch.tensor([[0.8, 0.9]]))
    torch.testing.assert_close(result.fp, torch.tensor([[0.1, 0.2]]))
    torch.testing.assert_close(result.fn, torch.tensor([[0.2, 0.1]]))


def test_pooling_adds_the_images():
    score = torch.zeros(3, 1, 2, 5)
    target = torch.zeros(3, 2, 5, dtype=torch.long)
    target[0, 0, :4] = 1
    target[2] = 255
    apart = count(score, target)
    assert apart.tp.tolist() == [[2.0], [0.0], [0.0]]
    assert apart.is_counted.tolist() == [[True], [True], [False]]
    pooled = count(score, target, pool=True)
    assert (pooled.tp.item(), pooled.fp.item(), pooled.fn.item()) == (2.0, 8.0, 2.0)
    assert pooled.is_counted.tolist() == [[True]]


def test_rows_without_space_are_classified_samples():
    result = count(torch.tensor([[0.0], [0.0]]), torch.tensor([1, 0]))
    assert result.tp.tolist() == [[0.5], [0.0]]
    assert result.fp.tolist() == [[0.0], [0.5]]


def test_dice_by_hand(counts):
    # 2*6 / (2*6 + 2 + 4) = 2/3; smoothed (12 + 1) / (18 + 1)
    dice = compute_soft_dice(counts, smooth=0.0)
    torch.testing.assert_close(dice, torch.tensor([[2 / 3, 1.0]]))
    dice = compute_soft_dice(counts, smooth=1.0)
    torch.testing.assert_close(dice, torch.tensor([[13 / 19, 1.0]]))


@pytest.mark.parametrize(
    ('alpha', 'beta', 'expected'),
    [
        (0.3, 0.7, 6 / (6 + 0.6 + 2.8)),
        (0.7, 0.3, 6 / (6 + 1.4 + 1.2)),
        (0.5, 0.5, 2 / 3),
        (1.0, 1.0, 0.5),  # intersection over union
        (0.0, 2.0, 6 / 14),  # alpha weighs only false positives
    ],
)
def test_tversky_by_hand(counts, alpha, beta, expected):
    index = compute_tversky_index(counts, alpha=alpha, beta=beta, smooth=0.0)
    torch.testing.assert_close(index, torch.tensor([[expected, 1.0]]))


def test_missed_lesion_of_n_pixels_has_the_published_value():
    # Stroke codes: 1 - 1 / (0.7 n + 1) for a lesion of n pixels predicted as 0.
    target = torch.zeros(1, 6, 7, dtype=torch.long)
    target[0, :3, :4] = 1
    result = count(torch.full((1, 1, 6, 7), -80.0), target)
    index = compute_tversky_index(result, alpha=0.3, beta=0.7, smooth=1.0)
    torch.testing.assert_close(index, torch.tensor([[1 / (0.7 * 12 + 1)]]))


def test_focal_power_is_exact_above_the_knee_and_a_chord_below():
    error = torch.tensor([0.0, 5e-7, 1e-6, 0.2, 1.0], dtype=torch.float64)
    expected = [0.0, 0.5e-6 * 1e-6**-0.25, 1e-6**0.75, 0.2**0.75, 1.0]
    torch.testing.assert_close(
        compute_focal_power(error, gamma=4 / 3),
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-12,
        atol=0,
    )


@pytest.mark.parametrize('gamma', [0.5, 1.0, 4 / 3, 3.0])
def test_focal_power_has_a_finite_slope_everywhere(gamma):
    error = torch.tensor([0.0, 1e-9, 1e-6, 0.5, 1.0], requires_grad=True)
    compute_focal_power(error, gamma=gamma).sum().backward()
    assert torch.isfinite(error.grad).all()
    assert (error.grad > 0).all()


def test_mean_weighs_classes_and_leaves_uncounted_rows_out():
    error = torch.tensor([[0.2, 0.8], [0.9, 0.9]])
    is_counted = torch.tensor([[True], [False]])
    mean = average_class_errors(error, is_counted)
    torch.testing.assert_close(mean, torch.tensor(0.5))
    mean = average_class_errors(error, is_counted, (3, 1))
    torch.testing.assert_close(mean, torch.tensor((3 * 0.2 + 0.8) / 4))
    assert average_class_errors(error, torch.zeros_like(is_counted)) == 0
