from collections import Counter
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import ConcatDataset, DefaultSampler
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from mmmed.datasets.samplers import distribution_batch_sampler as module
from mmmed.datasets.samplers.distribution_batch_sampler import (
    DistributionBatchSampler,
)
from mmmed.functional.lesion_strata import assign_strata


class Slices:
    """A dataset that only knows how many lesion pixels its slices have."""

    plane = 'axial'

    def __init__(self, pixels, spacing=(1.0, 1.0)) -> None:
        self.pixels = [None if p is None else int(p) for p in pixels]
        self.spacing = spacing

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index):
        return {'index': int(index), 'draw': index.draw}

    def get_data_info(self, idx: int) -> dict:
        return {'foreground_pixels': self.pixels[idx], 'spacing': self.spacing}


def make_pixels(counts=(60, 21, 18, 16, 7, 5), normals=400, seed=1) -> np.ndarray:
    """Slices of each axial stratum and normal ones, shuffled."""
    sizes = (100, 350, 750, 1500, 2500, 4000)
    pixels = np.repeat([0, *sizes], [normals, *counts])
    return np.random.default_rng(seed).permutation(pixels)


PIXELS = make_pixels()


def make(pixels=PIXELS, batch_size=16, world=(0, 1), **options):
    options = {'seed': 3, **options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, 'get_dist_info', lambda: world)
        return DistributionBatchSampler(
            SimpleNamespace(dataset=Slices(pixels)), batch_size, **options
        )


def to_pairs(batches) -> list[list[tuple[int, int]]]:
    return [[(int(d), d.draw) for d in batch] for batch in batches]


