import math

import pytest
import torch
from torch import nn

from mmmed.models.networks.initialization import (
    init_glorot_uniform,
    init_he_normal,
    init_output_prior,
)


def test_spread_of_the_weights():
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 3)
    init_glorot_uniform(layer)
    limit = math.sqrt(6 / (9 * (32 + 64)))
    assert 0.99 * limit < layer.weight.abs().max() <= limit
    assert (layer.bias == 0).all()
    init_he_normal(layer)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 288), rel=0.02)


@pytest.mark.parametrize('channels', [1, 2, 4])
def test_prior_is_the_first_guess(channels):
    output = nn.Conv2d(3, channels, 1)
    init_output_prior(output, 0.03)
    logits = output(torch.zeros(1, 3, 1, 1)).flatten()
    prob = logits.sigmoid() if channels == 1 else logits.softmax(0)[1:].sum()
    assert prob.item() == pytest.approx(0.03)


def test_impossible_priors_are_refused():
    with pytest.raises(ValueError, match='prior_prob must lie'):
        init_output_prior(nn.Conv2d(1, 1, 1), 1.0)
    with pytest.raises(ValueError, match='which has none'):
        init_output_prior(nn.Conv2d(1, 1, 1, bias=False), 0.1)
    init_output_prior(nn.Conv2d(1, 1, 1, bias=False), None)
