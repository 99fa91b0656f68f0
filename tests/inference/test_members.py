"""Means over networks and mirrored views."""

import dataclasses

import numpy as np
import pytest
import torch

from mmmed.inference.members import Member, normalize


@pytest.mark.parametrize('dimension', [2, 3])
def test_mean_of_networks_is_that_of_probabilities(
    dimension, convolution, recipe2d
) -> None:
    recipe = dataclasses.replace(recipe2d, out_channels=2)
    networks = tuple(convolution(dimension, 2, seed=k) for k in range(3))
    inputs = torch.randn(2, 1, *(5, 6, 7)[:dimension])
    found = Member(networks, recipe).average(inputs)
    expected = sum(n(inputs).softmax(1) for n in networks) / 3
    for mean, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mean, wanted, rtol=0, atol=1e-6)


def test_mirrored_views_come_back_before_they_count(fake, recipe2d) -> None:
    """A network that only sees the left edge: its view of the right comes back."""

    def see_left(x):
        logits = torch.full_like(x, -20.0)
        logits[..., 0] = 20 * x[..., 0]
        return logits

    recipe = dataclasses.replace(recipe2d, flips=((-1,),))
    inputs = torch.ones(1, 1, 3, 4)
    (prob,) = Member((fake(see_left),), recipe, use_tta=True).average(inputs)
    assert prob[0, 1].tolist() == pytest.approx([0.5, 0, 0, 0.5], abs=1e-6)
    (prob,) = Member((fake(see_left),), recipe).average(inputs)
    assert prob[0, 1].tolist() == pytest.approx([1, 0, 0, 0], abs=1e-6)


def test_restoring_happens_to_logits_not_to_probabilities(identity, recipe2d) -> None:
    inputs = torch.tensor([[[[-4.0, 4.0]]]])
    restore = torch.nn.Upsample(size=(1, 3), mode='bilinear', align_corners=True)
    (prob,) = Member((identity,), recipe2d).average(inputs, restore=restore)
    # The logit halfway is 0; of the probabilities it would be the same, but not at
    # a quarter: sigmoid(-2) = 0.119 against 0.259.
    expected = torch.tensor([-4.0, 0.0, 4.0]).sigmoid()
    torch.testing.assert_close(prob[0, 0], expected)


@pytest.mark.parametrize(
    'change', [lambda x: x[..., ::2], lambda x: x.repeat(1, 2, 1, 1)]
)
def test_another_shape_than_expected_is_refused(change, fake, recipe2d) -> None:
    with pytest.raises(ValueError, match='logits of shape'):
        Member((fake(change),), recipe2d).average(torch.zeros(1, 1, 4, 4))


def test_normalisation_is_the_preprocessors(recipe2d) -> None:
    recipe = dataclasses.replace(
        recipe2d, in_channels=2, mean=(10.0, 20.0), std=(2.0, 4.0)
    )
    values = [np.full((2, 3, 4), 30, np.uint8)]
    result = normalize(values, recipe)
    assert result.shape == (1, 2, 3, 4)
    assert result[0, :, 0, 0].tolist() == [10.0, 2.5]
