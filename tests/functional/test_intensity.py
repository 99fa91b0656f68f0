import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmmed.functional.intensity import (
    apply_window,
    compute_percentile_window,
    convert_grey,
    quantize_intensity,
)


@pytest.mark.parametrize(
    ('hu', 'grey'),
    [
        (-1000, 0),
        (-20, 0),
        (0, 43),  # 20 / 120 * 255 = 42.5, halves go up
        (10, 64),  # 63.75
        (40, 128),  # 127.5
        (64, 179),  # 178.5
        (100, 255),
        (3071, 255),
        (np.inf, 255),
        (-np.inf, 0),
    ],
)
def test_brain_window_by_hand(hu, grey):
    assert apply_window(np.array(hu), level_hu=40, width_hu=120) == grey


def test_shape_is_kept_and_the_input_is_not_changed(rng):
    hu = rng.integers(-1000, 2000, (2, 3, 5), dtype=np.int16)
    before = hu.copy()
    grey = apply_window(hu, level_hu=700, width_hu=3200)
    assert grey.shape == (2, 3, 5)
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(hu, before)


def test_int16_extremes_do_not_overflow():
    hu = np.array([-32768, 32767], dtype=np.int16)
    assert apply_window(hu, level_hu=-600, width_hu=1500).tolist() == [0, 255]


def test_no_pixel_gives_no_pixel():
    assert apply_window(np.zeros((0, 4)), level_hu=40, width_hu=80).shape == (0, 4)


@pytest.mark.parametrize('width', [0, -1, float('nan')])
def test_a_window_has_a_width(width):
    with pytest.raises(ValueError, match='expected > 0'):
        apply_window(np.zeros(2), level_hu=0, width_hu=width)


def test_nan_has_no_grey():
    with pytest.raises(ValueError, match='NaN'):
        apply_window(np.array([0.0, np.nan]), level_hu=40, width_hu=80)


@pytest.mark.parametrize(
    ('low', 'high', 'nonzero', 'expected'),
    [
        # 1 to 101: percentile p is 1 + p. Zeros, 99 of them, count only if told to.
        (0, 100, True, (1.0, 101.0)),
        (0.5, 99.5, True, (1.5, 100.5)),
        (25, 75, True, (26.0, 76.0)),
        # 200 values, rank 0.75 * 199 = 149.25: value 51.25 of the upper half.
        (0, 75, False, (0.0, 51.25)),
    ],
)
def test_percentiles_by_hand(rng, low, high, nonzero, expected):
    values = np.concatenate([np.arange(1, 102), np.zeros(99)]).astype(np.int16)
    array = rng.permutation(values).reshape(4, 5, 10)
    assert compute_percentile_window(array, low, high, nonzero) == pytest.approx(
        expected, rel=1e-12
    )


@given(
    array=arrays(
        st.sampled_from([np.uint8, np.int16, np.float32, np.float64]),
        array_shapes(min_dims=1, max_dims=3, max_side=7),
        elements={'min_value': 0, 'max_value': 200},
    ),
    low=st.floats(0, 49),
    high=st.floats(50, 100),
)
@settings(deadline=None, derandomize=True)
def test_percentiles_are_those_of_numpy(array, low, high):
    wanted = np.percentile(array.astype(np.float64), [low, high])
    assume(wanted[1] - wanted[0] > 1e-9)
    found = compute_percentile_window(array, low, high, nonzero=False)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_percentiles_do_not_depend_on_the_orientation(rng):
    array = rng.normal(100, 30, (3, 5, 7)).astype(np.float32)
    turned = array.transpose(2, 0, 1)[::-1]
    assert compute_percentile_window(
        array, 0.5, 99.5, nonzero=True
    ) == compute_percentile_window(turned, 0.5, 99.5, nonzero=True)


@pytest.mark.parametrize(
    ('array', 'low', 'high', 'message'),
    [
        (np.arange(5.0), 50, 50, 'expected 0 <= low < high'),
        (np.arange(5.0), -1, 50, 'expected 0 <= low < high'),
        (np.arange(5.0), 1, 101, 'expected 0 <= low < high'),
        (np.zeros((2, 3)), 1, 99, 'no voxel differs from 0'),
        (np.array([0, 7, 7, 7]), 1, 99, 'no contrast'),
        (np.array([1.0, np.nan, 3.0]), 1, 99, 'NaN or infinite'),
        (np.array([1.0, np.inf, 3.0]), 1, 99, 'NaN or infinite'),
        (np.array([1 + 1j, 2]), 1, 99, 'expected real numbers'),
    ],
)
def test_scans_without_percentiles_are_refused(array, low, high, message):
    with pytest.raises(ValueError, match=message):
        compute_percentile_window(array, low, high, nonzero=True)


