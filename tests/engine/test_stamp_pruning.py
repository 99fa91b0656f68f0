"""What pruning costs: cords in noise, segmented with most of the network removed."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.runner import Runner
from torch.nn import functional
from torch.utils.data import Dataset

from mmmed.registry import MODELS

SIZE = (48, 40)


def draw_cord(rng):
    """An oval cord in bright fluid, beside bright ovals without, all in noise."""
    y, x = np.indices(SIZE)

    def oval(center, radii):
        return np.hypot((y - center[0]) / radii[0], (x - center[1]) / radii[1]) <= 1

    center = rng.uniform((14, 12), (34, 28))
    radii = rng.uniform((3.5, 5), (5.5, 8))
    image = rng.normal(0, 0.25, SIZE) + rng.uniform(-0.2, 0.2)
    for _ in range(3):
        image += 0.7 * oval(rng.uniform((2, 2), (46, 38)), rng.uniform(2, 6, 2))
    image[oval(center, radii + 2.5)] += 1.0
    cord = oval(center, radii)
    image[cord] -= 0.6
    return image.astype(np.float32), cord.astype(np.float32)


@DATASETS.register_module(name='StampTestCords', force=True)
class Cords(Dataset):
    metainfo: dict = {}  # noqa: RUF012

    def __init__(self, number, seed):
        rng = np.random.default_rng(seed)
        self.items = [draw_cord(rng) for _ in range(number)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        image, target = self.items[index]
        return {'image': image[None], 'target': target[None]}


@ROOT_MODELS.register_module(name='StampTestNet', force=True)
class Net(BaseModel):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = MODELS.build(backbone)

    def forward(self, image, target, mode='loss'):
        logits = self.backbone(image)
        prob = logits.sigmoid()
        both = (prob * target).sum((1, 2, 3))
        total = (prob + target).sum((1, 2, 3))
        dice = 1 - ((2 * both + 1) / (total + 1)).mean()
        cross = functional.binary_cross_entropy_with_logits(logits, target)
        return {'loss': dice + cross}


def train(folder, *, warm_up, prune, recover, every, hooks, depth=3, features=8):
    loader = {
        'batch_size': 8,
        'num_workers': 0,
        'collate_fn': {'type': 'default_collate'},
        'dataset': {'type': 'StampTestCords', 'number': 96, 'seed': 1},
        'sampler': {'type': 'InfiniteSampler', 'seed': 3},
    }
    backbone = {'type': 'mmmed.SpinalUNet', 'depth': depth, 'features': features}
    steps = warm_up + prune * every + recover
    hook = {
        'type': 'mmmed.STAMPPruningHook',
        'by_epoch': False,
        'start': warm_up,
        'prune_every': every,
        'recovery': recover,
        'percentage': 10.0,
        'until': 0.9,
    }
    config = {
        'model': {'type': 'StampTestNet', 'backbone': backbone},
        'work_dir': str(folder),
        'train_dataloader': loader,
        'train_cfg': {'type': 'mmmed.ResumableIterLoop', 'max_iters': steps},
        'optim_wrapper': {'optimizer': {'type': 'AdamW', 'lr': 3e-3}},
        'param_scheduler': [{'type': 'PolyLR', 'end': steps, 'by_epoch': False}],
        'default_hooks': {
            'checkpoint': None,
            'logger': {'type': 'LoggerHook', 'interval': 10_000},
        },
        'custom_hooks': [hook] if hooks else [],
        'randomness': {'seed': 5},
        'log_level': 'WARNING',
        'experiment_name': folder.name,
    }
    return Runner.from_cfg(Config(config)).train().backbone.eval()


def measure_dice(network):
    """Mean over 64 images that were not trained on, in percent."""
    items = Cords(64, seed=2).items
    images, targets = (
        torch.from_numpy(np.stack(part)) for part in zip(*items, strict=True)
    )
    with torch.no_grad():
        found = (network(images[:, None])[:, 0] > 0).float()
    both = (found * targets).sum((1, 2))
    return 100 * (2 * both / (found + targets).sum((1, 2))).mean().item()


@pytest.mark.slow
def test_most_parameters_can_go_at_two_points_of_dice(tmp_path):
    schedule = {'warm_up': 200, 'prune': 12, 'every': 15, 'recover': 120}
    full, pruned = (
        train(tmp_path / name, hooks=name == 'pruned', **schedule)
        for name in ('full', 'pruned')
    )
    before, after = (sum(p.numel() for p in n.parameters()) for n in (full, pruned))
    assert after <= 0.15 * before
    assert measure_dice(full) > 90
    assert measure_dice(pruned) >= measure_dice(full) - 2
