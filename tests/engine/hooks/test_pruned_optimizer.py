import copy

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmmed.engine.hooks.pruned_optimizer import list_optimizers, replace_parameters
from mmmed.models.networks import SpinalUNet

IMAGES = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def step(network, optimizer):
    optimizer.zero_grad()
    network(IMAGES).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize(
    'kind', [torch.optim.AdamW, torch.optim.SGD], ids=['AdamW', 'SGD']
)
def test_the_rest_moves_as_if_the_removed_had_never_been(kind):
    """A filter that nobody reads is cut: the next step of all others is the same."""
    torch.manual_seed(0)
    network = SpinalUNet(depth=1, features=3, use_batch_norm=False)
    settings = {'momentum': 0.9} if kind is torch.optim.SGD else {}
    optimizer = kind(network.parameters(), lr=0.01, **settings)
    for _ in range(3):
        step(network, optimizer)
    group = network.find_filter_groups()['bottleneck_first']
    (reader, _), producer = group.consumers[0], group.producers[0]
    with torch.no_grad():
        reader.weight[:, 2] = 0
        producer.weight[2] = 0
    whole = copy.deepcopy((network, optimizer))
    cuts = network.remove_filters('bottleneck_first', [2])
    replace_parameters(optimizer, cuts)
    step(network, optimizer)
    step(*whole)
    kept = [0, 1, 3, 4, 5]
    for name, value in network.state_dict().items():
        expected = whole[0].state_dict()[name]
        if name == 'bottleneck.first.filters.conv.weight':
            expected = expected[kept]
        if name == 'bottleneck.second.filters.conv.weight':
            expected = expected[:, kept]
        torch.testing.assert_close(value, expected, msg=name)
    assert len(optimizer.state) == len(list(network.parameters()))


def test_state_of_another_shape_is_refused():
    network = SpinalUNet(depth=1, features=3)
    optimizer = torch.optim.Adafactor(network.parameters())
    step(network, optimizer)
    with pytest.raises(ValueError, match='Adafactor keeps row_var of shape'):
        replace_parameters(optimizer, network.remove_filters('up0', [0]))


def test_optimizers_of_every_wrapper_are_found():
    one, other = (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))]) for _ in 'ab')
    wrapped = OptimWrapper(one)
    assert list(list_optimizers(wrapped)) == [one]
    both = OptimWrapperDict(a=wrapped, b=OptimWrapper(other))
    assert list(list_optimizers(both)) == [one, other]
    assert list(list_optimizers({'optimizer': {'type': 'SGD'}})) == []
