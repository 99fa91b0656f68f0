"""UniFormer: published counts of both fusions, missing sequences."""

import pytest
import torch

from mmmed.registry import MODELS

# Two sequences, one binary head: slices as channels (six), or volumes of one channel.
COUNTS = {
    '1.1': (3_311_298, 3_734_178),
    '1.2': (599_106, 801_826),
    '1.3': (669_730, 772_562),
    '1.4': (609_074, 652_330),
    '1.5': (1_026_402, 1_073_802),
}


def build(**settings):
    torch.manual_seed(0)
    config = {'type': 'mmmed.UniFormerEncoder', 'sequences': 2, 'slices': 6}
    return MODELS.build({**config, **settings})


@pytest.mark.parametrize('fusion', ['aux', 'middle'])
@pytest.mark.parametrize('variant', COUNTS)
def test_published_numbers_of_parameters(variant, fusion):
    with torch.device('meta'):
        network = build(variant=variant, fusion=fusion)
    count = sum(p.numel() for p in network.parameters())
    expected = COUNTS[variant][fusion == 'middle']
    assert count + 2 * (network.out_channels + 1) == expected


@pytest.mark.parametrize('missing', ['zero', 'token'])
@pytest.mark.parametrize('fusion', ['aux', 'middle'])
def test_a_missing_sequence_does_not_count(fusion, missing):
    network = build(variant='1.4', fusion=fusion, missing=missing)
    first = torch.rand(3, 2, 1, 6, 33, 34, generator=torch.Generator().manual_seed(1))
    available = torch.tensor([[1, 0], [1, 0], [0, 0]], dtype=torch.bool)
    second = torch.where(available[..., None, None, None, None], first, torch.nan)
    output = network(first, available)
    assert output.shape == (3, 128)
    assert torch.isfinite(output).all()
    output.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert torch.equal(output, network(second, available))
    assert not torch.equal(output[0], network(first)[0])


def test_maps_of_the_published_size():
    network = build(variant='1.4', fusion='aux').eval()
    maps = []
    layer = network.get_submodule(network.cam_layer)
    layer.register_forward_hook(lambda *parts: maps.extend([parts[1][0], parts[2]]))
    with torch.no_grad():
        network(torch.rand(1, 2, 1, 6, 80, 80))
    # The third axis is that of the two sequences: 2, 1, 1.
    assert [tuple(one.shape[1:]) for one in maps] == [(16, 1, 10, 10), (128, 1, 3, 3)]


def test_unknown_fusions_are_refused():
    with pytest.raises(ValueError, match="got 'early'"):
        build(fusion='early')
