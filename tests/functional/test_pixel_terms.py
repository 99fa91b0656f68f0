import math

import pytest
import torch
from torch import nn

from mmmed.functional.labelled_logits import prepare_labelled_logits
from mmmed.functional.pixel_terms import (
    average_pixels,
    compute_cross_entropy,
    compute_focal_term,
    compute_label_weight,
)


@pytest.fixture
def multi(rng):
    """Three classes on a 2 x 3 x 4 x 5 grid, float64."""
    logits = torch.from_numpy(rng.normal(size=(2, 3, 3, 4, 5)) * 4)
    target = torch.from_numpy(rng.integers(0, 3, size=(2, 3, 4, 5)))
    return prepare_labelled_logits(logits, target)


def test_binary_cross_entropy_by_hand():
    data = prepare_labelled_logits(
        torch.tensor([[[0.0, math.log(3), math.log(3)]]]), torch.tensor([[1, 1, 0]])
    )
    expected = torch.tensor([[math.log(2), math.log(4 / 3), math.log(4)]])
    torch.testing.assert_close(compute_cross_entropy(data), expected)


def test_cross_entropy_equals_torch(multi):
    expected = nn.functional.cross_entropy(multi.logits, multi.target, reduction='none')
    torch.testing.assert_close(compute_cross_entropy(multi), expected)


@pytest.mark.parametrize(
    ('label', 'expected'),
    [(1, 0.8 * 0.25 * math.log(2)), (0, 0.2 * 0.25 * math.log(2))],
)
def test_focal_has_the_published_values(label, expected):
    # Stroke codes: 0.13863 and 0.03466 for p = 0.5, alpha = 0.8, gamma = 2.
    data = prepare_labelled_logits(torch.zeros(1, 1, 1), torch.tensor([[label]]))
    value = compute_focal_term(data, gamma=2.0) * compute_label_weight(data, (0.2, 0.8))
    assert value.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0, 5.0])
def test_focal_equals_its_formula(multi, gamma):
    prob = multi.logits.softmax(1).gather(1, multi.target.unsqueeze(1)).squeeze(1)
    expected = -((1 - prob) ** gamma) * prob.log()
    result = compute_focal_term(multi, gamma=gamma)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('gamma', [0.5, 2.0])
@pytest.mark.parametrize('channels', [1, 2, 4])
def test_focal_gradient_is_finite_at_extreme_logits(channels, gamma):
    logits = torch.full((2, channels, 4), -60000.0, dtype=torch.float16)
    logits[:, 0] = 60000.0
    logits.requires_grad_()
    data = prepare_labelled_logits(logits, torch.tensor([[0, 1, 0, 1]] * 2))
    value = compute_focal_term(data, gamma=gamma)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(logits.grad).all()


def test_mean_is_weighted_and_empty_mean_is_zero():
    values = torch.tensor([[1.0, 3.0]], requires_grad=True)
    mean = average_pixels(values, torch.tensor([[3.0, 1.0]]))
    torch.testing.assert_close(mean, torch.tensor(1.5))
    empty = average_pixels(values, torch.zeros(1, 2))
    empty.backward()
    assert empty.item() == 0
    assert values.grad.tolist() == [[0.0, 0.0]]
