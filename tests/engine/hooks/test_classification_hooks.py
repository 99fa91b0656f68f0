"""A tiny classifier in the host's loops: weights, records, calibration, description."""

import csv
import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.engine.hooks.self_description_hook import describe_classifier
from mmmed.registry import DATASETS, MODELS
from mmmed.structures.roi_sample import ROISample

TARGETS = {'type': ['HCC', 'ICC', 'cyst'], 'mvi': ['no', 'yes']}


@DATASETS.register_module(name='_HookRegions', force=True)
class _Regions(Dataset):
    """Six regions, whose brightness is the class; the last has no label of mvi."""

    def __init__(self, fold=1, role='train', data_root=''):
        self.fold = fold
        self.metainfo = {
            'dataset': 'tiny', 'targets': TARGETS, 'sequences': ['t2', 'adc'],
            'normalisation': {'t2': {'kind': 'zscore'}}, 'num_folds': 5,
        }  # fmt: skip

    def __len__(self):
        return 6

    def get_data_info(self, index):
        mvi = -1 if index == 5 else index % 2
        # No case of class 1: a gap.
        return {'targets': {'type': 2 * (index % 2), 'mvi': mvi}}

    def __getitem__(self, index):
        targets = self.get_data_info(index)['targets']
        noise = torch.Generator().manual_seed(index)
        image = torch.randn(2, 1, 2, 3, 4, generator=noise) + targets['type']
        meta = {'case_id': f'c{index}', 'patient_id': f'p{index // 2}'}
        sample = ROISample(
            metainfo=meta, available=torch.tensor([True, True]), gt_targets=targets
        )
        return {'inputs': image, 'data_samples': sample}


@MODELS.register_module(name='_HookNetwork', force=True)
class _Network(nn.Module):
    out_channels = 3

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 3)

    def forward(self, inputs, available):
        return self.fc(inputs.mean(dim=(1, 2, 3, 4, 5))[:, None])


def make_runner(work_dir, **options):
    head = {
        'type': 'mmmed.MultiTargetHead',
        'targets': {'type': 3, 'mvi': 2},
        'class_weight': {'type': 'inverse'},
    }
    loader = {
        'batch_size': 3,
        'num_workers': 0,
        'collate_fn': {'type': 'pseudo_collate'},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': {'type': 'mmmed._HookRegions', 'fold': 1, 'data_root': 'here'},
    }
    hook = {
        'type': 'mmmed.ResumableCheckpointHook', 'interval': 1, 'rule': 'greater',
        'save_best': 'cls/composite',
    }  # fmt: skip
    names = (
        'ClassBalanceHook', 'ClassificationRecordHook', 'CalibrationHook',
        'SelfDescriptionHook',
    )  # fmt: skip
    config = {
        'default_scope': 'mmseg',
        'custom_imports': {'imports': ['mmmed.compat'], 'allow_failed_imports': False},
        'model': {
            'type': 'mmmed.VolumeClassifier',
            'network': {'type': 'mmmed._HookNetwork'},
            'head': head,
        },
        'work_dir': str(work_dir),
        'train_dataloader': loader,
        'val_dataloader': loader,
        'test_dataloader': loader,
        'train_cfg': {'by_epoch': True, 'max_epochs': 2, 'val_interval': 1},
        'val_cfg': {},
        'test_cfg': {},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
        'val_evaluator': {'type': 'mmmed.ClassificationMetric', 'num_resamples': 0},
        'test_evaluator': {'type': 'mmmed.ClassificationMetric', 'num_resamples': 20},
        'default_hooks': {'checkpoint': hook},
        'custom_hooks': [
            *({'type': f'mmmed.{name}'} for name in names),
            {'type': 'mmmed.CaseTableHook', 'save_masks': False},
        ],
        'randomness': {'seed': 0},
        'log_level': 'ERROR',
        'experiment_name': f'classification_{work_dir.name}_{len(options)}',
    }
    return Runner.from_cfg(Config(config | options))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('classifier')
    make_runner(folder).train()
    return folder


