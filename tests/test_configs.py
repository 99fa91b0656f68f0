"""Every recipe loads, resolves, builds, and does one forward at a tiny size."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts
) + sorted((ROOT / 'projects').rglob('configs/*.py'))
BASES = sorted((ROOT / 'configs/_base_').rglob('*.py'))
SMALL = {'efficientvit_m5': 'efficientvit_m0', 'repvit_m1_0': 'repvit_m0_9'}
WIDTHS = {'mmmed.SpinalUNet': 'features', 'mmmed.DUCKNet': 'init_features'}
names = [str(p.relative_to(ROOT)) for p in LEAVES]


def find_types(node):
    if isinstance(node, ConfigDict | dict):
        if isinstance(node.get('type'), str):
            yield node['type']
        for value in node.values():
            yield from find_types(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from find_types(value)


@pytest.mark.parametrize('path', LEAVES, ids=names)
def test_every_type_of_ours_resolves(path):
    import mmmed.registry as registry

    tables = [t for t in vars(registry).values() if getattr(t, 'scope', '') == 'mmmed']
    ours = {
        t for t in find_types(Config.fromfile(path)._cfg_dict) if t.startswith('mmmed.')
    }
    assert ours, 'a recipe of mmmed uses something of mmmed'
    for name in ours:
        found = [t for t in tables if t.get(name) is not None]
        assert found, f'{name} is in no registry'


@pytest.mark.parametrize('path', LEAVES, ids=names)
def test_builds_and_does_one_forward(path):
    config = Config.fromfile(path)
    init_default_scope(config.default_scope)
    from mmseg.registry import MODELS

    if config.model.type == 'mmmed.VolumeClassifier':
        check_classifier(config.model, MODELS)
        return
    if 'network' in config.model:
        check_volume_model(config.model, MODELS)
        return
    config.model.backbone[WIDTHS.get(config.model.backbone.type, 'base_channels')] = 8
    if 'channels' in config.model.decode_head:  # complete networks have no such head
        config.model.decode_head.in_channels = 8
        config.model.decode_head.channels = 8
    model = MODELS.build(config.model).eval()
    channels = config.model.backbone.in_channels
    with torch.no_grad():
        logits = model(torch.zeros(1, channels, 64, 48), mode='tensor')
    assert logits.shape[:2] == (1, config.model.decode_head.out_channels)
    assert torch.isfinite(logits).all()


def check_volume_model(model, registry):
    if 'channels' in model.network:
        model.network.channels = [8 for _ in model.network.channels]
    if 'feature_size' in model.network:
        model.network.feature_size = 12
    channels = model.network.get('in_channels', 1)
    with torch.no_grad():
        network = registry.build(model).eval()
        logits = network(torch.zeros(1, channels, 32, 40, 33), mode='tensor')
    assert logits.shape == (1, model.decode_head.out_channels, 32, 40, 33)
    assert torch.isfinite(logits).all()


def check_classifier(model, registry):
    slices, size = model.network.get('slices') or 4, (16, 24)
    backbone = model.network.get('backbone', {})
    if backbone.get('type') == 'mmmed.TimmSliceEncoder':
        # A small relative, and one slice as in the recipe.
        backbone.model = SMALL.get(backbone.model, backbone.model)
        slices, size = 1, (224, 224) if 'efficientvit' in backbone.model else (64, 64)
    network = registry.build(model).eval()
    count = len(network.network.sequences)
    available = torch.tensor([[True] * count, [True] + [False] * (count - 1)])
    with torch.no_grad():
        logits = network(torch.zeros(2, count, 1, slices, *size), available)
    assert {k: tuple(v.shape) for k, v in logits.items()} == {
        name: (2, classes) for name, classes in model.head.targets.items()
    }
    assert all(torch.isfinite(v).all() for v in logits.values())


@pytest.mark.parametrize('path', LEAVES, ids=names)
def test_leaf_says_what_a_reader_needs(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    header = text.split('"""')[1] if text.startswith('"""') else ''
    assert 'mim train mmseg' in header or path.stem.count('_') < 2, 'name the command'


@pytest.mark.parametrize('path', BASES, ids=lambda p: p.name)
def test_base_is_data_only(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 120
    assert 'import ' not in text.replace('custom_imports', '').replace('imports=', '')


def test_three_dataloaders_share_one_root_and_fold():
    for path in LEAVES:
        config = Config.fromfile(path)
        loaders = [config.get(f'{s}_dataloader') for s in ('train', 'val', 'test')]
        # A recipe for a whole data set validates on nothing.
        loaders = [loader.dataset for loader in loaders if loader]
        assert len({d.data_root for d in loaders}) == 1, path
        # Who is reported may lie outside all folds.
        folds = {d.get('fold') for d in loaders}
        assert len(folds) == 1 or len(folds - {None}) == 1, path
