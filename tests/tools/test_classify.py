"""Folds of a tiny classifier trained by the host, then the command on their folder."""

import csv
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmmed.structures.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
SEQUENCES = ['t2', 'lap', 'adc']
CLASSES = {'t2': 4, 'ap': 4, 'type': 6}


def make_runner(data, work_dir, fold, targets):
    def load(role):
        return {
            'batch_size': 2,
            'num_workers': 0,
            'collate_fn': {'type': 'pseudo_collate'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'dataset': {
                'type': 'mmmed.MultiSequenceROIDataset',
                'data_root': str(data),
                'sequences': SEQUENCES,
                'targets': list(targets),
                'role': role,
                'fold': fold,
                'serialize_data': False,
                'pipeline': [
                    {'type': 'mmmed.LoadROISequences', 'size': (4, 8, 8)},
                    {'type': 'mmmed.PackROISequences'},
                ],
            },
        }

    names = ('ClassBalanceHook', 'CalibrationHook', 'SelfDescriptionHook')
    head = {'type': 'mmmed.MultiTargetHead', 'targets': targets}
    config = {
        'default_scope': 'mmseg',
        'custom_imports': {'imports': ['mmmed.compat'], 'allow_failed_imports': False},
        'model': {
            'type': 'mmmed.VolumeClassifier',
            'network': {
                'type': 'mmmed.EarlyFusionEncoder',
                'backbone': {'type': 'mmmed.ROIVGG', 'variant': '1.1', 'dims': 3},
                'sequences': SEQUENCES,
            },
            'head': head | {'class_weight': 'balanced'},
        },
        'work_dir': str(work_dir),
        'train_dataloader': load('train'),
        'val_dataloader': load('val'),
        'train_cfg': {'by_epoch': True, 'max_epochs': 1},
        'val_cfg': {},
        'val_evaluator': {'type': 'mmmed.ClassificationMetric', 'num_resamples': 0},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.01}},
        'default_hooks': {
            'checkpoint': {
                'type': 'mmmed.ResumableCheckpointHook',
                'save_best': 'cls/log_loss_mean',
                'rule': 'less',
            }
        },
        'custom_hooks': [{'type': f'mmmed.{name}'} for name in names],
        'randomness': {'seed': fold},
        'log_level': 'ERROR',
        'experiment_name': f'classify_{work_dir.parent.name}_{fold}',
    }
    return Runner.from_cfg(Config(config))


@pytest.fixture(scope='module')
def runs(prepared_lesions, tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    classes = Manifest.read(prepared_lesions / 'manifest.json').metainfo['targets']
    sizes = {name: len(labels) for name, labels in classes.items()}
    for fold in range(2):
        # The second model does not know one of the signs.
        targets = dict(list(sizes.items())[fold:])
        make_runner(prepared_lesions, folder / f'fold{fold}', fold, targets).train()
    return folder


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/classify.py'
    spec = importlib.util.spec_from_file_location('classify', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classify(tool, *arguments):
    return tool.main(['--models', *map(str, arguments), '-q', '--num-resamples', '20'])


def read_rows(out):
    with (out / 'predictions.csv').open() as stream:
        return list(csv.DictReader(stream))


def test_an_ensemble_of_folds(tool, runs, prepared_lesions, tmp_path):
    assert classify(tool, runs, prepared_lesions, tmp_path, '--ensemble', 'vote') == 0
    rows = read_rows(tmp_path)
    assert len(rows) == 6 * 3
    votes = {row['vote_share'] for row in rows if row['num_models'] == '2'}
    assert votes <= {'0.5', '1.0'}
    assert {row['num_models'] for row in rows} == {'1', '2'}
    for row in rows:
        prob = [float(v) for k, v in row.items() if k.startswith('prob_') and v]
        assert sum(prob) == pytest.approx(1)
        assert row['correct'] == (
            str(int(row['pred'] == row['truth'])) if row['truth'] else ''
        )
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    labelled = [row for row in rows if row['target'] == 'type' and row['truth']]
    accuracy = np.mean([row['correct'] == '1' for row in labelled])
    found = metrics['ensemble']['type']
    assert found['scores']['accuracy']['value'] == pytest.approx(accuracy)
    assert (found['n'], found['n_missing']) == (len(labelled), 6 - len(labelled))
    assert set(metrics['models']) == {'fold0', 'fold1'}
    run = json.loads((tmp_path / 'run.json').read_text())['classification']
    assert run['models']['fold0']['seen_in_training'] == 4
    assert run['models']['fold0']['calibrated'] == sorted(found_targets(rows))


def found_targets(rows):
    return {row['target'] for row in rows}


def test_finished_models_are_not_run_again(tool, runs, prepared_lesions, tmp_path):
    call = (tool, runs, prepared_lesions, tmp_path)
    assert classify(*call) == 0
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'models').iterdir()}
    first = (tmp_path / 'predictions.csv').read_bytes()
    (tmp_path / 'predictions.csv').unlink()
    assert classify(*call) == 0
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'models').iterdir()}
    assert before == after
    assert (tmp_path / 'predictions.csv').read_bytes() == first
    # Another call with other cases may not mix with it.
    assert classify(*call, '--role', 'test') == 2
    assert classify(*call, '--workers', '2', '--batch-size', '3', '--overwrite') == 0
    assert [r['pred'] for r in read_rows(tmp_path)] == [
        r['pred'] for r in csv.DictReader(first.decode().splitlines())
    ]


