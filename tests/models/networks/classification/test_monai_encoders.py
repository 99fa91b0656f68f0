"""MONAI's classifiers as backbones of volumes."""

import sys

import pytest
import torch

from mmmed.registry import MODELS

SMALL = {
    'MonaiResNetEncoder': {'layers': (1, 1, 1, 1), 'widths': (4, 4, 8, 8)},
    'MonaiDenseNetEncoder': {'blocks': (1, 1), 'growth': 4, 'init_features': 8},
    'MonaiEfficientNetEncoder': {},
}


def build(kind, **options):
    torch.manual_seed(0)
    return MODELS.build({'type': f'mmmed.{kind}', 'in_channels': 2, **options})


@pytest.mark.parametrize('kind', SMALL)
def test_volumes_become_vectors(kind):
    """Several sequences of odd size; the last maps can be hooked and have gradients."""
    encoder = MODELS.build(
        {
            'type': 'mmmed.PerSequenceEncoder',
            'backbone': {'type': f'mmmed.{kind}', **SMALL[kind]},
            'sequences': ['t1', 't2'],
            'shared': False,
        }
    )
    maps = []

    def keep(layer, given, output):
        output.retain_grad()
        maps.append(output)

    encoder.get_submodule(encoder.cam_layers['t2']).register_forward_hook(keep)
    features = encoder(torch.rand(2, 2, 1, 9, 33, 35))
    assert features.shape == (2, encoder.out_channels)
    features.square().sum().backward()
    assert maps[0].shape[:1] == (2,)
    assert maps[0].ndim == 5
    assert maps[0].grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('block', 'layers', 'expected'),
    # The published networks without their last linear layer.
    [('basic', (2, 2, 2, 2), 512), ('bottleneck', (3, 4, 6, 3), 2048)],
)
def test_widths_of_resnets(block, layers, expected):
    with torch.device('meta'):
        network = build('MonaiResNetEncoder', block=block, layers=layers)
    assert network.out_channels == expected


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'monai.networks.nets', None)
    with pytest.raises(ImportError, match=r'pip install "mmmed\[volumes\]"'):
        build('MonaiDenseNetEncoder')
