"""Loaders of an experiment: pipelines, samplers, batches, and its scores.

Not here: which data sets and steps there are (``data``).
"""

from typing import Any

from mmmed.experiments.data import DataPart
from mmmed.experiments.models import ModelPart
from mmmed.experiments.section import Report, Section, simplify_name
from mmmed.experiments.steps import Step
from mmmed.experiments.text import Variable

Config = dict[str, Any]


def build_pipelines(data: DataPart, part: ModelPart) -> tuple[list[Step], list[Step]]:
    """Pipelines of training and of tests."""
    size = None if data.size is None else (data.size, data.size)
    if part.is_classifier:
        start: list[Step] = [
            {'type': 'mmmed.LoadSlice', 'size': None},
            {'type': 'mmmed.FitSlice', 'size': size},
        ]
        pack: Step = {'type': 'mmmed.PackSliceTargets', 'targets': [part.target]}
        tests = [*start, pack]
    else:
        load: Step = {'type': 'mmmed.LoadVolumeSlice', 'dtype': 'float32'}
        drawn: list[Step] = []
        fixed: list[Step] = []
        if data.synthesizes:
            drawn = [{'type': 'mmmed.SynthesizeCordLesions'}]
            fixed = [{**drawn[0], 'is_fixed': True}]
        fit: Step = {'type': 'mmmed.FitSlice', 'size': size}
        pack = {'type': 'mmmed.PackMedInputs', 'label_dtype': 'uint8'}
        start = [load, *drawn, fit]
        tests = [load, *fixed, {**fit, 'resize_seg': False}, pack]
    random = (
        [{'type': 'mmmed.SliceAugmentation', 'steps': data.random}]
        if data.random
        else []
    )
    return [*start, *random, pack], tests


def convert_loaders(
    trainer: Section, data: DataPart, part: ModelPart, plane: str, report: Report
) -> Config:
    """Loaders of all phases; takes ``loader`` and ``sampler`` of the trainer."""
    loader = trainer.take_section('loader')
    workers = loader.take_number('num_workers', 2, high=256, whole=True)
    shared: Config = {
        'batch_size': loader.take_number('batch_size', low=1, high=1e6, whole=True),
        'num_workers': workers,
        'pin_memory': bool(loader.take('pin_memory', False)),
        'persistent_workers': bool(loader.take('persistent_workers', False))
        and workers > 0,
    }
    loader.close()
    train, test = build_pipelines(data, part)
    config: Config = {'train_pipeline': train, 'test_pipeline': test}
    for phase in ('train', 'val'):
        is_train = phase == 'train'
        name = Variable('train_pipeline' if is_train else 'test_pipeline')
        config[f'{phase}_dataloader'] = {
            **shared,
            'sampler': _convert_sampler(trainer, part, report)
            if is_train
            else {'type': 'DefaultSampler', 'shuffle': False},
            'dataset': _build_dataset(data, part, phase, plane, name),
        }
    report.note(
        'data.dataset',
        'tests take the validation cases; prepare those of a test phase as a folder of '
        'their own and name it in test_dataloader.dataset',
    )
    return {**config, 'test_dataloader': Variable('val_dataloader')}


def _convert_sampler(trainer: Section, part: ModelPart, report: Report) -> Config:
    section = trainer.take_section('sampler')
    name = simplify_name(section.take('name'))
    section.take('params')
    if name == 'weightedrandomsampler' and part.is_classifier:
        return {
            'type': 'mmmed.WeightedClassSampler',
            'target': part.target,
            'epoch_length': 'dataset',
        }
    if name == 'weightedrandomsampler':
        report.note(section.key, 'half of the stream shows the structure')
        return {
            'type': 'mmmed.ForegroundSampler',
            'positive_share': 0.5,
            'epoch_length': 'dataset',
        }
    if name not in ('', 'none', 'randomsampler'):
        report.unmatched(section.key, f'no sampler {name!r} here; cases are shuffled')
    return {'type': 'mmmed.ForegroundSampler', 'epoch_length': 'dataset'}


def _build_dataset(
    data: DataPart, part: ModelPart, phase: str, plane: str, pipeline: Variable
) -> Config:
    def build(root: str) -> Config:
        config: Config = {'data_root': root, 'split': phase}
        if part.is_classifier:
            config = {'type': 'mmmed.PictureClassDataset', **config}
        else:
            config = {
                'type': 'mmmed.SpineDataset',
                **config,
                'target': part.target,
                'plane': plane,
                'is_masked_only': True,
            }
        if phase != 'train':
            config['test_mode'] = True
        return {**config, 'pipeline': pipeline}

    parts = [build(root) for root in data.roots]
    if len(parts) == 1:
        return parts[0]
    return {'type': 'ConcatDataset', 'datasets': parts}


def convert_metrics(sections: list[Section], part: ModelPart, report: Report) -> Config:
    """Metrics: ours have all that the experiments ask for."""
    covered = (
        ('accuracy', 'f1', 'f1score', 'precision', 'recall', 'auroc', 'confusionmatrix')
        if part.is_classifier
        else ('jaccardindex', 'jaccard', 'iou', 'dice', 'dicescore', 'f1', 'f1score')
    )
    for section in sections:
        name = str(section.take('name'))
        params = section.take_section('params')
        section.skip('alias', 'on_bar', 'phase')
        key = simplify_name(name.split('.')[-1])
        for kind in ('binary', 'multiclass', 'multilabel'):
            key = key.removeprefix(kind)
        if key not in covered:
            report.unmatched(section.path('name'), f'no score {name!r} here')
        _check_classes(params, part, report)
        section.close()
    kind = 'ClassificationMetric' if part.is_classifier else 'CaseOverlapMetric'
    metric = {'type': f'mmmed.{kind}'}
    fast = {'num_resamples': 0} if part.is_classifier else {}
    return {'val_evaluator': {**metric, **fast}, 'test_evaluator': metric}


def _check_classes(params: Section, part: ModelPart, report: Report) -> None:
    count = params.take('num_classes')
    expected = part.model['head']['targets'][part.target] if part.is_classifier else 2
    if count is not None and count != expected:
        report.mended(
            params.path('num_classes'),
            f'{count}, where the model has {expected} classes',
        )
    params.skip('task', 'average', 'ignore_index', 'threshold', 'top_k')
    params.close('scores of all kinds are written; the option has no counterpart')
