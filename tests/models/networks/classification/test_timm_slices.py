"""timm's encoders on slices."""

import sys

import pytest
import torch

import mmmed.compat  # noqa: F401  (timm imports torchvision)
from mmmed.registry import MODELS


def build(**options):
    pytest.importorskip('timm')
    torch.manual_seed(0)
    return MODELS.build({'type': 'mmmed.TimmSliceEncoder', 'in_channels': 2, **options})


@pytest.mark.parametrize(
    ('model', 'options', 'width'),
    [
        ('resnet10t', {}, 512),
        ('mobilenetv3_small_050', {}, 1024),
        ('vit_tiny_patch16_224', {'img_size': 32, 'depth': 2}, 192),
    ],
)
def test_slices_become_one_vector(model, options, width):
    encoder = build(model=model, **options).eval()
    volume = torch.rand(3, 2, 4, 32, 32)
    weights, maps = [], []
    encoder.weights.register_forward_hook(lambda *parts: weights.append(parts[2]))
    layer = encoder.get_submodule(encoder.cam_layer)
    layer.register_forward_hook(lambda *parts: maps.append(parts[2]))
    with torch.no_grad():
        vector = encoder(volume)
        slices = torch.stack([encoder.net(volume[:, :, z]) for z in range(4)], 1)
    assert vector.shape == (3, width)
    assert maps[0].shape[0] == 12
    torch.testing.assert_close(weights[0].sum(1), torch.ones(3))
    torch.testing.assert_close(vector, (weights[0][..., None] * slices).sum(1))


def test_the_order_of_slices_does_not_matter():
    encoder = build(model='resnet10t', pool='mean').eval()
    volume = torch.rand(1, 2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder(volume), encoder(volume.flip(2)))


def test_unknown_pools_are_refused():
    with pytest.raises(ValueError, match="got 'max'"):
        MODELS.build({'type': 'mmmed.TimmSliceEncoder', 'pool': 'max'})


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match=r'pip install "mmmed\[timm\]"'):
        MODELS.build({'type': 'mmmed.TimmSliceEncoder'})
