"""A run that was interrupted equals the run that was not, bit for bit."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATA_SAMPLERS, DATASETS, EVALUATOR, METRICS, MODELS
from mmengine.runner import Runner
from torch.utils.data import Dataset, Sampler


@MODELS.register_module(name='ResumeTestNet', force=True)
class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )

    def forward(self, x, mode='loss'):
        out = self.layers(x)
        return {'loss': (out - x.sum(1, keepdim=True)).square().mean()}

    def val_step(self, data):
        return [self.layers(data['x']).sum().item()]


@DATASETS.register_module(name='ResumeTestNumbers', force=True)
class Numbers(Dataset):
    metainfo: dict = {}  # noqa: RUF012
    loaded: list = []  # noqa: RUF012

    def __len__(self):
        return 64

    def __getitem__(self, index):
        Numbers.loaded.append(index)
        return {'x': torch.tensor([index, index % 7, 1.0]) / 64}


@DATA_SAMPLERS.register_module(name='ResumeTestStream', force=True)
class Stream(Sampler):
    def __init__(self, dataset, seed=None, start=0, round_up=True):
        self.start = start

    def __iter__(self):
        position = self.start
        while True:
            yield (position * 37 + 11) % 64
            position += 1

    def __len__(self):
        return 64


@METRICS.register_module(name='ResumeTestScore', force=True)
class Score:
    dataset_meta = None

    def process(self, *_):
        pass

    def evaluate(self, _):
        return {'score': SCORES.pop(0)}


SCORES: list = []


class Interrupt(Hook):
    priority = 'VERY_HIGH'

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            raise KeyboardInterrupt


class InterruptValidation(Hook):
    priority = 'VERY_HIGH'

    def before_val(self, runner):
        raise KeyboardInterrupt


def make_runner(work_dir, *, resume=False, max_iters=12, patience=50, **checkpoint):
    loader = {
        'batch_size': 4,
        'num_workers': 0,
        'collate_fn': {'type': 'default_collate'},
        'dataset': {'type': 'ResumeTestNumbers'},
        'sampler': {'type': 'ResumeTestStream'},
    }
    config = Config(
        {
            'model': {'type': 'ResumeTestNet'},
            'work_dir': str(work_dir),
            'train_dataloader': loader,
            'val_dataloader': {
                **loader,
                'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            },
            'val_evaluator': {'type': 'ResumeTestScore'},
            'val_cfg': {},
            'train_cfg': {
                'type': 'mmmed.ResumableIterLoop',
                'max_iters': max_iters,
                'val_interval': 4,
            },
            'optim_wrapper': {
                'optimizer': {'type': 'SGD', 'lr': 0.05, 'momentum': 0.9}
            },
            'param_scheduler': [
                {'type': 'PolyLR', 'begin': 0, 'end': 12, 'by_epoch': False}
            ],
            'default_hooks': {
                'checkpoint': {
                    'type': 'mmmed.ResumableCheckpointHook',
                    'by_epoch': False,
                    'interval': 2,
                    'save_best': 'score',
                    'rule': 'greater',
                    **checkpoint,
                },
                'logger': {'type': 'LoggerHook', 'log_metric_by_epoch': False},
            },
            'custom_hooks': [
                {
                    'type': 'mmmed.ResumableEarlyStoppingHook',
                    'monitor': 'score',
                    'rule': 'greater',
                    'min_delta': 0.1,
                    'patience': patience,
                }
            ],
            'randomness': {'seed': 5},
            'resume': resume,
            'log_level': 'WARNING',
            'experiment_name': f'{work_dir.name}-{resume}-{torch.rand(1).item()}',
        }
    )
    return Runner.from_cfg(config)


@pytest.fixture(autouse=True)
def scores():
    SCORES[:] = [0.1, 0.5, 0.3] * 4
    assert EVALUATOR is not None


def weights(runner):
    return torch.cat([p.detach().flatten() for p in runner.model.parameters()])


@pytest.mark.parametrize('stop', [1, 3, 4, 5, 9])
def test_interrupted_run_ends_with_the_same_bits(tmp_path, stop):
    straight = make_runner(tmp_path / 'straight')
    straight.train()

    SCORES[:] = [0.1, 0.5, 0.3] * 4
    first = make_runner(tmp_path / 'broken')
    first.register_hook(Interrupt(stop))
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second = make_runner(tmp_path / 'broken', resume=True)
    Numbers.loaded.clear()
    second.train()

    assert torch.equal(weights(second), weights(straight))
    resumed_at = stop // 2 * 2
    trained = (12 - resumed_at) * 4
    validated = 64 * sum(v >= max(resumed_at, 1) for v in (4, 8, 12))
    # The host would load every batch seen so far once more.
    assert len(Numbers.loaded) == trained + validated


def test_validation_at_the_checkpoint_is_repeated(tmp_path):
    first = make_runner(tmp_path)
    first.register_hook(InterruptValidation())
    with pytest.raises(KeyboardInterrupt):
        first.train()
    assert (tmp_path / 'iter_4.pth').is_file()
    SCORES[:] = [0.9, 0.2, 0.2]
    make_runner(tmp_path, resume=True).train()
    assert (tmp_path / 'best_score_iter_4.pth').is_file()


def test_early_stopping_counts_across_a_resume(tmp_path):
    SCORES[:] = [0.9, 0.2, 0.2]
    runner = make_runner(tmp_path, max_iters=8, patience=2)
    runner.train()
    assert runner.iter == 8
    # One validation without progress is in the checkpoint; the repeated one at
    # iteration 8 is the same and the one at 12 would be the second.
    SCORES[:] = [0.2, 0.2]
    runner = make_runner(tmp_path, resume=True, max_iters=40, patience=2)
    runner.train()
    assert runner.iter == 12


def test_old_checkpoints_go_only_after_the_new_one_is_written(tmp_path, monkeypatch):
    runner = make_runner(tmp_path, max_keep_ckpts=1)
    seen = []
    save = runner.save_checkpoint

    def spy(*args, **kwargs):
        seen.append(sorted(p.name for p in tmp_path.glob('iter_*.pth')))
        save(*args, **kwargs)

    monkeypatch.setattr(runner, 'save_checkpoint', spy)
    runner.train()
    regular = [names for names in seen if names]
    assert regular[0] == ['iter_2.pth']
    assert all(len(names) == 1 for names in regular)
    assert [p.name for p in tmp_path.glob('iter_*.pth')] == ['iter_12.pth']


@pytest.mark.parametrize('content', [None, '', '/gone/iter_8.pth'])
def test_lost_pointer_is_mended(tmp_path, content):
    make_runner(tmp_path, max_iters=10).train()
    pointer = tmp_path / 'last_checkpoint'
    pointer.unlink()
    if content is not None:
        pointer.write_text(content)
    SCORES[:] = [0.0] * 4
    runner = make_runner(tmp_path, resume=True)
    Numbers.loaded.clear()
    runner.train()
    # Resumed at 10, not at 0 and not (as text) at 8.
    assert len(Numbers.loaded) == 2 * 4 + 64
