from collections import Counter
from itertools import islice

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.datasets.samplers import ForegroundSampler
from mmmed.registry import DATA_SAMPLERS


class Flags:
    """A dataset that only knows which of its cases are positive."""

    def __init__(self, positive: list[bool]) -> None:
        self.positive = positive

    def __len__(self) -> int:
        return len(self.positive)

    def get_data_info(self, idx: int) -> dict:
        return {'positive': self.positive[idx]}


class Slices(Flags):
    """Few slices of one patient, many of another; the last of each is positive."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.names = [name for name, n in counts.items() for _ in range(n)]
        super().__init__([i == n - 1 for n in counts.values() for i in range(n)])

    def get_data_info(self, idx: int) -> dict:
        return super().get_data_info(idx) | {'patient_id': self.names[idx]}


# 7 positives among 50, as rare as hemorrhage (318 of 2501).
FLAGS = [i % 7 == 3 for i in range(50)]
SHARES = [0.5, 0.25, 0.3, 2 / 3, 0.9]


def make(rank: int = 0, world_size: int = 1, **options) -> ForegroundSampler:
    sampler = ForegroundSampler(Flags(FLAGS), **{'seed': 3, **options})
    sampler.rank, sampler.world_size = rank, world_size
    return sampler


def take(sampler: ForegroundSampler, count: int) -> list[tuple[int, int]]:
    return [(int(d), d.draw) for d in islice(sampler, count)]


@pytest.mark.parametrize('share', SHARES)
def test_window_holds_its_share_within_the_stated_bound(share):
    sampler = make(positive_share=share)
    a, b = sampler.share.numerator, sampler.share.denominator
    flags = np.array([FLAGS[d] for d in islice(sampler, 2000)])
    bound = 2 * a * (b - a) / b
    for size in (1, 5, 16, 64):
        counts = np.convolve(flags, np.ones(size, int), 'valid')
        assert np.abs(counts - size * a / b).max() <= bound + 1e-9
    blocks = flags[: 2000 // b * b].reshape(-1, b).sum(axis=1)
    assert set(blocks.tolist()) == {a}


def test_bound_is_one_for_a_half_and_even_batches_are_exact():
    flags = [FLAGS[d] for d in islice(make(positive_share=0.5), 1600)]
    assert {sum(flags[i : i + 16]) for i in range(0, 1600, 16)} == {8}
    assert {sum(flags[i : i + 16]) for i in range(1, 1500)} <= {7, 8, 9}


def test_both_ranks_of_two_see_positives():
    # A strictly alternating stream would give one rank all positives.
    for rank in (0, 1):
        drawn = [FLAGS[d] for d, _ in take(make(rank, 2, positive_share=0.5), 800)]
        # Binomial(800, 1/2): mean 400, standard deviation 14.
        assert abs(sum(drawn) - 400) < 60


@pytest.mark.parametrize('share', [None, *SHARES])
def test_every_case_is_drawn_before_any_is_drawn_again(share):
    drawn = [index for index, _ in take(make(positive_share=share), 3000)]
    groups = (
        [range(50)]
        if share is None
        else [
            [i for i in range(50) if FLAGS[i]],
            [i for i in range(50) if not FLAGS[i]],
        ]
    )
    for group in groups:
        stream = [i for i in drawn if i in group]
        for start in range(0, len(stream) - len(group) + 1, len(group)):
            assert sorted(stream[start : start + len(group)]) == list(group)


def test_share_is_reached():
    drawn = Counter(FLAGS[d] for d, _ in take(make(positive_share=0.3), 10_000))
    assert drawn[True] == 3000


@pytest.mark.parametrize('share', [None, 0.5, 0.3])
@pytest.mark.parametrize('world_size', [2, 3, 8])
def test_local_batches_of_all_ranks_are_the_global_batch(share, world_size):
    local = 4
    streams = [
        take(make(rank, world_size, positive_share=share), 20 * local)
        for rank in range(world_size)
    ]
    single = take(make(positive_share=share), 20 * local * world_size)
    for step in range(20):
        part = slice(step * local, (step + 1) * local)
        union = sorted(draw for stream in streams for draw in stream[part])
        size = local * world_size
        assert union == sorted(single[step * size : (step + 1) * size])


@pytest.mark.parametrize('share', [None, 0.5, 0.3])
@pytest.mark.parametrize('world_size', [1, 2])
def test_start_continues_the_stream(share, world_size):
    whole = take(make(1 % world_size, world_size, positive_share=share), 400)
    resumed = make(1 % world_size, world_size, positive_share=share)
    resumed.start = 130 * world_size
    assert take(resumed, 270) == whole[130:]


def test_positions_are_the_draws():
    assert [draw for _, draw in take(make(2, 3), 4)] == [2, 5, 8, 11]


def test_a_far_position_is_reached_at_once():
    sampler = make(positive_share=0.5)
    sampler.skip_to(10**12)
    near = take(sampler, 3)
    assert [draw for _, draw in near] == [10**12, 10**12 + 1, 10**12 + 2]
    assert int(sampler.draw_at(10**12)) == near[0][0]


@pytest.mark.parametrize('share', [None, 0.5])
def test_seed_decides_the_stream(share):
    first = take(make(positive_share=share), 100)
    assert first == take(make(positive_share=share), 100)
    assert first != take(make(positive_share=share, seed=4), 100)
    assert make(positive_share=share).draw_at(0).seed == 3


def test_stream_does_not_depend_on_global_state():
    first = take(make(positive_share=0.5), 50)
    np.random.random(7)
    assert take(make(positive_share=0.5), 50) == first


def test_epochs_are_consecutive_parts_of_the_stream():
    endless = take(make(positive_share=0.5), 60)
    sampler = make(positive_share=0.5, epoch_length=20)
    assert len(sampler) == 20
    for epoch in range(3):
        sampler.set_epoch(epoch)
        part = [(int(d), d.draw) for d in sampler]
        assert part == endless[epoch * 20 : (epoch + 1) * 20]


def test_epoch_that_ranks_do_not_divide_is_rounded_up():
    draws = []
    for rank in range(3):
        sampler = make(rank, 3, epoch_length=20)
        sampler.set_epoch(1)
        part = list(sampler)
        assert len(part) == len(sampler) == 7
        draws += [d.draw for d in part]
    assert sorted(draws) == list(range(20, 41))


def test_epoch_of_an_endless_stream_changes_nothing():
    sampler = make(positive_share=0.5)
    sampler.start = 40
    sampler.set_epoch(3)
    assert (sampler.start, len(sampler)) == (40, 50)


def test_wrapped_datasets_tell_their_positives(prepared):
    inner = MedSegDataset(str(prepared))
    for dataset in (RepeatDataset(inner, times=2), ConcatDataset([inner, inner])):
        sampler = ForegroundSampler(dataset, positive_share=0.5, seed=0)
        positive = {int(d) for d in islice(sampler, 100) if inner.is_positive(d % 12)}
        assert positive == {0, 4, 5, 8, 12, 16, 17, 20}


def test_is_built_by_the_runner_s_way(prepared):
    dataset = MedSegDataset(str(prepared))
    sampler = DATA_SAMPLERS.build(
        {'type': 'mmmed.ForegroundSampler', 'positive_share': 0.5},
        default_args={'dataset': dataset, 'seed': 5},
    )
    loader = DataLoader(dataset, batch_size=6, sampler=sampler, collate_fn=list)
    batch = next(iter(loader))
    assert sum(item['positive'] for item in batch) == 3


def test_no_seed_gives_one_anyway():
    sampler = ForegroundSampler(Flags(FLAGS))
    assert sampler.seed >= 0


@pytest.mark.parametrize('share', [None, 0.5])
def test_patients_come_equally_often_however_many_slices(share):
    dataset = Slices({'large': 40, 'b': 2, 'tiny': 3})
    sampler = ForegroundSampler(
        dataset, positive_share=share, seed=4, balance_patients=True
    )
    draws = [int(d) for d in islice(sampler, 480)]
    pools = [draws]
    if share is not None:
        pools = [[d for d in draws if dataset.positive[d] == f] for f in (False, True)]
        assert [len(pool) for pool in pools] == [240, 240]
    for pool in pools:
        names = [dataset.names[d] for d in pool]
        rounds = [sorted(names[i : i + 3]) for i in range(0, len(names), 3)]
        assert rounds == [['b', 'large', 'tiny']] * (len(pool) // 3)
        of_large = [d for d in pool if d < 40]
        # Every slice of a patient once before any comes again.
        cycle = len(set(of_large))
        assert len(set(of_large[:cycle])) == cycle
    assert draws == [sampler.find_index(p) for p in range(480)]


def test_balance_asks_for_patients():
    with pytest.raises(ValueError, match='Flags does not tell patient'):
        ForegroundSampler(Flags(FLAGS), seed=0, balance_patients=True)


@pytest.mark.parametrize(
    ('flags', 'options', 'message'),
    [
        (FLAGS, {'positive_share': 0.0}, 'positive_share is 0.0'),
        (FLAGS, {'positive_share': 1.0}, 'positive_share is 1.0'),
        (FLAGS, {'positive_share': 0.001}, 'between 1/64 and 63/64'),
        (FLAGS, {'epoch_length': 0}, 'epoch_length is 0'),
        ([False] * 5, {'positive_share': 0.5}, '0 positive and 5 negative'),
        ([True] * 5, {'positive_share': 0.5}, '5 positive and 0 negative'),
        ([], {}, 'the dataset is empty'),
    ],
)
def test_refuses(flags, options, message):
    with pytest.raises(ValueError, match=message):
        ForegroundSampler(Flags(flags), seed=0, **options)


def test_refuses_a_dataset_without_positives_known():
    with pytest.raises(ValueError, match='does not tell which cases are positive'):
        ForegroundSampler([1, 2, 3], positive_share=0.5, seed=0)


def test_refuses_a_negative_position():
    with pytest.raises(ValueError, match='position is -1'):
        make().skip_to(-1)
