import numpy as np
import pytest

from mmmed.functional.robust_range import compute_robust_range, quantize_range


def test_air_is_left_out_of_the_percentiles():
    values = np.concatenate([np.zeros(500), np.arange(1, 202)])
    assert compute_robust_range(values, percentiles=(0, 100)) == (1, 201)
    assert compute_robust_range(values, percentiles=(25, 75)) == (51, 151)
    # 201 values: rank p / 100 * 200, so 0.5 % is the second and 99.5 % the last but one
    assert compute_robust_range(values) == (2, 200)


@pytest.mark.parametrize(('bits', 'top'), [(8, 255), (16, 65535)])
def test_the_range_fills_the_type_and_zero_stays_zero(bits, top):
    array = np.array([[0.0, -5, 10], [60, 110, 1e6]])
    mapped = quantize_range(array, 10, 110, bits=bits)
    middle = 1 + (top - 1) // 2
    np.testing.assert_array_equal(mapped, [[0, 1, 1], [middle, top, top]])
    assert mapped.dtype.itemsize * 8 == bits


def test_the_map_is_linear_and_ordered(rng):
    array = rng.uniform(20, 90, 1000).astype(np.float32)
    mapped = quantize_range(array, 20, 90).astype(float)
    back = 20 + (mapped - 1) * 70 / 254
    assert np.abs(back - array).max() <= 70 / 254 / 2 + 1e-4


def test_whole_numbers_work_like_real_ones(rng):
    array = rng.integers(-300, 3000, (5, 6, 7), dtype=np.int16)
    np.testing.assert_array_equal(
        quantize_range(array, 10, 2000), quantize_range(array.astype(float), 10, 2000)
    )


def test_what_has_no_contrast_is_refused():
    with pytest.raises(ValueError, match='all values are 0'):
        compute_robust_range(np.zeros(5))
    with pytest.raises(ValueError, match='expected an image with contrast'):
        compute_robust_range(np.full(5, 3))
    with pytest.raises(ValueError, match='expected 8 or 16'):
        quantize_range(np.ones(2), 0, 1, bits=12)
