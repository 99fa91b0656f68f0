"""Distances between surfaces by hand, their percentiles and means, and errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.surface_distances import (
    SurfaceDistances,
    compute_surface_distances,
)


def test_two_pixels_apart():
    pred, target = np.zeros((2, 1, 7), bool)
    pred[0, 1], target[0, 4] = True, True
    # Elements at x = 1 and 2 against 4 and 5; 0.5 mm a step, half the length each.
    distances = compute_surface_distances(pred, target, (2.0, 0.5))
    assert distances.pred_to_target_mm.tolist() == [1.5, 1.0, 1.5, 1.0]
    assert distances.compute_hausdorff() == 1.5
    assert distances.compute_hausdorff(50) == 1.0
    assert distances.compute_hausdorff(50.1) == 1.5
    assert distances.compute_average() == 1.25
    assert distances.compute_surface_dice(1.0) == 0.5
    assert distances.compute_surface_dice(0.99) == 0.0
    assert distances.compute_surface_dice(1.5) == 1.0


def test_average_weighs_surfaces_by_area():
    # A pixel beside a far larger square, from which most elements are far.
    pred, target = np.zeros((2, 9, 9), bool)
    pred[0, 0] = target[2:, 2:] = True
    distances = compute_surface_distances(pred, target, (1, 1))
    one = distances.pred_to_target_mm @ distances.pred_sizes
    other = distances.target_to_pred_mm @ distances.target_sizes
    lengths = 2 * math.sqrt(2), 24 + 2 * math.sqrt(2)
    assert distances.pred_sizes.sum() == pytest.approx(lengths[0])
    assert distances.target_sizes.sum() == pytest.approx(lengths[1])
    mean = (one + other) / sum(lengths)
    assert distances.compute_average() == pytest.approx(mean, rel=1e-12)
    assert abs(mean - (one / lengths[0] + other / lengths[1]) / 2) > 1


def make_distances(distances, sizes):
    """One surface with given distances, against a point of none."""
    return SurfaceDistances(
        np.array(distances, float), np.zeros(1), np.array(sizes, float), np.ones(1), 99
    )


def test_percentiles_count_area_and_not_elements():
    # Shares of area up to 0, 2, 3 and 7 mm: 1/10, 7/10, 9/10 and all.
    distances = make_distances([3, 0, 7, 2], [2, 1, 1, 6])
    for percentile, expected in (
        (0, 0),
        (9.9, 0),
        (10.1, 2),
        (69.9, 2),
        (70.1, 3),
        (89.9, 3),
        (90.1, 7),
        (100, 7),
    ):
        assert distances.compute_hausdorff(percentile) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 1.0, 1.00001, 2.0, 50.0]),
            st.sampled_from([0.25, 0.7, 1.0]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.floats(0, 100),
)
def test_percentile_equals_sorting_everything(elements, percentile):
    values, sizes = np.array(sorted(elements)).T
    shares = sizes.cumsum() / sizes.sum()
    index = min(np.searchsorted(shares, percentile / 100), len(values) - 1)
    distances = make_distances(values[::-1], sizes[::-1])
    assert distances.compute_hausdorff(percentile) == values[index]


@pytest.mark.parametrize(
    ('pred', 'target', 'spacing', 'message'),
    [
        (np.ones((2, 3)), np.ones((3, 2)), (1, 1), 'pred has shape'),
        (np.ones((2, 3)), 2 * np.ones((2, 3)), (1, 1), r'target holds .*2'),
        (np.ones((2, 3)), np.ones((2, 3)), (1, 1, 1), 'expected 2 finite lengths'),
        (np.ones((2, 3)), np.ones((2, 3)), (1, 0), 'lengths > 0'),
        (np.ones((2, 3)), np.ones((2, 3)), (1, math.nan), 'lengths > 0'),
        (np.ones(3), np.ones(3), (1,), 'two or three axes'),
        (np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), (1,) * 4, 'two or three axes'),
    ],
)
def test_wrong_masks_and_spacing_are_refused(pred, target, spacing, message):
    with pytest.raises(ValueError, match=message):
        compute_surface_distances(pred, target, spacing)


@pytest.mark.parametrize('masks', [np.ones((2, 2, 2)), np.zeros((2, 2, 2))])
def test_wrong_options_are_refused_for_empty_masks_too(masks):
    distances = compute_surface_distances(*masks, (1, 1))
    for tolerance_mm in (-1, math.nan):
        with pytest.raises(ValueError, match='tolerance_mm is'):
            distances.compute_surface_dice(tolerance_mm)
    for percentile in (-1, 100.1, math.nan):
        with pytest.raises(ValueError, match='percentile is'):
            distances.compute_hausdorff(percentile)
