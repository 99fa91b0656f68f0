import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional.tiling import (
    compute_gaussian_weights,
    compute_tiles,
    compute_window_padding,
)


@st.composite
def plans(draw):
    shape, window, stride = [], [], []
    for _ in range(draw(st.integers(1, 3))):
        shape.append(draw(st.integers(1, 24)))
        window.append(draw(st.integers(1, shape[-1])))
        stride.append(draw(st.integers(1, window[-1])))
    return shape, window, stride


@pytest.mark.parametrize(
    ('size', 'window', 'stride', 'starts'),
    [
        (10, 4, 4, [0, 3, 6]),
        (10, 4, 3, [0, 3, 6]),
        (11, 4, 4, [0, 4, 7]),  # 3.5 is rounded up
        (650, 512, 256, [0, 138]),
        (512, 512, 512, [0]),
        (5, 1, 1, [0, 1, 2, 3, 4]),
    ],
)
def test_starts_are_even_and_touch_both_ends(size, window, stride, starts):
    tiles = compute_tiles((size,), (window,), (stride,))
    assert [tile[0].start for tile in tiles] == starts
    assert [tile[0].stop for tile in tiles] == [start + window for start in starts]


@given(plans())
def test_every_voxel_is_covered_by_whole_windows(plan):
    shape, window, stride = plan
    covered = np.zeros(shape, dtype=int)
    for tile in compute_tiles(shape, window, stride):
        assert covered[tile].shape == tuple(window)
        covered[tile] += 1
    assert covered.min() >= 1


@given(plans())
def test_no_two_neighbours_are_further_apart_than_the_stride(plan):
    for size, window, stride in zip(*plan, strict=True):
        starts = [t[0].start for t in compute_tiles((size,), (window,), (stride,))]
        gaps = np.diff(starts)
        assert all(1 <= gap <= stride for gap in gaps)
        assert len(starts) == -(-(size - window) // stride) + 1


def test_last_axis_moves_fastest():
    tiles = compute_tiles((2, 6), (2, 3), (2, 3))
    assert tiles == [(slice(0, 2), slice(0, 3)), (slice(0, 2), slice(3, 6))]


@pytest.mark.parametrize(
    ('shape', 'window', 'stride', 'message'),
    [
        ((8, 8), (4,), (4,), 'one entry per axis'),
        ((8,), (4,), (5,), 'leave gaps'),
        ((8,), (4,), (0,), 'stride must lie'),
        ((8,), (9,), (4,), 'pad it first'),
    ],
)
def test_impossible_plans_are_refused(shape, window, stride, message):
    with pytest.raises(ValueError, match=message):
        compute_tiles(shape, window, stride)


def test_padding_fills_up_to_the_window():
    assert compute_window_padding((10, 3, 8), (8, 8, 8)) == (0, 5, 0)


@pytest.mark.parametrize('window', [(7,), (8, 5), (6, 9, 4), (1, 1), (128, 128, 128)])
def test_weights_are_positive_symmetric_and_peak_in_the_center(window):
    weights = compute_gaussian_weights(window)
    assert weights.shape == window
    assert weights.dtype == np.float32
    assert weights.min() >= 1e-3
    assert weights.max() == 1
    assert weights[tuple(size // 2 for size in window)] == 1
    for axis in range(len(window)):
        np.testing.assert_array_equal(weights, np.flip(weights, axis))


def test_weights_by_hand():
    # Window 9, sigma 9/8 * 2 = 2.25: exp(-0.5 (2 / 2.25)^2) two pixels off center.
    weights = compute_gaussian_weights((9, 1), sigma_share=0.25)
    assert weights[6, 0] == pytest.approx(np.exp(-0.5 * (2 / 2.25) ** 2), rel=1e-6)


@pytest.mark.parametrize('settings', [{'sigma_share': 0}, {'floor': 0}])
def test_weights_refuse_impossible_settings(settings):
    with pytest.raises(ValueError, match='must be > 0'):
        compute_gaussian_weights((4,), **settings)
