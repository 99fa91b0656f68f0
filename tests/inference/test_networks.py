"""Any model as a function of tensors."""

import pytest
import torch
from torch import nn

from mmmed.inference.networks import TorchNetwork


class Deep(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        self.kind = kind
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.kind([self.drop(2 * x), x])


@pytest.mark.parametrize('kind', [list, tuple, lambda outputs: outputs[0]])
def test_the_first_of_several_outputs_counts_and_nothing_is_dropped(kind) -> None:
    network = TorchNetwork(Deep(kind).train())
    inputs = torch.ones(2, 1, 3, 4, 5)
    assert torch.equal(network(inputs), 2 * inputs)
    assert not network(inputs).requires_grad


class Segmentor(nn.Module):
    def encode_decode(self, inputs, batch_img_metas):
        assert batch_img_metas[0]['img_shape'] == tuple(inputs.shape[2:])
        return inputs + 1


def test_segmentors_are_asked_for_logits() -> None:
    assert TorchNetwork(Segmentor())(torch.zeros(3, 1, 4, 6)).eq(1).all()
