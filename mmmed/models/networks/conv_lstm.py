"""A convolutional LSTM over a short sequence of maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmmed.models.networks.same_padding import SameConv2d


class ConvLSTM2d(nn.Module):
    """Last hidden state of a convolutional LSTM: T maps (N, C, Y, X) to one.

    Gates are hard sigmoids, ``clip(0.2 x + 0.5, 0, 1)``; candidate and output go
    through tanh; the first state is zero; there are no peepholes. The input
    convolution has a bias (1 for the forget gate at the start), the recurrent one
    none.

    Args:
        in_channels: Channels of each map.
        out_channels: Channels of the state.
        kernel_size: Side of both kernels.

    Source:
        Shi et al. 2015, arXiv:1506.04214, in the form that Keras has (gate order
        input, forget, candidate, output). Differs: no peepholes, hard sigmoid.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.from_input = SameConv2d(in_channels, 4 * out_channels, kernel_size)
        self.from_state = SameConv2d(
            out_channels, 4 * out_channels, kernel_size, bias=False
        )
        self.init_weights()

    def init_weights(self) -> None:
        """Orthogonal recurrent weights, and a forget gate that remembers."""
        nn.init.orthogonal_(self.from_state.weight)
        with torch.no_grad():
            bias = self.from_input.bias
            assert bias is not None
            bias.zero_()
            bias[self.out_channels : 2 * self.out_channels] = 1.0

    def forward(self, sequence: Sequence[Tensor]) -> Tensor:
        """Last hidden state, shape (N, ``out_channels``, Y, X).

        Args:
            sequence: At least one map (N, ``in_channels``, Y, X), first one first.
        """
        hidden: Tensor | None = None
        cell: Tensor | None = None
        for x in sequence:
            mixed = self.from_input(x)
            if hidden is not None:  # the recurrent part of a zero state is zero
                mixed = mixed + self.from_state(hidden)
            enter, forget, candidate, leave = mixed.chunk(4, dim=1)
            update = _hard_sigmoid(enter) * candidate.tanh()
            cell = update if cell is None else _hard_sigmoid(forget) * cell + update
            hidden = _hard_sigmoid(leave) * cell.tanh()
        if hidden is None:
            raise ValueError('the sequence is empty, expected at least one map')
        return hidden


def _hard_sigmoid(x: Tensor) -> Tensor:
    # Not torch's, whose slope is 1/6.
    return (0.2 * x + 0.5).clamp(0, 1)