@given(
    st.lists(st.integers(0, 12), min_size=6, max_size=6).filter(any),
    st.integers(1, 60),
    st.integers(1, 20),
    st.floats(0.05, 1),
    st.integers(0, 2**31),
)
@settings(max_examples=150)
def test_an_epoch_holds_every_lesion_once_and_every_batch_its_share(
    counts, normals, batch_size, share, seed
):
    pixels = make_pixels(counts, normals)
    sampler = make(pixels, batch_size, lesion_share=share, seed=seed)
    batches = np.array([[int(d) for d in b] for b in sampler])
    total = sum(counts)
    assert batches.shape == (len(sampler), batch_size)
    drawn = batches[pixels[batches] > 0]
    if share < 1:
        assert np.array_equal(np.sort(drawn), np.flatnonzero(pixels))
        lesions = (pixels[batches] > 0).sum(axis=1)
        assert set((lesions - total // len(sampler)).tolist()) <= {0, 1}
        expected = batch_size * share
        # Where there are enough batches for T to be the nearest whole number.
        if total / expected + 0.5 >= -(-total // batch_size):
            bound = expected / (2 * len(sampler)) + 1
            assert np.abs(lesions - expected).max() < bound + 1e-9
        strata = assign_strata(pixels[batches], 'axial')
        table = np.stack([(strata == k).sum(axis=1) for k in range(6)], axis=1)
        exact = np.outer(lesions, np.array(counts) / total)
        assert np.abs(table - exact).max() < 2
        assert np.abs((table - exact).cumsum(axis=0)).max() < 1


def test_default_batches_are_half_lesion():
    lesions = [(PIXELS[[int(d) for d in batch]] > 0).sum() for batch in make()]
    # 127 lesion slices in 16 batches: one has seven.
    assert Counter(map(int, lesions)) == {8: 15, 7: 1}


def test_lesions_alone_fill_batches_with_a_second_view():
    sampler = make(PIXELS[PIXELS > 0], lesion_share=1)
    drawn = Counter(int(d) for batch in sampler for d in batch)
    assert len(sampler) == 8
    assert sorted(drawn) == list(range(127))
    assert sum(drawn.values()) - len(drawn) == 1


def test_epochs_differ_and_seeds_differ():
    sampler = make()
    first = to_pairs(sampler)
    assert to_pairs(sampler) == first == to_pairs(make())
    sampler.set_epoch(1)
    second = to_pairs(sampler)
    assert second[0][0][1] == len(sampler) * 16
    assert [i for b in second for i, _ in b] != [i for b in first for i, _ in b]
    assert to_pairs(make(seed=4)) != first


@pytest.mark.parametrize('world_size', [2, 4])
def test_local_batches_of_all_ranks_are_the_global_batch(world_size):
    local = 16 // world_size
    ranks = [
        to_pairs(make(batch_size=local, world=(rank, world_size)))
        for rank in range(world_size)
    ]
    for parts, whole in zip(zip(*ranks, strict=True), to_pairs(make()), strict=True):
        assert sorted((p for part in parts for p in part), key=lambda p: p[1]) == whole
        assert all(draw % world_size == r for r, p in enumerate(parts) for _, draw in p)
        # Strata in order: the parts differ by at most one lesion slice.
        lesions = [sum(PIXELS[i] > 0 for i, _ in part) for part in parts]
        assert max(lesions) - min(lesions) <= 1


@pytest.mark.parametrize('world_size', [1, 2])
@pytest.mark.parametrize('done', [0, 5, 16, 19, 40])
def test_start_continues_the_endless_stream(world_size, done):
    world = (world_size - 1, world_size)
    options = {'batch_size': 16 // world_size, 'world': world, 'endless': True}
    whole = to_pairs(islice(make(**options), 60))
    resumed = make(**options)
    resumed.start = done * resumed.batch_size * world_size
    assert to_pairs(islice(resumed, 20)) == whole[done : done + 20]


def test_a_finite_epoch_ends_and_the_next_follows(monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    sampler = make()
    endless = to_pairs(islice(make(endless=True), 60))
    loader = DataLoader(
        sampler.dataset, batch_sampler=sampler, collate_fn=lambda batch: batch
    )
    assert len(loader) == len(sampler) == 16

    def read(batches, count):
        taken = islice(batches, count)
        return [[(item['index'], item['draw']) for item in batch] for batch in taken]

    assert read(loader, 100) == endless[:16]
    assert read(_InfiniteDataloaderIterator(loader), 40) == endless[:40]
    # As ResumableIterLoop resumes: the iterator counts epochs from 0 again.
    sampler.start = 21 * 16
    assert read(_InfiniteDataloaderIterator(loader), 30) == endless[21:51]


def test_the_host_builds_it_and_sets_its_epoch():
    loader = Runner.build_dataloader(
        {
            'dataset': Slices(PIXELS),
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'batch_sampler': {
                'type': 'mmmed.DistributionBatchSampler',
                'lesion_share': 0.25,
            },
            'batch_size': 8,
            'num_workers': 0,
        },
        seed=11,
    )
    batches = loader.batch_sampler
    assert isinstance(batches, DistributionBatchSampler)
    assert (batches.seed, batches.batch_size, batches.lesion_share) == (11, 8, 0.25)
    assert not hasattr(loader.sampler, 'set_epoch')
    batches.sampler.set_epoch(2)
    assert batches.start == 2 * 8 * len(batches)


def test_sizes_are_compared_in_mm2():
    # 100 pixels of 2 x 3 mm are 600 mm2, in the third stratum.
    sampler = DistributionBatchSampler(
        DefaultSampler(Slices([100, 0, 0], (2.0, 3.0)), seed=0), 2
    )
    assert sampler._plan.quotas.tolist() == [[1, 0, 0, 1, 0, 0, 0]]


def test_parts_of_a_joined_dataset_are_read():
    parts = [Slices([0, 100]), Slices([350, 0])]
    joined = ConcatDataset.__new__(ConcatDataset)
    joined.datasets, joined.cumulative_sizes = parts, [2, 4]
    joined._fully_initialized = True
    sampler = DistributionBatchSampler(
        SimpleNamespace(dataset=joined, seed=0), 4, edges='axial'
    )
    assert sampler._plan.quotas.tolist() == [[2, 1, 1, 0, 0, 0, 0]]


def test_legacy_reproduces_the_published_composition():
    counts = np.array([11713, 5322, 4175, 3696, 1665, 703]) // 100
    pixels = make_pixels(counts, 700)
    sampler = make(pixels, 32, legacy=True)
    batch = pixels[[int(d) for d in next(iter(sampler))]]
    assert (batch[:16] == 0).all()
    strata = assign_strata(batch[16:], 'axial', closed='low')
    assert np.bincount(strata, minlength=6).tolist() == [8, 3, 2, 2, 1, 0]
    first = [i for b in to_pairs(sampler) for i, _ in b]
    sampler.set_epoch(1)
    assert [i for b in to_pairs(sampler) for i, _ in b] == first


def test_legacy_warns_of_what_it_drops(monkeypatch):
    said = []
    monkeypatch.setattr(module, 'print_log', lambda text, *rest: said.append(text))
    make(make_pixels((70, 28, 3, 0, 0, 0)), 8, legacy=True)
    assert said == [
        'legacy batches use 92 of 101 lesion slices in every epoch and none of size '
        'stratum 2 (of 6, from 0)'
    ]


def test_bad_calls_are_named():
    with pytest.raises(ValueError, match='shows no lesion'):
        make([0, 0, 0])
    with pytest.raises(ValueError, match='no slice without a lesion'):
        make([5, 5])
    with pytest.raises(ValueError, match='1 slices have no mask'):
        make([5, None, 0])
    with pytest.raises(ValueError, match='legacy means'):
        make(lesion_share=0.3, legacy=True)
    for options, text in (
        ({'batch_size': 0}, 'batch_size is 0'),
        ({'lesion_share': 0.0}, r'expected \(0, 1\]'),
        ({'normals': 'far'}, "'uniform' or 'near'"),
        ({'near_slices': 0}, 'near_slices is 0'),
    ):
        with pytest.raises(ValueError, match=text):
            make(**options)
    with pytest.raises(ValueError, match='tell lesion_distance'):
        make(normals='near')
    with pytest.raises(ValueError, match='a whole number of batches of 16'):
        make().start = 24
    dataset = SimpleNamespace(dataset=SimpleNamespace(), seed=0)
    with pytest.raises(ValueError, match='has no plane'):
        DistributionBatchSampler(dataset, 2)
