import numpy as np
import pytest

from mmmed.datasets.transforms import WindowSlice


def test_windows_the_image_alone(make_sample):
    sample = make_sample(channels=2)
    out = WindowSlice(low=5, high=95)(dict(sample))
    assert (out['img'].dtype, out['img'].shape) == (np.float32, (24, 16, 2))
    assert (out['img'].min(), out['img'].max()) == (0, 255)
    assert {key for key in out if out[key] is not sample[key]} == {'img'}


def test_error_names_the_case(make_sample):
    sample = make_sample() | {'img': np.full((2, 2, 1), np.nan, np.float32)}
    with pytest.raises(ValueError, match=r'049_0: slice holds NaN'):
        WindowSlice()(sample)
