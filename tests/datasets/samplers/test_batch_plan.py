import time
from itertools import pairwise

import numpy as np
import pytest

from mmmed.datasets.samplers.batch_plan import LegacyPlan, ProportionalPlan


def make_strata(*counts: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Consecutive indices for each stratum, and 1000 fillers from 10 000 on."""
    bounds = np.cumsum([0, *counts])
    strata = [np.arange(low, high) for low, high in pairwise(bounds)]
    return strata, np.arange(10_000, 11_000)


def test_number_of_batches_is_the_nearest():
    # 41 / (8 * 0.5) = 10.25: ten batches, of which one has five lesion slices.
    strata, fillers = make_strata(30, 11)
    plan = ProportionalPlan(strata, fillers, 8, 0.5)
    assert plan.num_batches == 10
    assert np.sort(plan.quotas[:, 1:].sum(axis=1)).tolist() == [4] * 9 + [5]
    # 43 / 4 = 10.75: eleven, of which one has three.
    plan = ProportionalPlan(make_strata(30, 13)[0], fillers, 8, 0.5)
    assert np.sort(plan.quotas[:, 1:].sum(axis=1)).tolist() == [3] + [4] * 10


def test_no_batch_overflows():
    # 11 / (8 * 0.9) = 1.53 is two; but 9 / (8 * 0.9) = 1.25 may not be one.
    strata, fillers = make_strata(9)
    plan = ProportionalPlan(strata, fillers, 8, 0.9)
    assert plan.quotas.tolist() == [[4, 4], [3, 5]]


def test_fillers_are_used_up_before_they_return():
    strata, _ = make_strata(20, 5)
    fillers = np.arange(500, 537)
    plan = ProportionalPlan(strata, fillers, 10, 0.25)
    needed = plan.quotas[:, 0].sum()
    assert (plan.num_batches, needed) == (10, 75)
    stream = [plan.build_epoch(e, 3) for e in range(9)]
    flat = np.concatenate([s[s >= 500] for s in stream])
    assert flat.size == 9 * 75
    # Epochs follow each other in one stream, so every 37 are all fillers; a batch
    # lists them in the order of the stream.
    for start in range(0, flat.size - 37, 37):
        assert np.array_equal(np.sort(flat[start : start + 37]), fillers)


def test_legacy_plan_repeats_itself_and_loses_slices():
    strata, normals = make_strata(70, 28, 3)
    plan = LegacyPlan(strata, normals, 8)
    # Percent 69, 28, 3; of four 2.76, 1.12, 0.12: 3, 1, 0. 70 // 3 = 23 batches.
    assert plan.lesion_quotas.tolist() == [3, 1, 0]
    assert plan.num_batches == 23
    first = plan.build_epoch(0, 5)
    assert np.array_equal(first, plan.build_epoch(1, 5))
    assert np.unique(first).size == first.size == 23 * 8
    assert (first[:, :4] >= 10_000).all()
    assert (first[:, 4:7] < 70).all()
    assert ((first[:, 7] >= 70) & (first[:, 7] < 98)).all()
    assert plan.describe_losses() == (
        'legacy batches use 92 of 101 lesion slices in every epoch and none of size '
        'stratum 2 (of 3, from 0)'
    )


def test_legacy_plan_needs_one_batch():
    strata, normals = make_strata(2, 1)
    with pytest.raises(ValueError, match='do not fill one legacy batch of 8'):
        LegacyPlan(strata, normals[:1], 8)
    with pytest.raises(ValueError, match='legacy batches are even'):
        LegacyPlan(strata, normals, 7)


def test_a_large_epoch_takes_less_than_a_second():
    strata, _ = make_strata(38_000, 12_000, 11_000, 10_000, 5_000, 4_000)
    start = time.process_time()
    plan = ProportionalPlan(strata, np.arange(10**6, 10**6 + 240_000), 16, 0.5)
    plan.build_epoch(0, 0)
    assert time.process_time() - start < 1
