"""Truth tables, ties to the last bit, and hand-counted components."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional.plane_fusion import (
    average_probs,
    filter_components,
    fuse_by_mean,
    fuse_by_vote,
    fuse_by_weights,
)

SPACING = (3.0, 0.5, 1.0)


def make_table(values, planes=3):
    """Every combination of values, laid out in one row of voxels per plane."""
    combos = np.array(list(itertools.product(values, repeat=planes)), np.float32)
    return combos, [column.reshape(1, 1, -1) for column in combos.T]


def test_truth_table_of_one_hot_planes():
    # Two of three planes make a mean of 2/3; one makes 1/3.
    combos, probs = make_table((0.0, 1.0))
    expected = combos.sum(axis=1) >= 2
    assert fuse_by_mean(probs)[0, 0].tolist() == expected.tolist()
    assert fuse_by_vote(probs)[0, 0].tolist() == expected.tolist()


def test_a_tie_of_the_mean_is_lesion():
    # 1 + 0.5 + 0 = 1.5 and three halves are ties; the next number below is not.
    combos, probs = make_table((0.0, 0.5, 1.0))
    expected = combos.sum(axis=1) >= 1.5
    assert fuse_by_mean(probs)[0, 0].tolist() == expected.tolist()
    below = np.nextafter(np.float32(0.5), np.float32(0))
    probs = [np.full((1, 1, 1), value, np.float32) for value in (1.0, below, 0.0)]
    assert not fuse_by_mean(probs).any()


@pytest.mark.parametrize(
    ('values', 'mean', 'vote'),
    [
        ((0.9, 0.4, 0.4), True, False),
        ((0.5, 0.5, 0.0), False, True),
        ((1.0, 0.3, 0.2), True, False),
        ((0.49, 0.49, 0.49), False, False),
    ],
)
def test_mean_and_vote_differ(values, mean, vote):
    probs = [np.full((1, 1, 1), value, np.float32) for value in values]
    assert fuse_by_mean(probs).item() is mean
    assert fuse_by_vote(probs).item() is vote


def test_half_of_an_even_number_of_votes_suffices():
    probs = [np.full((1, 1, 1), value, np.float32) for value in (0.6, 0.1)]
    assert fuse_by_vote(probs).item()


def test_nan_is_never_lesion():
    probs = [np.full((1, 1, 1), v, np.float32) for v in (np.nan, 1.0, 1.0)]
    assert not fuse_by_mean(probs).any()


@given(
    st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any),
    st.integers(1, 100),
)
def test_weights_agree_with_whole_numbers(weights, level):
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 65, (3, 2, 3, 5))
    probs = [(plane / 64).astype(np.float32) for plane in whole]
    scores = np.tensordot(np.array(weights), whole, 1)
    expected = 100 * scores >= level * 64 * sum(weights)
    mask = fuse_by_weights(
        probs, [w / sum(weights) for w in weights], threshold=level / 100
    )
    assert (mask == expected).all()


def test_a_large_volume_is_fused_slab_by_slab(rng):
    probs = [rng.random((40, 200, 300), dtype=np.float32) for _ in range(3)]
    mean = average_probs(probs)
    np.testing.assert_allclose(mean, np.mean(probs, axis=0), rtol=1e-6)
    assert (fuse_by_mean(probs) == (np.mean(probs, axis=0, dtype=float) >= 0.5)).all()


def test_weighted_average():
    probs = [np.full((2, 1, 3), value, np.float32) for value in (1.0, 0.5)]
    assert average_probs(probs, [0.75, 0.25]).tolist() == [[[0.875] * 3]] * 2


@pytest.mark.parametrize(
    ('least', 'kept'), [(0.0, 3), (1.5, 3), (1.6, 2), (3.0, 2), (4.5, 1), (4.6, 0)]
)
def test_components_are_filtered_by_volume(least, kept):
    # Voxels of 1.5 mm3: components of 1, 2 and 3 of them.
    mask = np.zeros((4, 5, 9), bool)
    mask[0, 0, 0] = mask[2, 2, 0:2] = mask[2, 2, 5:8] = True
    result = filter_components(mask, SPACING, min_volume_mm3=least)
    assert result.sum() == [0, 3, 5, 6][kept]


def test_components_that_touch_by_a_corner_are_one():
    mask = np.zeros((3, 4, 5), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    options = {'min_volume_mm3': 3.0}
    assert filter_components(mask, SPACING, **options).sum() == 2
    assert not filter_components(mask, SPACING, connectivity=6, **options).any()


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: fuse_by_mean([]), 'no volume'),
        (lambda: fuse_by_vote([np.zeros((1, 1, 2)), np.zeros((1, 2, 1))]), 'shapes'),
        (lambda: fuse_by_mean([np.zeros((1, 1, 1))], threshold=0.0), 'threshold'),
        (lambda: fuse_by_weights([np.zeros((1, 1, 1))], [-1.0]), 'weights'),
        (lambda: fuse_by_weights([np.zeros((1, 1, 1))], [0.0]), 'all weights'),
        (lambda: fuse_by_weights([np.zeros((1, 1, 1))], [0.5, 0.5]), 'weights'),
        (
            lambda: filter_components(
                np.zeros((1, 1, 1), bool), SPACING, min_volume_mm3=-1
            ),
            'mm3',
        ),
    ],
)
def test_impossible_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
