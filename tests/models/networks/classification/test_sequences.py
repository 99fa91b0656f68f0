"""Axes and availability of several sequences."""

import pytest
import torch
from torch import nn

from mmmed.models.networks.classification.sequences import (
    SequenceNetwork,
    fill_absent,
    halve_shape,
    run_present,
)


def test_slices_become_channels_channel_by_channel():
    network = SequenceNetwork(['t2', 'adc'], dims=2, channels=2, slices=3)
    inputs = torch.rand(4, 2, 2, 3, 5, 6)
    images, present = network.split(inputs, None)
    assert network.sequence_channels == 6
    assert images.shape == (4, 2, 6, 5, 6)
    assert torch.equal(images[1, 1, 4], inputs[1, 1, 1, 1])
    assert present.all()


def test_volumes_stay():
    network = SequenceNetwork(2, dims=3)
    inputs = torch.rand(4, 2, 1, 3, 5, 6)
    assert network.sequences == ('sequence0', 'sequence1')
    assert network.split(inputs, None)[0] is inputs


@pytest.mark.parametrize(
    ('shape', 'mask', 'message'),
    [
        ((4, 3, 1, 3, 5, 6), None, r'reads \(N, 2 sequences, 1 channels, 3 slices'),
        ((4, 2, 1, 4, 5, 6), None, 'reads'),
        ((4, 2, 3, 5, 6), None, 'reads'),
        ((4, 2, 1, 3, 5, 6), torch.ones(4, 3, dtype=torch.bool), 'available must be'),
        ((4, 2, 1, 3, 5, 6), torch.ones(4, 2), 'available must be bool'),
    ],
)
def test_other_batches_are_refused(shape, mask, message):
    network = SequenceNetwork(2, dims=2, slices=3)
    with pytest.raises(ValueError, match=message):
        network.split(torch.rand(shape), mask)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'sequences': ['a', 'a'], 'dims': 3}, 'different names'),
        ({'sequences': 0, 'dims': 3}, 'one or more'),
        ({'sequences': 2, 'dims': 2}, 'slices=5'),
        ({'sequences': 2, 'dims': 3, 'missing': 'noise'}, 'missing must be one of'),
    ],
)
def test_other_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SequenceNetwork(**settings)


@pytest.mark.parametrize('mask', [(1, 0, 1), (0, 0, 0), (1, 1, 1)])
def test_a_module_runs_on_those_who_are_there(mask):
    seen = []
    module = nn.Flatten()
    module.register_forward_hook(lambda *parts: seen.append(len(parts[2])))
    present = torch.tensor(mask, dtype=torch.bool)
    images = torch.rand(3, 2, 2) + 1
    images[~present] = torch.nan
    images.requires_grad_()
    values = run_present(module, images, present, (4,))
    assert seen == ([sum(mask)] if any(mask) else [])
    assert torch.equal(values != 0, present[:, None].expand(3, 4))
    assert torch.equal(values[present], images[present].flatten(1))
    filled = fill_absent(values, present, torch.tensor([7.0, 8, 9, 10]))
    assert torch.equal(filled[present], values[present])
    assert (filled[~present] == torch.tensor([7.0, 8, 9, 10])).all()


def test_sides_of_a_strided_map():
    convolution = nn.Conv3d(1, 1, 3, 2, 1)
    size = convolution(torch.rand(1, 1, 1, 9, 10)).shape[2:]
    assert halve_shape((1, 9, 10)) == size == (1, 5, 5)
    assert halve_shape((5, 80), 3) == (1, 10)
