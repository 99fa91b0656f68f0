import math

import pytest
import torch

from mmmed.functional.probabilities import (
    activate_logits,
    assign_labels,
    compute_probabilities,
    deactivate_probabilities,
)


def test_one_channel_probabilities_equal_two_channel_ones(rng):
    score = torch.from_numpy(rng.normal(size=(2, 1, 3, 4)) * 5)
    pair = torch.cat([torch.zeros_like(score), score], dim=1)
    for include_background, channels in ((True, 2), (False, 1)):
        one = compute_probabilities(score, include_background=include_background)
        two = compute_probabilities(pair, include_background=include_background)
        assert one.shape == (2, channels, 3, 4)
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-15)


def test_background_probability_keeps_its_digits():
    prob = compute_probabilities(torch.full((1, 1, 1), 30.0))
    torch.testing.assert_close(
        prob[0, 0, 0], torch.tensor(9.357623e-14), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize('channels', [1, 2, 3])
def test_activation_keeps_the_layout_and_can_be_undone(rng, channels):
    logits = torch.from_numpy(rng.normal(size=(2, channels, 2, 3, 4)))
    prob = activate_logits(logits)
    assert prob.shape == logits.shape
    torch.testing.assert_close(activate_logits(deactivate_probabilities(prob)), prob)


def test_activation_by_hand():
    prob = activate_logits(torch.tensor([[[0.0, math.log(3)]]]))
    torch.testing.assert_close(prob, torch.tensor([[[0.5, 0.75]]]))
    prob = activate_logits(torch.tensor([[[0.0], [math.log(2)], [math.log(5)]]]))
    torch.testing.assert_close(prob, torch.tensor([[[1.0], [2], [5]]]) / 8)


def test_activation_of_half_precision_is_single():
    prob = activate_logits(torch.tensor([[[-60000.0, 60000.0]]], dtype=torch.float16))
    assert prob.dtype == torch.float32
    assert prob.tolist() == [[[0.0, 1.0]]]


@pytest.mark.parametrize('channels', [1, 2])
def test_certain_probabilities_have_finite_logits(channels):
    prob = torch.eye(2)[:, :channels].unsqueeze(-1)
    logits = deactivate_probabilities(prob)
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(activate_logits(logits), prob, rtol=0, atol=1e-6)


def test_labels_by_threshold_or_by_the_largest():
    prob = torch.tensor([[[0.3, 0.5, 0.7]]])
    assert assign_labels(prob).tolist() == [[[0, 0, 1]]]
    assert assign_labels(prob, threshold=0.2).tolist() == [[[1, 1, 1]]]
    prob = torch.tensor([[[0.2, 0.4], [0.5, 0.2], [0.3, 0.4]]])
    assert assign_labels(prob).tolist() == [[[1, 0]]]
