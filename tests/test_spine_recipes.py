"""Recipes of the spinal cord pipeline fit the data, the classes and the cascade."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction
from mmengine.registry import VISBACKENDS

from mmmed.inference.cascade.slice_recipe import read_slice_recipe
from mmmed.structures.spine_classes import SPINE_TARGETS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
CLASSIFIERS = [
    *sorted(CONFIGS.glob('efficientvit/*_spine-*.py')),
    *sorted(CONFIGS.glob('resnet/*_spinedemo-*.py')),
]
TWO = ('sagittal', 'axial')
SEGMENTORS = [
    path
    for pattern in ('*_spine-*', '*_spinelesion-*')
    for folder in ('spinalunet', 'ducknet')
    for path in sorted((CONFIGS / folder).glob(f'{pattern}.py'))
]


@pytest.mark.parametrize('path', CLASSIFIERS, ids=lambda p: p.stem)
def test_heads_have_the_classes_of_the_pipeline(path):
    cfg = Config.fromfile(path)
    targets = cfg.model.head.targets
    assert targets == {name: len(SPINE_TARGETS[name]) for name in targets}
    wanted = cfg.train_dataloader.sampler.target
    assert wanted in targets or set(targets) == set(wanted.split('_'))
    # The cascade repeats the test pipeline on a series.
    recipe = read_slice_recipe(cfg.test_dataloader.dataset.pipeline)
    assert len(recipe.steps) == 2


@pytest.mark.parametrize('path', SEGMENTORS, ids=lambda p: p.stem)
def test_segmentors_are_chosen_by_what_their_data_show(path):
    cfg = Config.fromfile(path)
    loaders = [cfg[f'{name}_dataloader'].dataset for name in ('train', 'val', 'test')]
    task = path.stem.split('_')[1]
    assert {loader.target for loader in loaders} == {task}
    planes = {loader.get('planes', (loader.plane,)) for loader in loaders}
    view = path.stem.split('_')[-1].split('-')[1]
    assert planes == {TWO if view == 'twoplanes' else (view,)}
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert 'mmmed.SegmentationDescriptionHook' in hooks
    is_pruned = 'stamp' in path.stem
    assert ('mmmed.STAMPPruningHook' in hooks) == is_pruned
    # The best score may be that of a network before it was pruned.
    best = None if is_pruned else f'overlap/dice_patient_{task}'
    assert cfg.default_hooks.checkpoint.save_best == best
    sizes = {
        (step.pixel_mm, *step['size'])
        for loader in loaders
        for step in loader.pipeline
        if step.type == 'mmmed.FitSlice'
    }
    assert len(sizes) == 1
    fixed = [
        [s.get('is_fixed', False) for s in loader.pipeline if 'Synthesize' in s.type]
        for loader in loaders
    ]
    has_lesions = '-synth-' in path.stem
    assert fixed == ([[False], [True], [True]] if has_lesions else [[], [], []])


@pytest.mark.parametrize(
    'path',
    [*CLASSIFIERS, *SEGMENTORS, *sorted(CONFIGS.glob('*/*_slice_*_radimagenet-*.py'))],
    ids=lambda p: p.stem,
)
def test_names_say_batches_and_epochs(path):
    cfg = Config.fromfile(path)
    batch, epochs = re.search(r'_1xb(\d+)-.*?(\d+)e_', path.stem).groups()
    assert cfg.train_dataloader.batch_size == int(batch)
    assert cfg.auto_scale_lr.base_batch_size == int(batch)
    assert cfg.train_cfg.max_epochs == int(epochs)
    # No schedule ends before the training.
    ends = {schedule.get('end', int(epochs)) for schedule in cfg.param_scheduler}
    assert ends == {int(epochs)}


@pytest.mark.parametrize('name', ['WandbVisBackend', 'MLflowVisBackend'])
def test_a_logger_of_the_host_is_one_option(name):
    cfg = Config.fromfile(CLASSIFIERS[0])
    option = f'visualizer.vis_backends.1.type={name}'
    key, value = option.split('=')
    cfg.merge_from_dict({key: DictAction._parse_iterable(value)})
    assert [b.type for b in cfg.visualizer.vis_backends] == ['LocalVisBackend', name]
    assert VISBACKENDS.get(name) is not None
