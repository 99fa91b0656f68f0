import copy

import pytest
import torch

from mmmed.models.networks import SpinalUNet
from mmmed.models.networks.unet_pruning import cut_filters

SETTINGS = {
    'plain': {},
    'no-norm': {'use_batch_norm': False},
    'attention': {'attention': True},
}
IMAGES = torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=SETTINGS)
def network(request, stir):
    torch.manual_seed(0)
    network = SpinalUNet(depth=2, features=4, **SETTINGS[request.param])
    stir(network)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.bias.abs_().add_(0.3)  # few maps are dead
    return network.eval()


def silence(group, index):
    """Make readers of a map ignore it."""
    with torch.no_grad():
        for conv, before in group.consumers:
            weight = conv.weight
            if isinstance(conv, torch.nn.ConvTranspose2d):
                weight = weight.transpose(0, 1)
            weight[:, before + index] = 0


def test_what_nobody_reads_can_go_from_every_layer(network):
    """Skip connections, gates and norms included; the outputs do not change."""
    untouched = network(IMAGES).detach()
    for name, count in network.architecture.items():
        for index in range(count):
            changed = copy.deepcopy(network)
            silence(changed.find_filter_groups()[name], index)
            expected = changed(IMAGES).detach()
            if not torch.equal(expected, untouched):
                break  # a map that mattered: its place among the readers is right
        else:
            pytest.fail(f'no map of {name} was ever read')
        changed.remove_filters(name, [index])
        torch.testing.assert_close(changed(IMAGES).detach(), expected, msg=name)
        assert changed.architecture[name] == network.architecture[name] - 1
        others = {k: v for k, v in changed.architecture.items() if k != name}
        assert others.items() < network.architecture.items()


def test_what_stays_has_the_same_bits(network):
    before = {k: v.clone() for k, v in network.state_dict().items()}
    cuts = network.remove_filters('encoder0_second', [2, 0])
    after = network.state_dict()
    changed = {k for k in before if before[k].shape != after[k].shape}
    # One convolution and its norm, the level below, and three readers at most.
    expected = {
        'encoder.0.second.filters.conv.weight': (0, [1, 3]),
        'encoder.1.first.filters.conv.weight': (1, [1, 3]),
        # Four maps come from below, first.
        'decoder.0.first.filters.conv.weight': (1, [0, 1, 2, 3, 5, 7]),
        'gates.0.from_skip.conv.weight': (1, [1, 3]),
    } | {
        f'encoder.0.second.filters.norm.{part}': (0, [1, 3])
        for part in ('weight', 'bias', 'running_mean', 'running_var')
    }
    assert changed == expected.keys() & before.keys()
    for key, value in after.items():
        axis, kept = expected.get(key, (0, None))
        old = before[key]
        whole = old if kept is None else old.index_select(axis, torch.tensor(kept))
        assert torch.equal(value, whole), key
    known = {id(p) for p in network.parameters()}
    assert all(id(cut.new) in known and id(cut.old) not in known for cut in cuts)
    assert len({id(cut.old) for cut in cuts}) == len(cuts)


def test_the_last_filters_stay_and_the_network_still_trains(network):
    network.shrink_to(dict.fromkeys(network.architecture, 1))
    assert set(network.architecture.values()) == {1}
    network.train()(IMAGES).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert network.head.weight.shape == (1, 1, 1, 1)
    assert network.stem.weight.shape == (1, 1, 3, 3)
    with pytest.raises(ValueError, match='cannot remove 1 of 1'):
        network.remove_filters('up0', [0])


def test_maps_go_one_at_a_time_as_at_once(network):
    other = copy.deepcopy(network)
    network.remove_filters('up1', [1, 4])
    other.remove_filters('up1', [4])
    other.remove_filters('up1', [1])
    for key, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])


def test_gradients_are_cut_too(network):
    network.train()(IMAGES).sum().backward()
    for cut in network.remove_filters('bottleneck_second', [0]):
        expected = cut.old.grad.index_select(cut.axis, cut.kept)
        assert torch.equal(cut.new.grad, expected)


def test_wrong_names_and_wider_architectures_are_refused(network):
    with pytest.raises(ValueError, match="no filters are called 'stem'"):
        network.remove_filters('stem', [0])
    with pytest.raises(ValueError, match='up0 has 4 filters here and 5'):
        network.shrink_to({**network.architecture, 'up0': 5})
    assert cut_filters(network.find_filter_groups()['up0'], [])


def test_weights_of_another_form_are_refused(network):
    whole = copy.deepcopy(network)
    network.remove_filters('up1', [0])
    for name, model in (('', whole), ('0.', torch.nn.Sequential(whole))):
        weights = {f'{name}{k}': v for k, v in network.state_dict().items()}
        with pytest.raises(ValueError, match='up1 has 8 filters here and 7 in the w'):
            model.load_state_dict(weights)
    whole.shrink_to(network.architecture)
    whole.load_state_dict(network.state_dict())
    assert torch.equal(whole(IMAGES), network(IMAGES))
