"""The faster network is the same function; what it cannot do it says."""

import numpy as np
import pytest
import torch

from mmmed.inference import faster_network
from mmmed.inference.faster_network import FasterNetwork, has_bf16, speed_up
from mmmed.inference.networks import TorchNetwork
from mmmed.models.networks import RAXNet
from mmmed.models.networks.winograd import WinogradConv2d, has_winograd

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    model = RAXNet(base_channels=16)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    return TorchNetwork(model)


def test_logits_are_the_same(network):
    inputs = torch.rand(3, 1, 49, 70)
    faster = FasterNetwork(network)
    expected = network(inputs)
    result = faster(inputs)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.sigmoid(), expected.sigmoid(), rtol=0, atol=1e-4)
    kinds = {type(part) for part in faster.model.modules()}
    assert torch.nn.BatchNorm2d not in kinds
    assert (WinogradConv2d in kinds) == has_winograd()


def test_the_given_network_is_not_changed(network):
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    FasterNetwork(network)
    after = network.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_bfloat16_is_near(network):
    if not has_bf16(CPU):
        pytest.skip('no bfloat16 instructions')
    inputs = torch.rand(2, 1, 48, 64)
    result = FasterNetwork(network, use_bf16=True)(inputs)
    assert result.dtype == torch.float32
    difference = (result.sigmoid() - network(inputs).sigmoid()).abs()
    assert 0 < float(difference.max()) < 0.05


def test_emulated_bfloat16_is_refused(network, monkeypatch):
    monkeypatch.setattr(faster_network, '_has_cpu_feature', lambda name: False)
    with pytest.raises(ValueError, match='leave --bf16 out'):
        FasterNetwork(network, use_bf16=True)


def test_other_networks_stay_as_they_are(identity):
    assert speed_up(identity) is identity
    with pytest.raises(ValueError, match='not ONNX'):
        speed_up(identity, use_bf16=True)


def test_models_without_anything_to_fold_work():
    model = torch.nn.Conv2d(2, 3, 3, padding=1)
    faster = speed_up(TorchNetwork(model))
    inputs = torch.rand(2, 2, 6, 9)
    with torch.inference_mode():
        np.testing.assert_allclose(faster(inputs), model(inputs), atol=1e-5)
