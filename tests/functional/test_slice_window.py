import numpy as np
import pytest

from mmmed.functional.slice_window import window_slice


def test_linear_between_percentiles_by_hand():
    # 0 does not count: percentiles 0 and 50 of 1..5 are 1 and 3.
    img = np.array([[0, 1, 2], [3, 4, 5]], np.uint16)[..., None]
    found = window_slice(img, 0, 50)[..., 0]
    assert found.tolist() == [[0, 0, 127.5], [255, 255, 255]]
    counted = window_slice(img, 0, 100, nonzero=False)[..., 0]
    assert counted.ravel() == pytest.approx(np.arange(6) * 51)


def test_gain_and_offset_of_the_scanner_do_not_matter(rng):
    img = rng.normal(100, 20, (9, 13, 2)).astype(np.float32)
    first = window_slice(img)
    assert window_slice(img * [3.0, 0.5] + [7.0, 40.0]) == pytest.approx(
        first, abs=1e-2
    )
    assert (first.min(), first.max(), first.dtype) == (0, 255, np.float32)


def test_surroundings_stay_black(rng):
    img = rng.normal(-50, 20, (9, 13, 1)).astype(np.float32)
    img[:4] = 0
    assert not window_slice(img)[:4].any()


@pytest.mark.parametrize('value', [0, 7])
def test_no_contrast_is_black(value):
    assert not window_slice(np.full((3, 4, 1), value, np.uint8)).any()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match='NaN or infinite'):
        window_slice(np.array([[[1.0], [value]]]))


def test_refuses_an_empty_window():
    with pytest.raises(ValueError, match='expected 0 <= low < high'):
        window_slice(np.ones((2, 2, 1)), 99, 1)
