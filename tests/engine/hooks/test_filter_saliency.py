import numpy as np
import pytest
import torch

from mmmed.engine.hooks.filter_saliency import SaliencyCollector, score_filters
from mmmed.models.networks import SpinalUNet

RNG = np.random.default_rng(0)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SpinalUNet(depth=1, features=2, attention=True)


def run(network, collector, images):
    collector.attach(network.find_filter_groups())
    network(images).square().mean().backward()
    collector.detach()


def test_sums_are_activation_times_gradient(network):
    collector = SaliencyCollector()
    images = torch.rand(2, 1, 8, 12)
    seen = {}
    site = network.find_filter_groups()['encoder0_first'].site
    handle = site.register_forward_hook(
        lambda *args: args[2].retain_grad() or seen.update(output=args[2])
    )
    run(network, collector, images)
    handle.remove()
    output = seen['output']
    expected = (output * output.grad).double().mean(dim=(0, 2, 3))
    torch.testing.assert_close(collector.sums['encoder0_first'], expected)
    assert set(collector.sums) == set(network.architecture)

    once = {name: value.clone() for name, value in collector.sums.items()}
    network(images).square().mean().backward()  # nobody listens
    assert all(torch.equal(collector.sums[n], once[n]) for n in once)
    collector.attach(network.find_filter_groups())
    (network(images).sum() * float('inf')).backward()  # a step that is skipped
    collector.detach()
    assert all(torch.equal(collector.sums[n], once[n]) for n in once)
    collector.clear()
    assert collector.sums == {}


def test_filters_without_effect_score_nothing(network):
    group = network.find_filter_groups()['bottleneck_first']
    with torch.no_grad():
        group.consumers[0][0].weight[:, 1] = 0
    collector = SaliencyCollector()
    run(network, collector, torch.rand(2, 1, 8, 8))
    groups = network.find_filter_groups()
    scores = score_filters(groups, 'taylor', sums=collector.sums, rng=RNG)
    assert scores['bottleneck_first'][1] == 0
    for name, values in scores.items():
        assert np.square(values).sum() == pytest.approx(1), name


def test_sizes_of_weights_and_chance(network):
    groups = network.find_filter_groups()
    sizes = score_filters(groups, 'l1', sums={}, rng=RNG)
    weight = network.ups[0].weight.detach().abs().mean(dim=(0, 2, 3)).double().numpy()
    np.testing.assert_allclose(sizes['up0'], weight / np.linalg.norm(weight), rtol=1e-6)
    chance = score_filters(groups, 'random', sums={}, rng=np.random.default_rng(1))
    assert {n: len(v) for n, v in chance.items()} == network.architecture


def test_filters_that_nobody_heard_of_are_named(network):
    with pytest.raises(ValueError, match=r"no gradient passed .*'up0'.* frozen"):
        score_filters(network.find_filter_groups(), 'taylor', sums={}, rng=RNG)