@pytest.mark.parametrize(
    ('value', 'byte', 'word'),
    [
        (-50, 0, 0),
        (20, 0, 0),
        (20.19, 0, 125),  # 0.4845; 124.52
        (20.2, 1, 131),  # 0.51; 131.07
        (70, 128, 32768),  # 127.5 and 32767.5, halves go up
        (120, 255, 65535),
        (1e9, 255, 65535),
    ],
)
def test_grey_values_by_hand(value, byte, word):
    for bits, grey, kind in ((8, byte, np.uint8), (16, word, np.uint16)):
        found = quantize_intensity(np.array([value]), (20, 120), bits, nonzero=False)
        assert found.dtype == kind
        assert found.tolist() == [grey]


@pytest.mark.parametrize(('bits', 'top'), [(8, 255), (16, 65535)])
def test_what_surrounds_a_scan_stays_apart(bits, top):
    array = np.array([[0.0, -5, 10], [60, 110, 1e6]])
    found = quantize_intensity(array, (10, 110), bits)
    middle = 1 + (top - 1) // 2
    np.testing.assert_array_equal(found, [[0, 1, 1], [middle, top, top]])


def test_greys_are_linear_in_the_values(rng):
    array = rng.uniform(20, 90, 1000).astype(np.float32)
    grey = quantize_intensity(array, (20, 90), 8).astype(float)
    back = 20 + (grey - 1) * 70 / 254
    assert np.abs(back - array).max() <= 70 / 254 / 2 + 1e-9


def test_quantized_arrays_keep_their_shape_and_their_source(rng, monkeypatch):
    array = rng.integers(-200, 3000, (3, 5, 7), dtype=np.int16)
    before = array.copy()
    whole = quantize_intensity(array, (0.5, 2000.0), 16)
    assert whole.shape == (3, 5, 7)
    np.testing.assert_array_equal(array, before)
    monkeypatch.setattr('mmmed.functional.intensity._CHUNK', 4)
    np.testing.assert_array_equal(quantize_intensity(array, (0.5, 2000.0), 16), whole)
    turned = quantize_intensity(array.T[::-1], (0.5, 2000.0), 16)
    np.testing.assert_array_equal(turned, whole.T[::-1])


def test_nothing_is_quantized_to_nothing():
    assert quantize_intensity(np.zeros((0, 4)), (0, 1), 8).shape == (0, 4)


@pytest.mark.parametrize(
    ('window', 'bits', 'message'),
    [
        ((0, 1), 12, 'expected 8 or 16'),
        ((1, 1), 8, 'window is'),
        ((2, 1), 8, 'window is'),
        ((0, np.inf), 8, 'window is'),
        ((np.nan, 1), 8, 'window is'),
    ],
)
def test_impossible_grey_scales_are_refused(window, bits, message):
    with pytest.raises(ValueError, match=message):
        quantize_intensity(np.zeros(2), window, bits)
    with pytest.raises(ValueError, match='NaN'):
        quantize_intensity(np.array([0.0, np.nan]), (0, 1), 8)


@pytest.mark.parametrize(
    ('stored', 'byte', 'fraction'),
    [
        (np.uint16(0), 0, 0.0),
        (np.uint16(128), 0, 128 / 257),
        (np.uint16(129), 1, 129 / 257),  # 0.502
        (np.uint16(257), 1, 1.0),
        (np.uint16(65535), 255, 255.0),
        (np.uint8(200), 200, 200.0),
    ],
)
def test_sixteen_bits_on_the_scale_of_eight(stored, byte, fraction):
    grey = np.full((2, 3), stored)
    whole = convert_grey(grey, whole=True)
    assert whole.dtype == np.uint8
    assert (whole == byte).all()
    exact = convert_grey(grey, whole=False)
    assert exact.dtype == np.float32
    np.testing.assert_allclose(exact, fraction, rtol=1e-6)
    assert not np.shares_memory(whole, grey)


def test_greys_are_unsigned():
    with pytest.raises(ValueError, match='int16'):
        convert_grey(np.zeros(2, np.int16), whole=True)
