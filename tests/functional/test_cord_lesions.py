"""Lesions of the cord against boxes, a tilted cord and the painted lesion."""

import math

import numpy as np
import pytest

from mmmed.functional.cord_centerline import find_centerline
from mmmed.functional.cord_lesions import measure_cord_lesions

SPACING = (2.0, 0.5, 0.75)
SHAPE = (24, 40, 30)


@pytest.fixture
def cord():
    """Upright: 12 voxels (6 mm) from back to front, 9 to the side, around R = 14."""
    mask = np.zeros(SHAPE, bool)
    mask[:, 10:22, 10:19] = True
    return mask


def draw(*boxes):
    mask = np.zeros(SHAPE, bool)
    for (z, y, x), (depth, height, width) in boxes:
        mask[z : z + depth, y : y + height, x : x + width] = True
    return mask


def test_a_box_in_an_upright_cord_by_hand(cord):
    lesion = draw(((5, 12, 12), (4, 6, 4)))
    report = measure_cord_lesions(lesion, SPACING, cord)
    (found,) = report.lesions
    assert report.midsagittal == pytest.approx(14)
    assert found.voxels == 96
    assert found.volume_mm3 == pytest.approx(96 * 0.75)
    assert (found.first_slice, found.last_slice) == (5, 8)
    assert found.length_mm == pytest.approx(8)
    assert found.width_mm == pytest.approx(3)
    area = 24 * 0.5 * 0.75
    assert found.max_equivalent_diameter_mm == pytest.approx(
        2 * math.sqrt(area / math.pi)
    )
    assert found.max_axial_damage_ratio == pytest.approx(24 / 108)
    assert not found.parasagittal
    assert found.midsagittal_length_mm == pytest.approx(8)
    assert found.dorsal_bridge_mm == pytest.approx(1)
    assert found.ventral_bridge_mm == pytest.approx(2)
    assert found.total_bridge_mm == pytest.approx(3)
    assert found.dorsal_bridge_ratio == pytest.approx(1 / 6)
    assert found.total_bridge_ratio == pytest.approx(0.5)
    assert found.centroid == (6.5, 14.5, 13.5)
    assert found.centroid_mm == pytest.approx((13, 7.25, 10.125))
    assert found.level is None


def test_the_narrowest_bridge_counts(cord):
    lesion = draw(((5, 12, 12), (2, 6, 4)), ((7, 10, 12), (2, 4, 4)))
    (found,) = measure_cord_lesions(lesion, SPACING, cord).lesions
    assert found.dorsal_bridge_mm == 0
    assert found.ventral_bridge_mm == pytest.approx(2)


def test_beside_the_midline_numbers_and_no_nan(cord):
    (found,) = measure_cord_lesions(
        draw(((5, 12, 16), (3, 4, 2))), SPACING, cord
    ).lesions
    assert found.parasagittal
    assert found.midsagittal_length_mm == found.midsagittal_width_mm == 0
    assert found.total_bridge_mm == pytest.approx(6)
    assert found.dorsal_bridge_mm == found.ventral_bridge_mm == pytest.approx(3)
    assert found.total_bridge_ratio == 1
    assert all(
        math.isfinite(v) for v in found.as_row().values() if isinstance(v, float)
    )


def test_outside_is_removed_and_the_edge_is_cut(cord):
    lesion = draw(
        ((2, 30, 2), (2, 2, 2)), ((10, 8, 12), (2, 6, 4)), ((15, 12, 12), (4, 6, 4))
    )
    report = measure_cord_lesions(lesion, SPACING, cord)
    assert report.outside == (8,)
    assert report.cut == 2 * 2 * 4
    assert [found.voxels for found in report.lesions] == [96, 32]
    assert np.bincount(report.labels.ravel()).tolist()[1:] == [96, 32]
    assert report.volume_mm3 == pytest.approx(128 * 0.75)


