"""MONAI's networks behind one interface: sizes, depths, memory options."""

import sys

import pytest
import torch

from mmmed.registry import MODELS


def build(kind, **options):
    torch.manual_seed(0)
    return MODELS.build({'type': f'mmmed.{kind}', **options})


@pytest.mark.parametrize(
    ('kind', 'options', 'expected'),
    [
        ('MonaiUNet', {}, 4_807_482),
        ('MonaiSwinUNETR', {'feature_size': 12}, 4_078_269),
        ('MonaiSwinUNETR', {'feature_size': 24}, 15_703_413),
        ('MonaiSwinUNETR', {'feature_size': 48}, 62_187_525),
        ('MonaiDynUNet', {}, 16_538_563),
    ],
)
def test_published_numbers_of_parameters(kind, options, expected):
    """Recipes for liver tumors, one channel in and three out."""
    network = build(kind, in_channels=1, out_channels=3, **options)
    assert sum(p.numel() for p in network.parameters()) == expected


SMALL = {
    'MonaiUNet': {'channels': (4, 8, 8), 'strides': (2, 2), 'num_res_units': 1},
    'MonaiSwinUNETR': {'feature_size': 12, 'depths': (1, 1, 1, 1)},
    'MonaiDynUNet': {
        'kernel_size': ((1, 3, 3), 3, 3),
        'strides': (1, (1, 2, 2), 2),
        'filters': (4, 8, 8),
        'deep_supr_num': 1,
    },
    'MonaiSegResNet': {'init_filters': 8, 'blocks_down': (1, 1, 1)},
}


@pytest.mark.parametrize('kind', SMALL)
def test_logits_have_the_size_of_the_volume(kind):
    network = build(kind, in_channels=2, out_channels=3, **SMALL[kind]).eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 2, 13, 18, 15))
    assert logits.shape == (1, 3, 13, 18, 15)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize('kind', ['MonaiDynUNet', 'MonaiSegResNet'])
def test_deep_supervision_gives_depths_while_it_trains(kind):
    network = build(kind, deep_supervision=True, **SMALL[kind])
    depths = network(torch.rand(1, 1, 8, 16, 16))
    sizes = [tuple(one.shape[2:]) for one in depths]
    # The first step of this DynUNet leaves Z alone.
    second = (8, 8, 8) if kind == 'MonaiDynUNet' else (4, 8, 8)
    assert sizes[:2] == [(8, 16, 16), second]
    sum(one.mean() for one in depths).backward()
    network.eval()
    assert network(torch.rand(1, 1, 8, 16, 16)).shape == (1, 2, 8, 16, 16)


def test_depths_are_those_of_the_heads():
    network = build('MonaiDynUNet', deep_supervision=True, **SMALL['MonaiDynUNet'])
    inputs = torch.rand(1, 1, 8, 16, 16)
    finest, coarse = network(inputs)
    stacked = network.net(inputs)
    torch.testing.assert_close(stacked[:, 0], finest)
    enlarged = torch.nn.functional.interpolate(coarse, (8, 16, 16))
    torch.testing.assert_close(stacked[:, 1], enlarged)


@pytest.mark.parametrize('kind', SMALL)
def test_checkpointing_changes_no_gradient(kind):
    plain, thrifty = (build(kind, **SMALL[kind]) for _ in range(2))
    thrifty.load_state_dict(plain.state_dict())
    thrifty.checkpoint_activations()
    inputs = torch.rand(1, 1, 16, 16, 40)
    for network in (plain, thrifty):
        network(inputs).square().mean().backward()
    pairs = zip(plain.named_parameters(), thrifty.named_parameters(), strict=True)
    for (name, one), (other_name, other) in pairs:
        assert name == other_name
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6)


def test_without_monai_the_way_to_have_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'monai.networks.nets', None)
    with pytest.raises(ImportError, match=r'pip install "mmmed\[volumes\]"'):
        build('MonaiUNet')


def test_monai_is_imported_only_when_a_network_is_built():
    import subprocess

    code = (
        'import sys, mmmed.compat, mmmed.models;'
        'sys.exit(any(name.split(".")[0] == "monai" for name in sys.modules))'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
