"""Shared elements, and one-to-one choices, by hand and against brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.lesion_pairs import count_shared, pair_greedily, pair_optimally


def test_shared_elements_by_hand():
    target = np.array([2, 2, 1, 2, 1], np.int32)
    pred = np.array([1, 3, 1, 3, 1], np.int32)
    pairs, shared = count_shared(target, pred)
    assert pairs.tolist() == [[0, 0], [1, 0], [1, 2]]
    assert shared.tolist() == [2, 1, 2]


def test_nothing_shared():
    pairs, shared = count_shared(np.empty(0, np.int32), np.empty(0, np.int32))
    assert pairs.shape == (0, 2)
    assert shared.shape == (0,)
    for pair in (pair_greedily, pair_optimally):
        assert pair(pairs, shared.astype(float)).tolist() == []


# 0-0 is the best single pair, yet it leaves 0-1 and 1-0 out.
PAIRS = np.array([[0, 0], [0, 1], [1, 0], [5, 7]])


@pytest.mark.parametrize(
    ('score', 'greedy', 'optimal'),
    [(0.6, [0, 3], [1, 2, 3]), (0.9, [0, 3], [0, 3])],
)
def test_greedy_takes_the_best_first(score, greedy, optimal):
    scores = np.array([score, 0.4, 0.35, 0.2])
    assert pair_greedily(PAIRS, scores).tolist() == greedy
    assert pair_optimally(PAIRS, scores).tolist() == optimal


def test_equal_scores_go_by_order():
    assert pair_greedily(PAIRS, np.full(4, 0.5)).tolist() == [0, 3]


def find_best_sum(table):
    """Greatest sum over all one-to-one choices of a small table."""
    if table.shape[0] > table.shape[1]:
        table = table.T
    rows = range(len(table))
    return max(
        sum(table[r, c] for r, c in zip(rows, columns, strict=True))
        for columns in permutations(range(table.shape[1]), len(table))
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_optimal_equals_brute_force(rows, columns, seed):
    rng = np.random.default_rng(seed)
    table = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.6)
    pairs = np.argwhere(table)
    scores = table[tuple(pairs.T)]
    chosen = pair_optimally(pairs, scores)
    for side in pairs[chosen].T:
        assert len(set(side.tolist())) == len(side)
    assert scores[chosen].sum() == pytest.approx(find_best_sum(table))
    greedy = pair_greedily(pairs, scores)
    assert scores[greedy].sum() <= scores[chosen].sum() + 1e-12
    assert scores[greedy].sum() >= scores[chosen].sum() / 2 - 1e-12
