"""Intensities: windows as in preparation, z-scores without a copy of the scan."""

import numpy as np
import pytest

from mmmed.functional.intensity import (
    apply_window,
    compute_percentile_window,
    convert_grey,
    quantize_intensity,
)
from mmmed.inference import intensity as module
from mmmed.inference.intensity import FittedIntensity, Intensity


def test_windows_become_channels_of_grey() -> None:
    hu = np.array([[[-1024, -20, 40], [100, 700, 3000]]], dtype=np.int16)
    rule = Intensity('window', windows_hu=((40, 120), (700, 3200)))
    grey = FittedIntensity(rule, hu[None]).apply(hu[None, 0])
    assert grey.dtype == np.uint8
    assert grey[0].tolist() == [[0, 0, 128], [255, 255, 255]]
    expected = apply_window(hu[0], level_hu=700, width_hu=3200)
    assert np.array_equal(grey[1], expected)


def test_clip_limits_and_keeps_fractions() -> None:
    rule = Intensity('clip', limits=(-1, 2))
    values = np.array([[-3.0, 0.25, 7.0]])
    result = FittedIntensity(rule, values[..., None]).apply(values)
    assert result.tolist() == [[-1.0, 0.25, 2.0]]
    assert result.dtype == np.float32


@pytest.mark.parametrize('over', ['all', 'nonzero'])
def test_zscore_is_that_of_all_chunks_together(over, rng, monkeypatch) -> None:
    monkeypatch.setattr(module, '_CHUNK', 100)  # several chunks, the last one short
    scan = rng.normal(1000, 3, size=(2, 7, 5, 6)).astype(np.float32)
    scan[:, :, 0] = 0
    result = FittedIntensity(Intensity('zscore', over=over), scan).apply(scan)
    for channel, values in zip(result, scan.astype(np.float64), strict=True):
        chosen = values if over == 'all' else values[values != 0]
        expected = (values - chosen.mean()) / chosen.std()
        np.testing.assert_allclose(channel, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize(('whole', 'dtype'), [(True, np.uint8), (False, np.float32)])
def test_percentiles_are_those_of_the_whole_channel(bits, whole, dtype, rng) -> None:
    scan = rng.normal(300, 90, size=(2, 5, 6, 7)).astype(np.float32)
    scan[1] *= 4
    scan[:, 2:4] = 0
    rule = Intensity(
        'percentile', percentiles=(0.5, 99.5), over='nonzero', bits=bits, whole=whole
    )
    fitted = FittedIntensity(rule, scan)
    for z in range(5):
        plane = fitted.apply(scan[:, z])
        assert plane.dtype == dtype
        for found, values, channel in zip(plane, scan[:, z], scan, strict=True):
            window = compute_percentile_window(channel, 0.5, 99.5, nonzero=True)
            grey = quantize_intensity(values, window, bits)
            np.testing.assert_array_equal(found, convert_grey(grey, whole=whole))


def test_percentiles_need_contrast() -> None:
    rule = Intensity('percentile', percentiles=(0.5, 99.5), over='nonzero')
    with pytest.raises(ValueError, match='no voxel differs from 0'):
        FittedIntensity(rule, np.zeros((1, 2, 3, 4), np.int16))


def test_stored_bytes_stay_bytes_and_other_numbers_become_float() -> None:
    for dtype, expected in (
        (np.uint8, np.uint8),
        (np.int16, np.float32),
        (np.float64, np.float32),
    ):
        values = np.ones((1, 2, 2, 2), dtype=dtype)
        assert FittedIntensity(Intensity(), values).apply(values).dtype == expected


@pytest.mark.parametrize('over', ['all', 'nonzero'])
def test_no_zscore_of_a_flat_scan(over) -> None:
    for value in (0.0, 5.0):
        scan = np.full((1, 2, 3, 4), value)
        with pytest.raises(ValueError, match='z-score'):
            FittedIntensity(Intensity('zscore', over=over), scan)


def test_windows_need_one_channel_and_numbers() -> None:
    rule = Intensity('window', windows_hu=((40, 120),))
    with pytest.raises(ValueError, match='2 channels'):
        FittedIntensity(rule, np.zeros((2, 3, 4, 5)))
    values = np.full((1, 2, 2), np.nan)
    with pytest.raises(ValueError, match='NaN'):
        FittedIntensity(rule, values[None]).apply(values)


@pytest.mark.parametrize(
    'values',
    [
        {'kind': 'window'},
        {'kind': 'window', 'windows_hu': ((40, 0),)},
        {'kind': 'window', 'windows_hu': ((float('inf'), 1),)},
        {'kind': 'stored', 'windows_hu': ((40, 80),)},
        {'kind': 'clip'},
        {'kind': 'clip', 'limits': (2, 1)},
        {'kind': 'zscore', 'over': 'brain'},
        {'kind': 'minmax'},
        {'kind': 'percentile'},
        {'kind': 'percentile', 'percentiles': (99, 1)},
        {'kind': 'percentile', 'percentiles': (1, 99), 'bits': 12},
    ],
)
def test_impossible_rules(values) -> None:
    with pytest.raises(
        ValueError, match=r'intensity|windows_hu|limits|over|percentiles'
    ):
        Intensity(**values)
