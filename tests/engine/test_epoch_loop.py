"""ResumableEpochLoop: broken off in an epoch, it ends where it would have ended."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmmed.checkpoint import load_checkpoint_safely

SEQUENCES = ['t2', 'lap', 'adc']
TARGETS = {'t2': 3, 'ap': 4, 'type': 6}


class _StopError(RuntimeError):
    pass


@HOOKS.register_module(name='_StopHook')
class _StopHook(Hook):
    """Ends a run at an iteration, or before the validation of an epoch."""

    def __init__(self, iteration=-1, epoch=-1):
        self.iteration, self.epoch = iteration, epoch

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.iteration:
            raise _StopError

    def before_val_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise _StopError


def make_config(data, work_dir, **stop):
    def load(role, sampler):
        steps = [{'type': 'mmmed.LoadROISequences', 'size': (4, 8, 8)}]
        if role == 'train':
            steps.append({'type': 'mmmed.SequenceDropout'})
        return {
            'batch_size': 2,
            'num_workers': 0,
            'collate_fn': {'type': 'pseudo_collate'},
            'sampler': sampler,
            'dataset': {
                'type': 'mmmed.MultiSequenceROIDataset',
                'data_root': str(data),
                'sequences': SEQUENCES,
                'targets': list(TARGETS),
                'role': role,
                'fold': 0,
                'test_mode': role != 'train',
                'pipeline': [*steps, {'type': 'mmmed.PackROISequences'}],
            },
        }

    stream = {'type': 'mmmed.ForegroundSampler', 'epoch_length': 'dataset'}
    routing = {'t2': ['t2'], 'ap': ['lap'], 'type': SEQUENCES}
    return Config(
        {
            'default_scope': 'mmseg',
            'custom_imports': {'imports': ['mmmed.compat']},
            'model': {
                'type': 'mmmed.VolumeClassifier',
                # Paths of its attention are dropped at random.
                'network': {
                    'type': 'mmmed.CorrelationRoutingNetwork',
                    'sequences': SEQUENCES,
                    'routing': routing,
                    'variant': '0.1',
                    'dims': 2,
                    'slices': 4,
                },
                'head': {
                    'type': 'mmmed.SignalRelayHead',
                    'targets': TARGETS,
                    'class_weight': 'balanced',
                },
            },
            'work_dir': str(work_dir),
            'train_dataloader': load('train', stream),
            'val_dataloader': load('val', {'type': 'DefaultSampler', 'shuffle': False}),
            'train_cfg': {'type': 'mmmed.ResumableEpochLoop', 'max_epochs': 3},
            'val_cfg': {},
            'val_evaluator': {'type': 'mmmed.ClassificationMetric', 'num_resamples': 0},
            'optim_wrapper': {'optimizer': {'type': 'AdamW', 'lr': 0.01}},
            # The host keeps a method in its state, which no safe loader takes.
            'param_scheduler': {
                'type': 'OneCycleLR',
                'eta_max': 0.01,
                'total_steps': 3,
                'by_epoch': True,
                'convert_to_iter_based': True,
            },
            'default_hooks': {
                'checkpoint': {
                    'type': 'mmmed.ResumableCheckpointHook',
                    'save_best': 'cls/log_loss_mean',
                    'rule': 'less',
                    'max_keep_ckpts': 1,
                }
            },
            'custom_hooks': [
                {'type': 'mmmed.ClassBalanceHook'},
                {'type': 'mmmed.ClassificationRecordHook'},
                {'type': 'mmmed.CalibrationHook'},
                *([{'type': '_StopHook', **stop}] if stop else []),
            ],
            'randomness': {'seed': 0},
            'log_level': 'ERROR',
            'resume': True,
            'experiment_name': f'{work_dir.name}{len(stop)}',
        }
    )


def train(data, work_dir, **stop):
    Runner.from_cfg(make_config(data, work_dir, **stop)).train()


def read(work_dir):
    rows = json.loads((work_dir / 'records/epochs.json').read_text())['rows']
    fitted = json.loads((work_dir / 'calibration.json').read_text())
    weights = load_checkpoint_safely(work_dir / 'epoch_3.pth')['state_dict']
    best = sorted(path.name for path in work_dir.glob('best_*.pth'))
    return rows, fitted, best, weights


def test_a_run_that_was_broken_off_ends_the_same(prepared_lesions, tmp_path):
    train(prepared_lesions, tmp_path / 'whole')
    whole = read(tmp_path / 'whole')
    assert [row['phase'] for row in whole[0]] == ['train', 'val'] * 3
    assert len(whole[2]) == 1
    # In the middle of the second epoch, then before the validation of the second.
    for stop in ({'iteration': 3}, {'epoch': 2}, {}):
        if stop:
            with pytest.raises(_StopError):
                train(prepared_lesions, tmp_path / 'broken', **stop)
        else:
            train(prepared_lesions, tmp_path / 'broken')
    broken = read(tmp_path / 'broken')
    assert broken[:3] == whole[:3]
    assert all(torch.equal(broken[3][name], value) for name, value in whole[3].items())
