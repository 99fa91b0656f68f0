"""Terms and means of classification losses."""

import math

import pytest
import torch
from torch.nn import functional

from mmmed.functional.classification_losses import (
    average_terms,
    compute_cumulative_terms,
    compute_focal_terms,
)

# Softmax of these is (0.5, 0.25, 0.25) and (0.1, 0.2, 0.7).
LOGITS = torch.tensor([[2.0, 1, 1], [1, 2, 7]], dtype=torch.float64).log()


def test_focal_terms_by_hand():
    target = torch.tensor([0, 1])
    plain = compute_focal_terms(LOGITS, target)
    assert plain.tolist() == pytest.approx([math.log(2), math.log(5)])
    focal = compute_focal_terms(LOGITS, target, gamma=2)
    assert focal.tolist() == pytest.approx([0.25 * math.log(2), 0.64 * math.log(5)])


def test_cumulative_terms_by_hand():
    # Case 0, class 0: P(y<=0) = 0.5, P(y<=1) = 0.75. Case 1, class 1: P(y>0) = 0.9,
    # P(y<=1) = 0.3.
    terms = compute_cumulative_terms(LOGITS, torch.tensor([0, 1]))
    expected = [-math.log(0.5 * 0.75) / 2, -math.log(0.9 * 0.3) / 2]
    assert terms.tolist() == pytest.approx(expected)


def test_a_far_class_costs_more_than_a_near_one():
    logits = torch.tensor([[5.0, 0, 0, 0]])
    costs = [compute_cumulative_terms(logits, torch.tensor([k])) for k in range(4)]
    assert [c.item() for c in costs] == sorted(c.item() for c in costs)


def test_two_ordered_classes_are_the_cross_entropy():
    logits = torch.tensor([[0.3, -1.2], [2.0, 0.5]])
    target = torch.tensor([1, 0])
    torch.testing.assert_close(
        compute_cumulative_terms(logits, target), compute_focal_terms(logits, target)
    )


def test_weighted_mean_is_that_of_torch():
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 2, -1, 2, 0, -1])
    weight = torch.tensor([1.0, 4, 0.5])
    terms = compute_focal_terms(logits, target)
    mean, count = average_terms(terms, target, weight)
    expected = functional.cross_entropy(logits, target, weight, ignore_index=-1)
    torch.testing.assert_close(mean, expected)
    assert count == 5


@pytest.mark.parametrize('compute', [compute_focal_terms, compute_cumulative_terms])
def test_extreme_logits_stay_finite(compute):
    logits = torch.tensor([[200.0, -200, 0], [-200, 200, 0]], requires_grad=True)
    terms = compute(logits, torch.tensor([1, -1]))
    terms.sum().backward()
    assert torch.isfinite(terms).all()
    assert torch.isfinite(logits.grad).all()
    assert terms[1] == 0
    assert not logits.grad[1].any()


def test_half_precision_is_raised():
    terms = compute_focal_terms(torch.zeros(1, 2).half(), torch.tensor([0]))
    assert terms.dtype == torch.float32


def test_the_mean_is_over_the_cases_of_all_processes(monkeypatch):
    # Another process has one case of loss 5 and weight 3; ours has a loss of log 2.
    other = torch.tensor([15.0, 3, 1], dtype=torch.float64)
    monkeypatch.setattr(
        'mmmed.functional.classification_losses.sum_over_processes',
        lambda sums: sums + other,
    )
    target = torch.tensor([0, -1])
    mean, count = average_terms(compute_focal_terms(LOGITS, target), target)
    assert mean.item() == pytest.approx((math.log(2) + 15) / 4)
    assert count == 2
