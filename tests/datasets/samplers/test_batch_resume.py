"""DistributionBatchSampler in the host's loops: epochs, iterations, resumed runs."""

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch.utils.data import Dataset

# 14 lesion slices and 30 normal ones: four batches of 8 an epoch.
PIXELS = [0] * 30 + [100] * 9 + [700] * 4 + [5000]


@DATASETS.register_module(name='BatchTestSlices', force=True)
class Slices(Dataset):
    metainfo: dict = {}  # noqa: RUF012
    plane = 'axial'

    def __len__(self):
        return len(PIXELS)

    def get_data_info(self, index):
        return {'foreground_pixels': PIXELS[index]}

    def __getitem__(self, draw):
        return {'draw': torch.tensor([int(draw), draw.draw])}


@MODELS.register_module(name='BatchTestNet', force=True)
class Net(BaseModel):
    seen: list = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, draw, mode='loss'):
        Net.seen.append(draw.tolist())
        return {'loss': self.weight.square().sum()}


def train(work_dir, train_cfg, *, endless=False, resume=False) -> list:
    Net.seen = []
    by_epoch = bool(train_cfg.get('by_epoch'))
    config = {
        'model': {'type': 'BatchTestNet'},
        'work_dir': str(work_dir),
        'train_dataloader': {
            'batch_size': 8,
            'num_workers': 0,
            'collate_fn': {'type': 'default_collate'},
            'dataset': {'type': 'BatchTestSlices'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'batch_sampler': {
                'type': 'mmmed.DistributionBatchSampler',
                'endless': endless,
            },
        },
        'train_cfg': train_cfg,
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
        'default_hooks': {
            'sampler_seed': {'type': 'DistSamplerSeedHook'},
            'checkpoint': {
                'type': 'CheckpointHook',
                'by_epoch': by_epoch,
                'interval': 1 if by_epoch else 5,
            },
        },
        'randomness': {'seed': 5},
        'resume': resume,
        'log_level': 'ERROR',
        'experiment_name': f'{work_dir.name}-{torch.rand(1).item()}',
    }
    Runner.from_cfg(Config(config)).train()
    return Net.seen


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)


def iterate(count: int) -> dict:
    return {'type': 'mmmed.ResumableIterLoop', 'max_iters': count, 'val_interval': 99}


@pytest.mark.parametrize('endless', [True, False])
def test_a_resumed_run_sees_the_same_batches(tmp_path, endless):
    whole = train(tmp_path / 'whole', iterate(15), endless=endless)
    assert [draw for batch in whole for _, draw in batch] == list(range(15 * 8))
    # Iteration 10 is in the middle of the third epoch, 15 in the fourth.
    first = train(tmp_path / 'parts', iterate(10), endless=endless)
    rest = train(tmp_path / 'parts', iterate(15), endless=endless, resume=True)
    assert first + rest == whole


def test_epochs_and_iterations_are_one_stream(tmp_path):
    whole = train(tmp_path / 'iterations', iterate(12), endless=True)
    epochs = {'by_epoch': True, 'max_epochs': 3}
    assert train(tmp_path / 'epochs', epochs) == whole
    train(tmp_path / 'two', {**epochs, 'max_epochs': 2})
    assert train(tmp_path / 'two', epochs, resume=True) == whole[8:]
    lesions = [[i for b in whole[e : e + 4] for i, _ in b if i >= 30] for e in (0, 4)]
    assert sorted(lesions[0]) == sorted(lesions[1]) == list(range(30, 44))
    assert lesions[0] != lesions[1]
