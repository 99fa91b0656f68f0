import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmmed.functional.process_sum import sum_over_processes
from mmmed.registry import MODELS

LOSSES = [
    {'type': 'mmmed.DiceCELoss', 'batch_dice': True},
    {'type': 'mmmed.DiceCELoss', 'class_weight': (1.0, 5.0)},
    {'type': 'mmmed.FocalTverskyLoss', 'batch_dice': True},
    {'type': 'mmmed.TverskyFocalLoss'},
    {'type': 'mmmed.SoftDiceLoss'},
]


def make_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 6, 5, generator=generator, dtype=torch.float64)
    target = (torch.rand(4, 6, 5, generator=generator) > 0.7).long()
    # The halves differ in everything that could tell them apart: lesion, valid pixels.
    target[0] = 0
    target[2:, :4] = 255
    target[3] = 255
    return logits, target


def compute(config, part):
    logits, target = make_batch()
    logits.requires_grad_()
    MODELS.build(config)(logits[part], target[part]).backward()
    loss = MODELS.build(config)(logits[part], target[part]).item()
    return loss, logits.grad


def work(rank, port, folder):
    import mmmed.compat  # noqa: F401

    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group('gloo', rank=rank, world_size=2)
    part = slice(2 * rank, 2 * rank + 2)
    torch.save([compute(c, part) for c in LOSSES], f'{folder}/{rank}.pt')
    dist.destroy_process_group()


def find_port():
    import socket

    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture(scope='module')
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp('halves')
    # Forked, because a spawned child could not import this file by name.
    mp.start_processes(
        work, args=(find_port(), str(folder)), nprocs=2, start_method='fork'
    )
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]


@pytest.mark.parametrize('index', range(len(LOSSES)), ids=lambda i: str(LOSSES[i]))
def test_two_unequal_halves_give_the_loss_and_gradient_of_the_whole(halves, index):
    loss, gradient = compute(LOSSES[index], slice(None))
    for half_loss, _ in (halves[0][index], halves[1][index]):
        assert half_loss == pytest.approx(loss, rel=1e-12)
    mean = (halves[0][index][1] + halves[1][index][1]) / 2
    torch.testing.assert_close(mean, gradient, rtol=1e-9, atol=1e-15)


def test_one_process_gets_its_own_term_back():
    value = torch.ones(3)
    assert sum_over_processes(value) is value
