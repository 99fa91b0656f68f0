import re

import numpy as np
import pytest

from mmmed.io.dicom_geometry import arrange_slices, resample_stack

AXIAL = (1, 0, 0, 0, 1, 0)


def arrange(heights, orientation=AXIAL, shifts=None, **options):
    positions = np.zeros((len(heights), 3))
    positions[:, 2] = heights
    if shifts is not None:
        positions[:, 1] = shifts
    options = {'thickness_mm': 2.0, **options}
    return arrange_slices(positions, orientation, (0.75, 0.5), **options)


def test_slices_ascend_and_the_affine_is_ras():
    stack = arrange([6, 0, 3])
    assert stack.order.tolist() == [1, 2, 0]
    assert stack.problems == ()
    expected = [[0, 0, -0.5, 0], [0, -0.75, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(stack.affine, expected)


def test_the_normal_decides_what_ascending_means():
    stack = arrange([6, 0, 3], orientation=(-1, 0, 0, 0, 1, 0))
    assert stack.order.tolist() == [0, 2, 1]
    np.testing.assert_array_equal(stack.affine[:, 0], [0, 0, -3, 0])


def test_one_slice_takes_its_thickness():
    assert arrange([5]).affine[2, 0] == 2
    assert arrange([5], thickness_mm=None).affine[2, 0] == 1


@pytest.mark.parametrize(
    'heights',
    [
        [0.0, 0.6, 1.3, 1.9, 2.5, 3.1, 3.8],  # 0.625 mm with one decimal
        [0.0, 5.004, 10.0, 15.003],
        [0, 7],
    ],
)
def test_rounded_positions_are_regular(heights):
    assert arrange(heights).problems == ()


@pytest.mark.parametrize(
    ('heights', 'reason'),
    [
        ([0, 3, 6, 12, 15], '1 slices of 3 mm are missing, .* behind slice 3 of 5'),
        ([0, 9, 12, 15, 18, 27], '4 slices of 3 mm are missing'),
        ([0, 3, 6, 9, 12, 15, 18, 21, 24, 30], '1 slices of 3 mm are missing'),
        ([0, 6, 9, 12, 15, 18, 21], '1 slices of 3 mm are missing, .* slice 1'),
        ([0, 2, 4, 6, 11, 16, 21], 'distances vary from 2 to 5 mm'),
        ([0, 3, 6.4, 9, 12], 'distances vary'),
    ],
)  # fmt: skip
def test_gaps_and_uneven_distances_are_told(heights, reason):
    (problem,) = arrange(heights).problems
    assert re.search(reason, problem)


def test_a_tilted_gantry_is_told_with_its_angle():
    heights = np.arange(10) * 4 * np.cos(np.radians(20))
    shifts = np.arange(10) * 4 * np.sin(np.radians(20))
    assert arrange(heights, shifts=shifts).problems == (
        'The gantry is tilted: slices are sheared by 20.00 degrees.',
    )


def test_a_slice_beside_the_others_is_told():
    (problem,) = arrange([0, 3, 6, 9], shifts=[0, 0, 1.5, 0]).problems
    assert problem == 'Slices lie up to 1.5 mm beside each other.'


@pytest.mark.parametrize(
    ('positions', 'orientation', 'spacing', 'reason'),
    [
        ([[0, 0, 0], [0, 0, 0]], AXIAL, (1, 1), 'share a place'),
        ([[0, 0, 0], [9, 9, 0]], AXIAL, (1, 1), 'share a place'),
        ([[0, 0, 0], [0, 0, np.nan]], AXIAL, (1, 1), 'at right angles'),
        ([[0, 0, 0]], (1, 0, 0, 1, 0, 0), (1, 1), 'at right angles'),
        ([[0, 0, 0]], (0, 0, 0, 0, 0, 0), (1, 1), 'at right angles'),
        ([[0, 0, 0]], AXIAL, (0, 1), 'PixelSpacing'),
        ([[0, 0, 0]], AXIAL, (1, np.inf), 'PixelSpacing'),
    ],
)
def test_unusable_geometry_is_refused(positions, orientation, spacing, reason):
    with pytest.raises(ValueError, match=reason):
        arrange_slices(positions, orientation, spacing, thickness_mm=1)


def test_a_missing_slice_is_the_mean_of_its_neighbours():
    stack = arrange([0, 3, 9, 12])
    array = np.array([10, 20, 41, 50], np.int16)[:, None, None] * np.ones(
        (1, 4, 6), int
    )
    values, affine = resample_stack(array.astype(np.int16), stack)
    assert values.dtype == np.int16
    assert values[:, 2, 3].tolist() == [10, 20, 30, 41, 50]  # 30.5 rounds to even
    np.testing.assert_array_equal(affine[:3, 0], [0, 0, 3])


def test_uneven_distances_become_linear_values():
    heights = np.array([0, 2, 4, 6, 11, 16, 21.0])
    stack = arrange(heights)
    ramp = (heights * 10)[:, None, None] * np.ones((1, 4, 6))
    values, affine = resample_stack(ramp, stack)
    step = affine[2, 0]
    # Seven gaps of median 3.5 mm or so; the ends stay where they were.
    assert step * (len(values) - 1) == pytest.approx(21)
    expected = np.arange(len(values)) * step * 10
    np.testing.assert_allclose(values[:, 1, 1], expected, atol=1e-6)


def test_a_tilted_stack_becomes_upright():
    # Oblique structure: a plane y = const in the patient, seen in sheared slices.
    shifts = np.arange(5) * 1.5  # two pixels of 0.75 mm a slice
    stack = arrange(np.arange(5) * 4.0, shifts=shifts)
    patient_y = shifts[:, None, None] + 0.75 * np.arange(8)[None, :, None]
    array = (100 + 10 * patient_y) * np.ones((1, 1, 6))
    values, affine = resample_stack(array, stack)
    assert values.shape == (5, 16, 6)  # eight rows, and what the shifts add
    for z in range(5):
        rows = np.flatnonzero(values[z, :, 0] != array.min())
        np.testing.assert_allclose(
            values[z, rows, 0], 100 + 10 * 0.75 * rows, atol=1e-9
        )
    np.testing.assert_array_equal(affine, stack.affine)


def test_a_negative_shift_moves_the_origin():
    stack = arrange([0, 4], shifts=[0, -1.5])
    values, affine = resample_stack(np.ones((2, 4, 6)) * [[[1]], [[2]]], stack)
    assert values.shape == (2, 6, 6)
    assert affine[:3, 3].tolist() == [0, 1.5, 0]  # RAS: y is turned
    assert values[:, 0, 0].tolist() == [1, 2]  # outside the first: the least value


def test_a_stray_slice_does_not_make_a_volume_of_air():
    stack = arrange([0, 1, 2, 5000])
    with pytest.raises(ValueError, match='would need 5001 slices'):
        resample_stack(np.zeros((4, 4, 6)), stack)
