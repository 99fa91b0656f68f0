"""Pruning inside real runs of the host's runner, on squares of 8x8 pixels."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.engine import STAMPPruningHook
from mmmed.engine.hooks.pruning_hook import count_parameters
from mmmed.registry import MODELS

BACKBONE = {'type': 'mmmed.SpinalUNet', 'depth': 1, 'features': 6}


@ROOT_MODELS.register_module(name='PruningTestNet', force=True)
class Net(BaseModel):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = MODELS.build(backbone)

    def forward(self, image, target, mode='loss'):
        logits = self.backbone(image)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        return {'loss': loss} if mode == 'loss' else [logits]


@DATASETS.register_module(name='PruningTestSquares', force=True)
class Squares(Dataset):
    metainfo: dict = {}  # noqa: RUF012

    def __len__(self):
        return 8

    def __getitem__(self, index):
        target = torch.zeros(1, 8, 8)
        target[:, 2 : 5 + index % 2, 1 + index % 3 : 6] = 1
        return {'image': target - 0.5, 'target': target}


class Interrupt(Hook):
    priority = 'VERY_HIGH'

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            raise KeyboardInterrupt


def make_runner(folder, *, by_epoch=True, steps=4, backbone=None, **settings):
    """A run of two iterations an epoch."""
    hook = {
        'type': 'mmmed.STAMPPruningHook',
        'num_filters': 3,
        'prune_every': 1 if by_epoch else 2,
        'by_epoch': by_epoch,
        'dropout_base': 0.3,
        **settings.pop('hook', {}),
    }
    unit = 'epochs' if by_epoch else 'iters'
    loop = 'ResumableEpochLoop' if by_epoch else 'ResumableIterLoop'
    config = {
        'model': {'type': 'PruningTestNet', 'backbone': backbone or BACKBONE},
        'work_dir': str(folder),
        'train_dataloader': {
            'batch_size': 4,
            'num_workers': 0,
            'collate_fn': {'type': 'default_collate'},
            'dataset': {'type': 'PruningTestSquares'},
            'sampler': {
                'type': 'DefaultSampler' if by_epoch else 'InfiniteSampler',
                'shuffle': False,
            },
        },
        'train_cfg': {'type': f'mmmed.{loop}', f'max_{unit}': steps},
        'optim_wrapper': {'optimizer': {'type': 'AdamW', 'lr': 0.01}},
        'param_scheduler': [{'type': 'PolyLR', 'end': 9, 'by_epoch': by_epoch}],
        'default_hooks': {
            'checkpoint': {
                'type': 'mmmed.ResumableCheckpointHook',
                'by_epoch': by_epoch,
                'interval': 1 if by_epoch else 3,
            },
            'logger': {'type': 'LoggerHook', 'log_metric_by_epoch': by_epoch},
        },
        'custom_hooks': [hook] if hook['type'] else [],
        'randomness': {'seed': 5},
        'log_level': 'WARNING',
        'experiment_name': f'{folder}-{len(list(folder.parent.rglob("*.log")))}',
        **settings,
    }
    return Runner.from_cfg(Config(config))


def find_hook(runner):
    return next(h for h in runner.hooks if isinstance(h, STAMPPruningHook))


def read_weights(model):
    return torch.cat([v.flatten().double() for v in model.state_dict().values()])


@pytest.mark.parametrize(
    ('by_epoch', 'steps', 'stop', 'mode'),
    [
        (True, 4, 5, 'taylor'),
        # Killed after a checkpoint in the middle of what Taylor sums up.
        (False, 8, 4, 'taylor'),
        (True, 3, 3, 'random'),
    ],
)
def test_interrupted_run_ends_with_the_same_bits(tmp_path, by_epoch, steps, stop, mode):
    settings = {'by_epoch': by_epoch, 'steps': steps, 'hook': {'mode': mode}}
    straight = make_runner(tmp_path / 'straight', **settings)
    straight.train()
    first = make_runner(tmp_path / 'broken', **settings)
    first.register_hook(Interrupt(stop))
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second = make_runner(tmp_path / 'broken', resume=True, **settings)
    second.train()

    expected = straight.model.backbone.architecture
    assert sum(expected.values()) == 54 - 3 * (steps if by_epoch else steps // 2)
    assert second.model.backbone.architecture == expected
    assert torch.equal(read_weights(second.model), read_weights(straight.model))
    assert find_hook(second)._history == find_hook(straight)._history


def test_checkpoint_says_and_has_the_pruned_network(tmp_path):
    runner = make_runner(tmp_path / 'run')
    runner.train()
    checkpoint = load_checkpoint_safely(tmp_path / 'run' / 'epoch_4.pth')
    state = checkpoint['pruning']
    assert state['architecture'] == runner.model.backbone.architecture
    assert [entry['step'] for entry in state['history']] == [1, 2, 3, 4]
    assert all(sum(e['removed'].values()) == 3 for e in state['history'])
    parameters = count_parameters(runner.model)
    assert state['history'][-1]['parameters'] == parameters
    assert state['initial_parameters'] == 3701

    config = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    twin = Net(config.model.backbone)
    twin.load_state_dict(checkpoint['state_dict'])
    assert count_parameters(twin) == parameters
    image = torch.rand(1, 1, 8, 8)
    twin.eval(), runner.model.eval()
    assert torch.equal(twin.backbone(image), runner.model.backbone(image))

    tested = make_runner(tmp_path / 'tested')
    tested.load_checkpoint(str(tmp_path / 'run' / 'epoch_4.pth'))
    assert torch.equal(read_weights(tested.model), read_weights(runner.model))
    assert tested.cfg.model.backbone.architecture == state['architecture']

    # A run of the full configuration takes its form from the checkpoint, with a
    # dropout and a count of its own.
    tuned = make_runner(
        tmp_path / 'tuned',
        steps=1,
        hook={'start': 5},
        load_from=str(tmp_path / 'run' / 'epoch_4.pth'),
    )
    tuned.train()
    assert tuned.model.backbone.architecture == state['architecture']
    assert find_hook(tuned)._initial == parameters


@pytest.mark.parametrize(
    ('until', 'recovery', 'expected'),
    [(2, 0, [1, 2]), (0.2, 0, [1, 2]), (0.9, 3, [1]), (9, 0, [1, 2, 3, 4])],
)
def test_when_it_ends(tmp_path, until, recovery, expected):
    hook = {'until': until, 'recovery': recovery, 'mode': 'l2'}
    runner = make_runner(tmp_path / 'run', hook=hook)
    runner.train()
    history = find_hook(runner)._history
    assert [entry['step'] for entry in history] == expected
    if until == 0.2:
        left = [entry['parameters'] / 3701 for entry in history]
        assert left[0] > 0.8 >= left[1]


def test_it_goes_down_to_one_filter_a_layer_and_trains_on(tmp_path):
    hook = {'num_filters': None, 'percentage': 80.0, 'until': 0.999}
    runner = make_runner(tmp_path / 'run', hook=hook, steps=5)
    runner.train()
    assert set(runner.model.backbone.architecture.values()) == {1}
    first = find_hook(runner)._history[0]
    assert sum(first['removed'].values()) == 43  # 80 % of 54, rounded down
    assert find_hook(runner)._is_done
    assert torch.isfinite(read_weights(runner.model)).all()


def test_optimizer_trains_what_is_left_and_nothing_else(tmp_path):
    runner = make_runner(tmp_path / 'run')
    runner.train()
    optimizer = runner.optim_wrapper.optimizer
    trained = {id(p) for group in optimizer.param_groups for p in group['params']}
    assert trained == {id(p) for p in runner.model.parameters()}
    for param, state in optimizer.state.items():
        assert id(param) in trained
        assert state['exp_avg'].shape == param.shape
        assert state['step'] == 8


def test_targeted_dropout_follows_each_pruning(tmp_path):
    runner = make_runner(tmp_path / 'run', steps=1, hook={'prune_every': 2})
    runner.train()
    groups = runner.model.backbone.find_filter_groups()
    assert {g.dropout.p for g in groups.values() if g.dropout} == {0.005}
    runner = make_runner(tmp_path / 'other', steps=1)
    runner.train()
    rates = find_hook(runner)._rates
    assert max(rates.values()) == pytest.approx(0.3)
    for name, group in runner.model.backbone.find_filter_groups().items():
        assert group.dropout is None or group.dropout.p == rates[name]
    for part in runner.model.modules():
        assert not part._forward_hooks


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'mode': 'slimming'}, "one of .*, got 'slimming'"),
        ({'num_filters': 1, 'percentage': 5.0}, 'not both'),
        ({'num_filters': 0}, 'num_filters must be >= 1, got 0'),
        ({'percentage': 100.0}, r'percentage must lie in \(0, 100\)'),
        ({'prune_every': 0}, 'prune_every must be >= 1'),
        ({'span': 9}, r'span must lie in 1\.\.prune_every, got 9'),
        ({'until': 1.0}, r'until, as a share, must lie in \(0, 1\)'),
        ({'until': 0}, 'until, as a step, must be >= 1'),
        ({'dropout_base': 1.0}, 'dropout_base and dropout_initial'),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        STAMPPruningHook(**settings)


def test_runs_that_cannot_be_pruned_are_refused(tmp_path):
    runner = make_runner(tmp_path / 'ema')
    runner.register_hook(EMAHook())
    with pytest.raises(ValueError, match='EMAHook keeps weights'):
        runner.train()
    hook = STAMPPruningHook()
    model = SimpleNamespace(backbone=torch.nn.Identity())
    with pytest.raises(ValueError, match=r'model\.backbone is Identity'):
        hook._find(SimpleNamespace(model=model))
    runner = make_runner(tmp_path / 'iters', by_epoch=False, hook={'by_epoch': True})
    with pytest.raises(ValueError, match='set by_epoch=False'):
        runner.train()
