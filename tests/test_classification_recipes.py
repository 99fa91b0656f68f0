"""Recipes of lesion classifiers: what they select on, and one step through each."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

ROOT = Path(__file__).resolve().parents[1] / 'configs'
RECIPES = sorted(
    path
    for folder in ('resnet', 'crn', 'uniformer')
    for path in (ROOT / folder).glob('*.py')
    # Single slices: tests/test_spine_recipes.py.
    if '_slice_' not in path.stem and '_spinedemo-' not in path.stem
)
# Stored crops, and what comes out of the training pipeline: (C, Z, Y, X).
SHAPES = {
    'lesion6mm': ((6, 24, 24), (1, 6, 24, 24)),
    'liver10': ((8, 24, 20), (1, 8, 24, 20)),
    'midbrain': ((9, 50, 50), (1, 6, 80, 80)),
    'lld': ((16, 128, 128), (1, 14, 112, 112)),
}


def load(path):
    config = Config.fromfile(path)
    init_default_scope(config.default_scope)
    from mmmed.registry import MODELS

    return config, MODELS


def make_batch(config, shape):
    from mmmed.registry import TRANSFORMS

    names = list(config.train_dataloader.dataset.sequences)
    steps = list(config.train_dataloader.dataset.pipeline)
    assert steps[0].type == 'mmmed.LoadROISequences'
    pipeline = Compose([TRANSFORMS.build(dict(step)) for step in steps[1:]])
    rng = np.random.default_rng(0)
    samples = []
    for number in range(2):
        available = np.arange(len(names)) != number - 1
        img = rng.random((len(names), 1, *shape), np.float32)
        img[~available] = 0
        sample = {
            'img': img, 'available': available, 'sequences': names, 'size_mm': 16.0,
            'img_spacing': (2.0, 1.0, 1.0), 'spacing': (2.0, 1.0, 1.0),
            'rng': np.random.default_rng(number), 'case_id': str(number),
            'targets': dict.fromkeys(config.model.head.targets, number),
        }  # fmt: skip
        samples.append(pipeline(sample))
    return pseudo_collate(samples)


@pytest.mark.parametrize('path', RECIPES, ids=lambda p: p.stem)
def test_takes_a_step_of_training(path):
    config, registry = load(path)
    dataset = path.stem.split('_')[3].partition('-')[0]
    stored, expected = SHAPES[dataset]
    batch = make_batch(config, stored)
    assert batch['inputs'][0].shape[1:] == expected
    # Larger pictures only take longer.
    batch['inputs'] = [part[..., :32, :32].contiguous() for part in batch['inputs']]
    torch.manual_seed(0)
    model = registry.build(config.model).train()
    counts = config.model.head.targets.items()
    model.head.set_class_counts({name: [2] * classes for name, classes in counts})
    before = [value.detach().clone() for value in model.parameters()]
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    logs = model.train_step(batch, optimizer)
    assert torch.isfinite(logs['loss'])
    moved = [
        not torch.equal(old, new)
        for old, new in zip(before, model.parameters(), strict=True)
    ]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize('path', RECIPES, ids=lambda p: p.stem)
def test_what_is_reported_has_chosen_nothing(path):
    config = Config.fromfile(path)
    parts = [config[f'{part}_dataloader'] for part in ('train', 'val', 'test')]
    assert [part.dataset.role for part in parts] == ['train', 'val', 'test']
    assert all(part.dataset.test_mode for part in parts[1:])
    random = {'SequenceDropout', 'EachSequence', 'JointSequences', 'RandomCropVolume'}
    for part in parts[1:]:
        used = {step.type.removeprefix('mmmed.') for step in part.dataset.pipeline}
        assert not used & random
    assert config.default_hooks.checkpoint.save_best == 'cls/composite'
    names = {hook.type.removeprefix('mmmed.') for hook in config.custom_hooks}
    assert {'ClassBalanceHook', 'CalibrationHook', 'SelfDescriptionHook'} <= names
    sequences = {tuple(part.dataset.sequences) for part in parts}
    assert sequences == {tuple(config.model.network.sequences)}
