import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import LoadedScan
from mmmed.preparation.organ_statistics import (
    classify_radius,
    fit_tumor_prior,
    list_tumors,
    measure_autocorrelation,
    measure_organ,
    summarize_organs,
    summarize_tumors,
)
from mmmed.structures import Volume

SPACING = (2.0, 1.0, 1.5)


def make_scan(noise=10.0, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros((24, 44, 40), np.uint8)
    mask[2:22, 4:40, 5:35] = 1  # box 20 x 36 x 30
    hu = np.where(mask, 100, 30) + noise * rng.standard_normal(mask.shape)
    return hu.astype(np.float32), mask


def load(hu, mask):
    volume = Volume(hu, SPACING)
    return LoadedScan(volume, mask, volume)


def test_an_organ_has_the_level_noise_and_vessels_that_it_was_made_of():
    hu, mask = make_scan()
    hu[:, 20:24, 18:22] += 80
    row = measure_organ('a', load(hu, mask))
    assert row['volume_ml'] == pytest.approx(20 * 36 * 30 * 3 / 1000)
    assert row['level_hu'] == pytest.approx(100, abs=1)
    assert row['noise_hu'] == pytest.approx(10, abs=1)
    assert row['vessel_share'] == pytest.approx(16 / (36 * 30), rel=0.3)
    assert row['vessel_hu'] == pytest.approx(180, abs=8)
    assert abs(row['autocorrelation']['X']['1']) < 0.05
    summary = summarize_organs([row, row], 'liver')
    assert summary['n'] == 2
    assert summary['level_hu'] == {'mean': row['level_hu'], 'sd': 0}
    with pytest.raises(ValueError, match='a: the mask holds no organ'):
        measure_organ('a', load(hu, mask * 0))


def test_autocorrelation_of_blurred_noise_is_known():
    field = gaussian_filter(
        np.random.default_rng(0).standard_normal((40, 50, 60)), (0, 1.5, 0)
    )
    found = measure_autocorrelation(field, np.ones(field.shape, bool), 1)
    for lag in (1, 2, 3):
        # A Gaussian blur of deviation s correlates by exp(-d^2 / 4 s^2).
        assert found[str(lag)] == pytest.approx(np.exp(-(lag**2) / 9), abs=0.03)
    assert abs(measure_autocorrelation(field, field == field, 0)['1']) < 0.05
    assert measure_autocorrelation(field, field > 9, 0)['1'] is None


def test_tumors_have_their_size_place_and_contrast():
    hu, mask = make_scan(noise=0.0)
    tumor = np.zeros(mask.shape, bool)
    tumor[2:6, 4:10, 5:9] = True  # 96 voxels of 3 mm3, at a corner of the box
    tumor[20, 30, 30] = True  # too small
    mask[tumor], hu[tumor] = 2, 60
    (row,) = list_tumors('a', load(hu, mask))
    assert row['voxels'] == 96
    assert row['volume_mm3'] == 288
    assert row['radius_mm'] == pytest.approx((3 * 288 / (4 * np.pi)) ** (1 / 3))
    assert row['size_class'] == 'tiny'
    assert row['contrast_hu'] == -40
    # Centers of the tumor's box in the organ's: 2 of 20, 3 of 36, 2 of 30.
    assert [row[k] for k in 'zyx'] == pytest.approx([2 / 20, 3 / 36, 2 / 30])
    assert row['wall_mm'] == pytest.approx(3.0, abs=1.01)
    assert len(list_tumors('a', load(hu, mask), min_voxels=1)) == 2
    assert list_tumors('a', load(hu, mask * 0)) == []


@pytest.mark.parametrize(
    ('radius', 'name'),
    [(3, 'tiny'), (10, 'tiny'), (10.1, 'small'), (25.5, 'medium'), (51, 'large')],
)
def test_size_classes(radius, name):
    assert classify_radius(radius) == name


def test_counts_add_up():
    rows = [
        {'scan': s, 'radius_mm': r, 'contrast_hu': -r, 'size_class': classify_radius(r)}
        for s, r in (('a', 4.0), ('a', 7.0), ('b', 12.0), ('b', 30.0), ('b', 5.0))
    ]
    summary = summarize_tumors(rows, ['a', 'b', 'c'])
    assert summary['tumors_per_scan'] == [2, 3, 0]
    assert summary['scans_with_tumor'] == 2
    assert list(summary['radius_mm_strata'].values()) == [2, 1, 1, 1]
    assert summary['median_radius_mm'] == 7
    assert summarize_tumors([], ['a'])['median_radius_mm'] is None


def test_a_prior_follows_the_cloud():
    rng = np.random.default_rng(0)
    points = rng.normal((0.5, 0.3, 0.6), (0.1, 0.05, 0.2), (400, 3))
    rows = [dict(zip('zyx', p, strict=True)) for p in points]
    prior = fit_tumor_prior(rows, components=1, kind='normal', seed=0)
    assert prior.means[0] == pytest.approx((0.5, 0.3, 0.6), abs=0.03)
    with pytest.raises(InputError, match='3 tumors cannot be fitted'):
        fit_tumor_prior(rows[:3], components=1, kind='normal', seed=0)
