"""timm's encoders on slices."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import mmmed.compat  # noqa: F401  (timm imports torchvision)
from mmmed.registry import MODELS

ROOT = Path(__file__).resolve().parents[4]


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


# Encoder and head of the published counts, of grey images. RepViT's are those of one
# head; with the second, 6,552,462 of 165 classes.
@pytest.mark.parametrize(
    ('model', 'batch_norm', 'counts'),
    [
        ('efficientvit_m5', True, (12_151_865, 12_092_190, 12_089_880, 12_089_110)),
        ('resnet18', False, (11_254_885, 11_175_370, 11_172_292, 11_171_266)),
        (
            'mobilenetv4_hybrid_medium', False,
            (10_004_437, 9_805_882, 9_798_196, 9_795_634),
        ),
        ('repvit_m1_0', True, (6_477_481, 6_407_886, 6_405_192, 6_404_294)),
    ],
)  # fmt: skip
def test_parameters_of_slice_classifiers(model, batch_norm, counts):
    pytest.importorskip('timm')
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/slice_classifier.py').model
    cfg.network.backbone.model = model
    cfg.head.batch_norm = batch_norm
    cfg.head.targets = {'finding': 165}
    classifier = MODELS.build(cfg)
    total = count(classifier)
    found = [total]
    for classes in (10, 4, 2):
        head = {'type': 'mmmed.MultiTargetHead', 'targets': {'finding': classes}}
        width = classifier.network.out_channels
        built = MODELS.build({**head, 'in_channels': width, 'batch_norm': batch_norm})
        found.append(total - count(classifier.head) + count(built))
    assert tuple(found) == counts


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_frozen_network_stays_as_it_is():
    encoder = build(model='resnet10t', frozen=True)
    before = {name: value.clone() for name, value in encoder.net.state_dict().items()}
    encoder.train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1)
    encoder(torch.rand(2, 2, 2, 32, 32)).sum().backward()
    optimizer.step()
    after = encoder.net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(parameter.grad is not None for parameter in encoder.score.parameters())


@pytest.mark.parametrize(
    'options',
    [
        {'model': 'hf-hub:someone/net'},
        {'checkpoint_path': 'weights.pth'},
        {'pretrained_cfg': {'file': 'weights.pth'}},
        {'pretrained': True},
    ],
)
def test_nothing_is_fetched_or_read_by_the_way(options):
    with pytest.raises(ValueError, match='expected'):
        MODELS.build({'type': 'mmmed.TimmSliceEncoder'} | options)