def read_rows(folder):
    return json.loads((folder / 'records' / 'epochs.json').read_text())['rows']


def test_every_epoch_is_recorded(trained):
    rows = read_rows(trained)
    places = [(r['phase'], r['epoch'], r['iteration']) for r in rows]
    assert places == [
        ('train', 1, 2), ('val', 1, 2), ('train', 2, 4), ('val', 2, 4)
    ]  # fmt: skip
    assert rows[0]['loss'] == pytest.approx(rows[0]['loss_type'] + rows[0]['loss_mvi'])
    assert 0 <= rows[0]['acc_type'] <= 1
    assert 0 <= rows[1]['cls/composite'] <= 1
    with (trained / 'records/predictions/val_0000004.csv').open() as stream:
        cases = list(csv.DictReader(stream))
    assert len(cases) == 12
    assert cases[11]['truth'] == ''


def test_a_checkpoint_describes_itself(trained):
    (best,) = trained.glob('best_cls_composite_*.pth')
    meta = load_checkpoint_safely(best)['meta']['classification']
    assert meta['targets'] == TARGETS
    assert meta['sequences'] == ['t2', 'adc']
    assert meta['normalisation'] == {'t2': {'kind': 'zscore'}}
    assert meta['split'] == {
        'split_hash': None, 'manifest': None, 'fold': 1, 'num_folds': 5
    }  # fmt: skip
    assert meta['class_counts'] == {'type': [3, 0, 3], 'mvi': [3, 2]}
    assert meta['model']['network'] == {'type': 'mmmed._HookNetwork'}
    assert meta['dataset'] == {'type': 'mmmed._HookRegions'}


def test_a_resumed_run_goes_on_in_the_same_records(trained, tmp_path):
    for path in trained.glob('*'):
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / 'records').mkdir()
    for name in ('epochs.json', 'epochs.csv'):
        text = (trained / 'records' / name).read_bytes()
        (tmp_path / 'records' / name).write_bytes(text)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    make_runner(tmp_path, resume=True).train()
    ours, theirs = read_rows(tmp_path), read_rows(trained)
    keys = ('phase', 'epoch', 'iteration', 'loss_type', 'cls/composite')
    assert [[r.get(k) for k in keys] for r in ours] == [
        [r.get(k) for k in keys] for r in theirs
    ]
    names = ('calibration.json',)
    assert all((tmp_path / n).read_text() == (trained / n).read_text() for n in names)


def test_a_test_uses_the_calibration_of_its_checkpoint(trained):
    checkpoint = trained / 'epoch_2.pth'
    found = make_runner(trained, load_from=str(checkpoint)).test()
    entries = json.loads((trained / 'calibration.json').read_text())['by_iteration']
    assert list(entries) == ['2', '4']
    fitted = entries['4']['mvi']
    assert found['cls/mvi_log_loss'] == pytest.approx(fitted['log_loss'], rel=1e-6)
    assert found['cls/mvi_log_loss_raw'] == pytest.approx(fitted['log_loss_raw'])
    assert 'cls/mvi_sensitivity_youden_yes' in found
    folder = trained / 'evaluation' / 'test'
    names = {path.name for path in folder.iterdir()}
    assert {'cases.csv', 'scores.csv', 'confusion.csv', 'summary.json'} <= names


def test_weights_come_from_the_training_set(trained):
    runner = make_runner(trained, train_cfg={'by_epoch': True, 'max_epochs': 0})
    runner.train()
    head = runner.model.head
    assert head._get_class_weight('type').tolist() == [2, 0, 2]
    assert head._get_class_weight('mvi') is None


def test_other_classes_than_those_of_the_data_stop_it_at_once(trained):
    runner = make_runner(trained, train_cfg={'by_epoch': True, 'max_epochs': 9})
    runner.model.head.targets['mvi'] = 3
    with pytest.raises(ValueError, match="3 classes of 'mvi', and the data"):
        describe_classifier(runner)
