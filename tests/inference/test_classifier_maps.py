"""Class activation maps: one known by hand, and those that networks name."""

import numpy as np
import pytest
import torch
from torch import nn

from mmmed.inference.classifier_maps import compute_maps
from mmmed.inference.loading import build_model

SEQUENCES = ['t2', 'lap', 'adc']


class Analytic(nn.Module):
    """Two channels, x and -2 x of the first sequence; logit = mean, by weights."""

    class Network(nn.Module):
        cam_layer = 'maps'
        dims = 3

        def __init__(self):
            super().__init__()
            self.maps = nn.Conv3d(1, 2, 1, bias=False)
            self.maps.weight.data = torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1, 1)
            self.requires_grad_(False)

    def __init__(self):
        super().__init__()
        self.network = self.Network()

    def forward(self, inputs, available, mode):
        vector = self.network.maps(inputs[:, 0]).flatten(2).mean(2)
        logits = torch.stack([vector[:, 0], vector @ torch.tensor([0.5, -1.0])], 1)
        return {'type': logits}


def build(network, targets):
    torch.manual_seed(0)
    head = {'type': 'mmmed.MultiTargetHead', 'targets': targets}
    if 'routing' in network:
        head['type'] = 'mmmed.SignalRelayHead'
    config = {'type': 'mmmed.VolumeClassifier', 'network': network, 'head': head}
    return build_model({'default_scope': 'mmseg', 'model': config}).eval()


@pytest.fixture
def inputs(rng):
    return torch.tensor(rng.normal(size=(3, 1, 4, 8, 12)), dtype=torch.float32)


def test_a_known_gradient(inputs):
    everything = torch.tensor([True] * 3)
    maps = compute_maps(Analytic(), inputs, everything, {'type': 1}, {'type': 1})
    assert maps.by_sequence is None
    # d logit / d maps = (0.5, -1) / V; so relu(0.5 x + 2 x) / V.
    expected = np.maximum(2.5 * inputs[0, 0].numpy(), 0) / (4 * 8 * 12)
    np.testing.assert_allclose(maps.by_target[0], expected, rtol=1e-5)


def test_routing_network(inputs):
    network = {
        'type': 'mmmed.CorrelationRoutingNetwork', 'sequences': SEQUENCES,
        'routing': {'wash': ['adc'], 'type': ['t2', 'lap']}, 'variant': '0.1',
        'attention': False,
    }  # fmt: skip
    model = build(network, {'wash': 2, 'type': 3})
    available = torch.tensor([True, False, True])
    labels = {'wash': 1, 'type': 0}
    maps = compute_maps(model, inputs, available, labels, labels)
    assert maps.by_target.shape == (2, 1, 1, 2)
    assert maps.by_sequence.shape == (2, 3, 2, 4, 6)
    assert np.isnan(maps.by_sequence[:, 1]).all()
    # Of some class, for what speaks against one is cut off.
    both = ({'wash': k, 'type': k} for k in range(2))
    every = [compute_maps(model, inputs, available, each, each) for each in both]
    best = np.max([one.by_sequence.max((2, 3, 4)) for one in every], 0)
    # Without attention the sign sees its own sequence alone ...
    assert best[0, 0] == 0 < best[0, 2]
    # ... and the type sees that of the sign through the relay.
    assert best[1, 2] > 0
    # A case without the sequence of a sign: its branch does not run.
    available = torch.tensor([True, True, False])
    maps = compute_maps(model, inputs, available, labels, labels)
    assert np.isnan(maps.by_target[0]).all()
    assert np.isfinite(maps.by_target[1]).all()


def test_a_shared_encoder_has_a_row_for_each_sequence(inputs):
    network = {
        'type': 'mmmed.PerSequenceEncoder', 'sequences': SEQUENCES,
        'backbone': {'type': 'mmmed.ROIVGG', 'variant': '1.1', 'dims': 3},
    }  # fmt: skip
    shared = build(network, {'type': 2})
    apart = build(network | {'shared': False}, {'type': 2})
    apart.head.load_state_dict(shared.head.state_dict())
    for encoder in apart.network.encoders:
        encoder.load_state_dict(shared.network.encoders[0].state_dict())
    available = torch.tensor([False, True, True])
    with torch.no_grad():  # what speaks against one class speaks for the other
        for model in (shared, apart):
            model.head.fcs[0].weight[1] = -model.head.fcs[0].weight[0]
    found, expected = (
        np.concatenate(
            [
                compute_maps(model, inputs, available, label, label).by_sequence
                for label in ({'type': 0}, {'type': 1})
            ]
        )
        for model in (shared, apart)
    )
    assert np.isnan(found[:, 0]).all()
    assert np.nanmax(found) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
