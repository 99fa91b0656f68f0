"""Same bits for any number of workers and ranks, and after a restart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import DataLoader

from mmmed.datasets.samplers import ForegroundSampler

RECIPE = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets' / 'cranium.py'


@pytest.fixture(autouse=True)
def host_scope():
    """The scope in which every recipe runs."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def train_config(prepared):
    """The pipeline of the shipped recipe, at a small size that is not square."""
    config = Config.fromfile(RECIPE).train_dataloader.dataset
    config.data_root = str(prepared)
    config.pipeline[0].size = (32, 24)
    return config


def load_batches(
    config,
    *,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    start: int = 0,
    count: int = 6,
    batch_size: int = 4,
) -> list[dict]:
    dataset = DATASETS.build(config)
    sampler = ForegroundSampler(dataset, positive_share=0.5, seed=2)
    sampler.rank, sampler.world_size, sampler.start = rank, world_size, start
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    return [batch for batch, _ in zip(loader, range(count), strict=False)]


def to_bits(batches: list[dict]) -> list[tuple]:
    return [
        (
            sample.case_id,
            img.numpy().tobytes(),
            sample.gt_sem_seg.data.numpy().tobytes(),
        )
        for batch in batches
        for img, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]


def test_workers_change_nothing(train_config):
    alone = to_bits(load_batches(train_config))
    assert alone == to_bits(load_batches(train_config, workers=2))
    assert alone == to_bits(load_batches(train_config, workers=1))
    # The augmentation is at work: 24 samples of 8 cases hardly ever look the same.
    assert len({img for _, img, _ in alone}) >= 20


def test_cache_changes_nothing(train_config):
    cached = to_bits(load_batches(train_config))
    train_config.pipeline[0].cache_dir = None
    assert cached == to_bits(load_batches(train_config))


def test_ranks_share_the_batch_of_one_process(train_config):
    single = to_bits(load_batches(train_config, batch_size=6, count=4))
    ranks = [
        to_bits(load_batches(train_config, rank=r, world_size=2, batch_size=3, count=4))
        for r in range(2)
    ]
    for step in range(4):
        union = sorted(bits for rank in ranks for bits in rank[3 * step : 3 * step + 3])
        assert union == sorted(single[6 * step : 6 * step + 6])


def test_a_restart_continues_the_stream(train_config):
    whole = to_bits(load_batches(train_config))
    rest = to_bits(load_batches(train_config, workers=2, start=4 * 2, count=4))
    assert rest == whole[8:]


def test_global_seeds_are_not_used(train_config):
    np.random.random(3)
    torch.rand(3)
    first = to_bits(load_batches(train_config, count=2))
    assert first == to_bits(load_batches(train_config, count=2))


def test_half_of_every_batch_is_positive(train_config):
    for batch in load_batches(train_config):
        # A lesion may be moved out of view, so the flag of the case is what counts.
        flags = [
            int(s.case_id[-1]) < {'049': 1, '050': 2}[s.patient_id]
            for s in batch['data_samples']
        ]
        assert sum(flags) == 2


@pytest.mark.parametrize('workers', [0, 1])
def test_validation_loader_of_the_recipe(prepared, workers):
    config = Config.fromfile(RECIPE).val_dataloader
    config.dataset.data_root = str(prepared)
    dataset = DATASETS.build(config.dataset)
    loader = DataLoader(
        dataset,
        batch_size=config.batch_size,
        num_workers=workers,
        persistent_workers=config.persistent_workers,
        collate_fn=pseudo_collate,
    )
    (batch,) = list(loader)
    assert dataset.split_name == 'val'
    assert [tuple(img.shape) for img in batch['inputs']] == [(1, 512, 512)] * 4
    for sample in batch['data_samples']:
        # 40 x 28 becomes 512 x 358 between margins of 77.
        assert sample.img_padding_size == (77, 77, 0, 0)
        assert tuple(sample.gt_sem_seg.shape) == sample.ori_shape == (40, 28)


def test_tta_pipeline_flips_image_but_not_label(prepared):
    config = Config.fromfile(RECIPE)
    dataset_config = config.val_dataloader.dataset
    dataset_config.update(data_root=str(prepared), pipeline=config.tta_pipeline)
    sample = DATASETS.build(dataset_config)[0]
    plain, flipped = sample['inputs']
    assert torch.equal(plain.flip(-1), flipped)
    first, second = sample['data_samples']
    assert (first.flip, second.flip) == (False, True)
    assert torch.equal(first.gt_sem_seg.data, second.gt_sem_seg.data)