def test_folds_answer_only_what_they_have_not_seen(
    tool, runs, prepared_lesions, tmp_path
):
    call = (tool, runs, prepared_lesions, tmp_path / 'a', '--role', 'test')
    assert classify(*call) == 0
    manifest = Manifest.read(prepared_lesions / 'manifest.json')
    expected = {
        case.case_id for fold in range(2) for case in manifest.select_role('test', fold)
    }
    rows = read_rows(tmp_path / 'a')
    assert {row['case_id'] for row in rows} == expected
    assert {row['num_models'] for row in rows} == {'1'}
    run = json.loads((tmp_path / 'a' / 'run.json').read_text())['classification']
    assert run['models']['fold1']['seen_in_training'] == 0
    other = (tool, runs, prepared_lesions, tmp_path / 'b', '--compare-with')
    assert classify(*other, tmp_path / 'a') == 0
    comparison = json.loads((tmp_path / 'b' / 'comparison.json').read_text())
    assert comparison['targets']['type']['accuracy']['n'] <= len(expected)


def test_a_damaged_case_is_named_and_the_others_go_on(
    tool, runs, prepared_lesions, tmp_path, capsys
):
    data = tmp_path / 'data'
    shutil.copytree(prepared_lesions, data)
    manifest = Manifest.read(data / 'manifest.json')
    (data / manifest.cases[0].paths[0]).write_bytes(b'nothing')
    out = tmp_path / 'out'
    assert classify(tool, runs / 'fold0', data, out, '--json') == 3
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(summary['failed']) == [manifest.cases[0].case_id]
    assert summary['cases'] == 5


def test_a_wrong_call_is_one_clear_error(
    tool, runs, prepared_lesions, tmp_path, capsys
):
    assert classify(tool, tmp_path, prepared_lesions, tmp_path / 'out') == 2
    assert 'no checkpoint' in capsys.readouterr().err
    assert classify(tool, runs, tmp_path, tmp_path / 'out') == 2
    assert 'no manifest' in capsys.readouterr().err
    weights = ('--ensemble', 'weighted', '--weights', '1')
    assert classify(tool, runs, prepared_lesions, tmp_path / 'out', *weights) == 2
    assert '1 weights for 2 models' in capsys.readouterr().err
    data = tmp_path / 'data'
    shutil.copytree(prepared_lesions, data)
    manifest = json.loads((data / 'manifest.json').read_text())
    manifest['metainfo']['targets']['type'].reverse()
    (data / 'manifest.json').write_text(json.dumps(manifest))
    assert classify(tool, runs, data, tmp_path / 'out') == 2
    assert 'would mean another class' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
