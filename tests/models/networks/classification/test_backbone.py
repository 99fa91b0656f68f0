"""What every backbone of lesions promises, in two and three dimensions."""

import pytest
import torch

from mmmed.registry import MODELS

KINDS = ('ROIVGG', 'ROIResNet', 'ROIDenseNet', 'ROIShuffleNetV2')


def build(kind, **settings):
    torch.manual_seed(0)
    return MODELS.build({'type': f'mmmed.{kind}', 'in_channels': 2, **settings})


@pytest.mark.parametrize('size', [(23, 18), (1, 17, 20), (9, 17, 20)])
@pytest.mark.parametrize('kind', KINDS)
def test_any_size_trains(kind, size):
    """Also odd sizes and a single slice."""
    network = build(kind, dims=len(size))
    images = torch.rand(2, 2, *size)
    features = network(images)
    assert features.shape == (2, network.out_channels)
    features.square().sum().backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize('kind', KINDS)
def test_the_last_maps_can_be_hooked(kind):
    """Grad-CAM needs the maps whose mean is the vector."""
    network = build(kind, dims=3).eval()
    seen = []
    layer = network.get_submodule(network.cam_layer)
    layer.register_forward_hook(lambda *parts: seen.append(parts[2]))
    features = network(torch.rand(1, 2, 8, 24, 16))
    # The VGG pools four times, the others three.
    assert seen[0].shape[2:] == ((1, 1, 1) if kind == 'ROIVGG' else (1, 3, 2))
    torch.testing.assert_close(seen[0].mean((2, 3, 4)), features)


@pytest.mark.parametrize(
    ('dims', 'shape'),
    [(2, (1, 3, 16, 16)), (2, (1, 2, 4, 16, 16)), (3, (1, 2, 16, 16))],
)
def test_other_axes_or_channels_are_refused(dims, shape):
    with pytest.raises(ValueError, match=f'ROIResNet of dims={dims} reads'):
        build('ROIResNet', dims=dims)(torch.rand(shape))


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match='dims must be 2'):
        build('ROIVGG', dims=1)


def test_legacy_pool_ignores_the_border():
    """Of a 10x10 map, the last two rows and columns."""
    network = build('ROIResNet', dims=2, legacy_pool=True).eval()
    images = torch.rand(1, 2, 80, 80)
    maps = network.features(images)
    assert maps.shape == (1, 32, 10, 10)
    torch.testing.assert_close(network(images), maps[..., :8, :8].mean((2, 3)))
