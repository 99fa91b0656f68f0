import pytest
import torch

from mmmed.models.networks import DUNet
from mmmed.models.networks.dunet import DimensionFusion, SqueezeExcitation


def test_size_and_work_of_the_paper(count, count_macs):
    with torch.device('meta'):  # sizes only
        network, images = DUNet(), torch.rand(1, 4, 208, 240)
    assert count(network) == (8_633_379, 8_640_163 - 8_633_379)
    macs = sum(count_macs(network, images).values())
    assert macs / 1e9 == pytest.approx(22.4, abs=0.05)


def test_depth_is_used_up_by_two_poolings():
    network = DUNet(base_channels=2).eval()
    depths = []
    for fusion in network.fusions:
        fusion.register_forward_hook(lambda _, x, __: depths.append(x[1].shape[2]))
    with torch.no_grad():
        network(torch.rand(1, 4, 32, 48))
    assert depths == [2, 1]


def test_every_slice_and_its_order_matter():
    torch.manual_seed(0)
    network = DUNet(base_channels=4).eval()
    x = torch.rand(1, 4, 32, 32)
    with torch.no_grad():
        expected = network(x)
        for i in range(4):
            changed = x.clone()
            changed[:, i] = 0
            assert (network(changed) - expected).abs().max() > 1e-3
        assert (network(x.flip(1)) - expected).abs().max() > 1e-3


def test_volume_is_flattened_by_its_depth():
    torch.manual_seed(0)
    fusion = DimensionFusion(16, depth=2).eval()
    features, volume = torch.rand(1, 16, 4, 6), torch.rand(1, 16, 2, 4, 6)
    with torch.no_grad():
        weights = fusion.flatten.weight.view(16)
        stack = torch.einsum('ncdyx,c->ndyx', volume, weights) + fusion.flatten.bias
        expected = fusion.reweigh_slice(features)
        expected = expected + fusion.reweigh_volume(fusion.expand(stack))
        torch.testing.assert_close(fusion(features, volume), expected)


def test_squeeze_and_excitation_by_hand():
    module = SqueezeExcitation(32)
    assert module.squeeze.weight.shape == (2, 32)
    with torch.no_grad():
        module.squeeze.weight.fill_(1 / 32)
        module.excite.weight.fill_(0.5)
    x = torch.full((1, 32, 2, 3), 2.0)
    expected = x * torch.sigmoid(torch.tensor(2.0))
    torch.testing.assert_close(module(x), expected)


def test_stack_must_be_halved_twice():
    with pytest.raises(ValueError, match='multiple of 4, got 6'):
        DUNet(6)
    assert DUNet(8, base_channels=2)(torch.rand(1, 8, 16, 16)).shape == (1, 1, 16, 16)