def test_a_tilted_cord_is_longer_than_it_is_high():
    cord = np.zeros((30, 50, 21), bool)
    lesion = np.zeros_like(cord)
    for z in range(30):
        cord[z, 5 + z : 15 + z, 6:15] = True
        if 10 <= z < 16:
            lesion[z, 8 + z : 12 + z, 9:12] = True
    spacing = (1.0, 0.5, 1.0)
    line = find_centerline(cord, spacing)
    cosine = 1 / math.sqrt(1 + 0.5**2)
    np.testing.assert_allclose(line.cosines, cosine, rtol=1e-12)
    (found,) = measure_cord_lesions(lesion, spacing, cord).lesions
    assert found.length_mm == pytest.approx(6 / cosine)
    assert found.width_mm == pytest.approx(4 * 0.5 * cosine)
    assert found.dorsal_bridge_mm == pytest.approx(3 * 0.5 * cosine)
    assert found.midsagittal_length_mm == pytest.approx(6 / cosine)


def test_levels_by_vote_and_coordinates_through_the_affine(cord):
    levels = np.repeat([4, 3, 2], 8)
    affine = np.array([[0, 0, -1, 9], [0, 1, 0, 8], [1, 0, 0, 7], [0, 0, 0, 1.0]])
    lesion = draw(((6, 12, 12), (5, 4, 4)))
    for given in (levels, np.broadcast_to(levels[:, None, None], SHAPE)):
        (found,) = measure_cord_lesions(
            lesion, SPACING, cord, levels=given, affine=affine
        ).lesions
        assert found.level == 3
        assert found.centroid_mm == pytest.approx((9 - 13.5, 8 + 13.5, 7 + 8))
    unknown = measure_cord_lesions(lesion, SPACING, cord, levels=np.zeros(24, int))
    assert unknown.lesions[0].level is None
    high = measure_cord_lesions(lesion, SPACING, cord, levels=levels * 2**42)
    assert high.lesions[0].level == 3 * 2**42


@pytest.mark.parametrize('with_cord', [False, True])
def test_nothing_to_measure(with_cord, cord):
    empty = np.zeros(SHAPE, np.uint8)
    report = measure_cord_lesions(empty, SPACING, cord if with_cord else None)
    assert report.lesions == ()
    assert report.midsagittal is None
    assert report.volume_mm3 == 0
    line = find_centerline(empty, SPACING)
    assert line.centers[0].tolist() == [19.5, 14.5]
    assert line.cosines.tolist() == [1] * 24


def test_without_a_cord_lengths_are_those_of_the_slices():
    (found,) = measure_cord_lesions(draw(((5, 12, 12), (4, 6, 4))), SPACING).lesions
    assert found.length_mm == pytest.approx(8)
    assert found.max_axial_damage_ratio == 0
    assert found.total_bridge_mm == 0


def test_what_does_not_fit_is_refused(cord):
    with pytest.raises(ValueError, match='cord has shape'):
        measure_cord_lesions(draw(), SPACING, cord[:-1])
    with pytest.raises(ValueError, match='levels have shape'):
        measure_cord_lesions(cord, SPACING, cord, levels=[1, 2])
    with pytest.raises(ValueError, match='3 axes'):
        measure_cord_lesions(cord[0], SPACING[1:])
    with pytest.raises(ValueError, match='binary'):
        measure_cord_lesions(cord * 3, SPACING, cord)


@pytest.mark.data
def test_the_painted_lesion(sample_data):
    from mmmed.io import read_volume

    folder = sample_data / 'spinal_cord' / 't2'
    cord, lesion = (
        read_volume(folder / f't2_fake_lesion_{name}_seg.nii.gz').reorient()
        for name in ('sc', 'lesion')
    )
    report = measure_cord_lesions(
        lesion.array, lesion.spacing, cord.array, affine=lesion.affine
    )
    (found,) = report.lesions
    assert found.voxels == 163
    assert found.volume_mm3 == pytest.approx(83.456, abs=1e-3)
    assert found.last_slice - found.first_slice + 1 == 12
    # Twelve slices of 0.8 mm, along a cord that leans.
    assert 9.6 <= found.length_mm < 9.6 * 1.2
    assert report.outside == ()
    assert report.cut == 0
    assert not found.parasagittal
