"""Who was trained on is found out, not believed."""

import dataclasses

import pytest

from mmmed.reporting.evaluation_folder import read_evaluation
from mmmed.reporting.exposure import (
    TrainingPart,
    judge_exposure,
    read_training_part,
)


def judge(run, name: str, part: TrainingPart | None = None, **options: object):
    evaluation = read_evaluation(run.work_dir / 'evaluation' / name)
    return judge_exposure(evaluation, part, **options)


def test_patients_decide_not_names(run) -> None:
    part = TrainingPart('train', None)
    assert judge(run, 'val', part).kind == 'held_out'
    assert judge(run, 'train', part).kind == 'seen'
    assert judge(run, 'train', part).seen == ('a', 'b')


@pytest.mark.parametrize(
    ('part', 'kind', 'seen'),
    [
        # Fold 2 is patient c alone: trained on a, b and d.
        (TrainingPart('train', 2), 'mixed', ('d',)),
        (TrainingPart('val', None), 'seen', ('c', 'd')),
        (TrainingPart(None, None), 'seen', ('c', 'd')),
    ],
)
def test_training_on_another_part_is_a_leak(run, part, kind, seen) -> None:
    exposure = judge(run, 'val', part)
    assert (exposure.kind, exposure.seen) == (kind, seen)
    assert exposure.certain


def test_without_a_config_the_split_is_assumed_and_said(run) -> None:
    exposure = judge(run, 'val')
    assert exposure.kind == 'held_out'
    assert not exposure.certain
    assert 'assumed' in exposure.reason


def test_evaluated_fold_is_assumed_without_a_config(run) -> None:
    run.evaluate('val-fold1', 'val', fold=1)
    assert judge(run, 'val-fold1').kind == 'held_out'


def test_data_prepared_again_after_training_is_unknown(run) -> None:
    part = TrainingPart('train', None)
    exposure = judge(run, 'val', part, trained_manifest='0' * 64)
    assert exposure.kind == 'unknown'
    assert 'prepared again' in exposure.reason


def test_no_manifest_and_impossible_fold_are_unknown(run) -> None:
    evaluation = read_evaluation(run.work_dir / 'evaluation' / 'val')
    without = dataclasses.replace(evaluation, manifest=None, problem='gone')
    assert judge_exposure(without, None).kind == 'unknown'
    exposure = judge_exposure(evaluation, TrainingPart('train', 9))
    assert (exposure.kind, exposure.label) == (
        'unknown',
        'perhaps seen in training',
    )


@pytest.mark.parametrize(
    ('dataset', 'split', 'fold'),
    [
        ("split='train'", 'train', None),
        ("split='train', fold=3", 'train', 3),
        ('fold=None', None, None),
    ],
)
def test_reads_the_config_beside_the_log(empty_run, dataset, split, fold) -> None:
    empty_run.log('20240101_000000', [{'lr': 1, 'step': 1}], dataset)
    part = read_training_part(empty_run.work_dir)
    assert (part.split, part.fold) == (split, fold)
    assert part.source == '20240101_000000/vis_data/config.py'


def test_config_of_the_last_training_counts_not_of_a_test(empty_run) -> None:
    empty_run.log('20240101_000000', [{'lr': 1, 'step': 1}], 'fold=0')
    empty_run.log('20240102_000000', [{'lr': 1, 'step': 1}], 'fold=1')
    empty_run.log('20240103_000000', [{'overlap/x': 1, 'step': 1}], 'fold=2')
    assert read_training_part(empty_run.work_dir).fold == 1


@pytest.mark.parametrize(
    'text',
    [
        "train_dataloader = {'dataset': {'times': 3, 'dataset': {'fold': 4}}}",
        'a = 1\ntrain_dataloader = dict(dataset=dict(datasets=[dict(fold=4)]))',
    ],
)
def test_wrapped_data_sets_and_dumped_configs(empty_run, text: str) -> None:
    (empty_run.work_dir / 'unet.py').write_text(text)
    assert read_training_part(empty_run.work_dir).fold == 4


@pytest.mark.parametrize(
    'text',
    [
        '',
        'train_dataloader = None',
        'train_dataloader = dict(dataset=build())',
        'train_dataloader = dict(',
        'train_dataloader = {[1]: 2}',
        'x = ' + '(' * 300,
        "raise SystemExit(open('ran', 'w'))",
    ],
)
def test_odd_configs_are_read_as_nothing_and_never_run(
    empty_run, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(empty_run.work_dir)
    (empty_run.work_dir / 'odd.py').write_text(text)
    assert read_training_part(empty_run.work_dir) is None
    assert not (empty_run.work_dir / 'ran').exists()
