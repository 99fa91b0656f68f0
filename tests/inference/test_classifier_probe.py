"""Questions to classifiers whose answers are known, and to a routing network."""

import numpy as np
import pytest
import torch
from torch import nn

from mmmed.functional.saliency import list_blocks, spread_blocks
from mmmed.functional.signal_relay import compute_relay, set_sign
from mmmed.inference.classifier_probe import ClassifierProbe
from mmmed.inference.loading import build_model

SHAPE = (4, 6, 10)
PLANTED = (slice(2, 4), slice(3, 6), slice(5, 10))
SEQUENCES = ['t2', 'lap', 'adc']
ROUTING = {'wash': ['lap'], 'ring': ['t2', 'lap'], 'type': ['t2', 'lap', 'adc']}
TARGETS = {'wash': 2, 'ring': 3, 'type': 4}


class Planted(nn.Module):
    """Says "yes" by what one block of the second sequence holds."""

    network = nn.Identity()
    head = nn.Identity()

    def forward(self, inputs, available, mode):
        assert mode == 'tensor'
        total = inputs[(slice(None), 1, 0, *PLANTED)].mean((1, 2, 3)) * available[:, 1]
        return {'type': torch.stack([torch.zeros_like(total), total], 1)}


def build_crn(**changes):
    torch.manual_seed(0)
    network = {
        'type': 'mmmed.CorrelationRoutingNetwork', 'sequences': SEQUENCES,
        'routing': ROUTING, 'variant': '0.1',
    }  # fmt: skip
    head = {'type': 'mmmed.SignalRelayHead', 'targets': TARGETS}
    model = {'type': 'mmmed.VolumeClassifier', 'network': network | changes}
    return build_model({'default_scope': 'mmseg', 'model': model | {'head': head}})


@pytest.fixture(scope='module')
def crn():
    return build_crn().eval()


@pytest.fixture
def planted():
    inputs = torch.zeros(3, 2, *SHAPE)
    inputs[(1, 0, *PLANTED)] = 3.0
    return ClassifierProbe(Planted(), inputs, torch.tensor([True, True, False]))


@pytest.fixture
def inputs(rng):
    return torch.tensor(rng.normal(size=(3, 1, 4, 8, 8)), dtype=torch.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_occlusion_finds_the_planted_block(planted):
    blocks = list_blocks(SHAPE, (2, 3, 5))
    change = planted.occlude({'type': 1}, blocks, fill='zero')
    assert change.shape == (1, 3, 8)
    assert np.isnan(change[0, 2]).all()
    assert change[0, 0].tolist() == [0] * 8
    image = spread_blocks(change[0, 1], blocks, SHAPE)
    expected = np.zeros(SHAPE)
    expected[PLANTED] = 0.5 - sigmoid(3.0)
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_what_hides_a_block(planted):
    # The block holds 30 of 240 voxels, so the mean of the sequence is 3 / 8.
    blocks = [((2, 4), (3, 6), (5, 10))]
    change = planted.occlude({'type': 1}, blocks, fill='mean')
    expected = sigmoid(3 / 8) - sigmoid(3.0)
    np.testing.assert_allclose(change[0, 1], [expected], rtol=1e-6)
    with pytest.raises(ValueError, match='fill'):
        planted.occlude({'type': 1}, blocks, fill='noise')


def test_ablation_by_hand_with_a_temperature(planted):
    probe = ClassifierProbe(
        planted.model, planted.inputs, planted.available, {'type': 2.0}, batch_size=2
    )
    change = probe.ablate()['type']
    assert change.shape == (3, 2)
    np.testing.assert_allclose(change[1, 1], 0.5 - sigmoid(1.5), rtol=1e-12)
    assert change[[0, 2]].tolist() == [[0, 0], [0, 0]]


def test_an_absent_sequence_changes_nothing(crn, inputs):
    available = torch.tensor([True, True, False])
    change = ClassifierProbe(crn, inputs, available, batch_size=1).ablate()
    assert change.keys() == TARGETS.keys()
    for values in change.values():
        assert values[2].tolist() == [0] * values.shape[1]
        assert np.abs(values[1]).max() > 0
        np.testing.assert_allclose(values.sum(1), 0, atol=1e-9)
    # And what the file holds for it does not matter.
    inputs[2] = 7.0
    other = ClassifierProbe(crn, inputs, available, batch_size=1).ablate()
    np.testing.assert_array_equal(other['type'], change['type'])


def test_an_intervention_is_that_of_the_head(crn, inputs):
    available = torch.tensor([True, True, True])
    probe = ClassifierProbe(crn, inputs, available)
    relay = probe.read_relay()
    assert relay.order[-1] == ('type', 3)
    np.testing.assert_allclose(compute_relay(relay), probe.predict()['type'], atol=1e-6)
    own = {}
    hooks = [
        crn.head.fcs[rank].register_forward_hook(
            lambda _m, _a, out, name=name: own.update({name: out})
        )
        for name, rank in crn.head.ranks.items()
    ]
    probe.predict()
    for hook in hooks:
        hook.remove()
    absent = {'ring': torch.tensor([1.0, 0.0, 0.0])}
    expected = crn.head.relay_signs(own, absent)['type'].softmax(1)[0]
    found = compute_relay(relay, set_sign(relay, 'ring', 0))
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-6)


def test_attention_of_targets(crn, inputs):
    probe = ClassifierProbe(crn, inputs, torch.tensor([False, True, True]))
    weights, names = probe.read_attention()
    assert names == tuple(ROUTING)
    assert weights.shape == (3, 3)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)


def test_networks_without_relay_and_attention(planted):
    assert planted.read_relay() is None
    assert planted.read_attention() == (None, ())
