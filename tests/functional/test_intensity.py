import numpy as np
import pytest

from mmmed.functional.intensity import apply_window


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
