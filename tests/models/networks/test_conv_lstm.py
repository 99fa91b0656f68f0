import math

import pytest
import torch
from torch.nn import functional

from mmmed.models.networks.conv_lstm import ConvLSTM2d


def constant_lstm():
    """One channel, kernel 1: input weights 1, 2, 3, 4; recurrent weights 0.5."""
    lstm = ConvLSTM2d(1, 1, kernel_size=1)
    with torch.no_grad():
        lstm.from_input.weight.copy_(torch.arange(1.0, 5).view(4, 1, 1, 1))
        lstm.from_state.weight.fill_(0.5)
    return lstm


def test_two_steps_by_hand():
    def gate(z):
        return min(max(0.2 * z + 0.5, 0.0), 1.0)

    hidden = cell = 0.0
    for x in (0.3, -0.7):
        i, f, c, o = (k * x + 0.5 * hidden for k in (1, 2, 3, 4))
        cell = gate(f + 1) * cell + gate(i) * math.tanh(c)  # forget bias 1
        hidden = gate(o) * math.tanh(cell)
    found = constant_lstm()([torch.full((1, 1, 2, 3), x) for x in (0.3, -0.7)])
    torch.testing.assert_close(found, torch.full((1, 1, 2, 3), hidden))


def test_zero_state_is_left_out_without_a_difference():
    torch.manual_seed(0)
    lstm = ConvLSTM2d(2, 3)
    x = torch.rand(1, 2, 4, 5)
    mixed = lstm.from_input(x) + lstm.from_state(torch.zeros(1, 3, 4, 5))
    i, _, c, o = mixed.chunk(4, 1)
    gates = [functional.hardtanh(0.2 * z + 0.5, 0, 1) for z in (i, o)]
    expected = gates[1] * (gates[0] * c.tanh()).tanh()
    torch.testing.assert_close(lstm([x]), expected)


def test_start_of_training():
    lstm = ConvLSTM2d(2, 3)
    assert lstm.from_input.bias.view(4, 3).sum(1).tolist() == [0, 3, 0, 0]
    rows = lstm.from_state.weight.flatten(1)  # (12, 27)
    torch.testing.assert_close(rows @ rows.T, torch.eye(12), atol=1e-5, rtol=0)


def test_empty_sequence_is_refused():
    with pytest.raises(ValueError, match='sequence is empty'):
        ConvLSTM2d(1, 1)([])
