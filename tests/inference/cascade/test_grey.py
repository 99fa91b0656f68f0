import numpy as np

from mmmed.functional.intensity import (
    compute_percentile_window,
    convert_grey,
    quantize_intensity,
)
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.stack import SliceStack
from mmmed.structures import Volume


def test_greys_are_those_of_prepared_data():
    values = np.random.default_rng(0).normal(300, 80, (12, 10, 6))
    values[:3] = 0
    window = compute_percentile_window(values, 1, 99, nonzero=True)
    stored = quantize_intensity(values, window, 16, nonzero=True)
    grey = GreyStack(SliceStack.from_volume(Volume(values, (1, 1, 3))))
    expected = np.moveaxis(convert_grey(stored, whole=False), 2, 0)
    # float64 values of a file are float32 in a stack: one step of 16 bits.
    np.testing.assert_allclose(grey.take(range(6)), expected, atol=255 / 65535 + 1e-6)
    np.testing.assert_array_equal(grey.take([4, 1]), grey.take(range(6))[[4, 1]])
    assert grey.find_filled().tolist() == list(range(6))
