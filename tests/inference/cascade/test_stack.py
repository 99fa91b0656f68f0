import itertools

import numpy as np
import pytest

from mmmed.functional.geometry import make_affine
from mmmed.functional.orientation import plan_reorientation
from mmmed.inference.cascade.stack import SliceStack, find_acquisition_plane
from mmmed.structures import Volume, VolumeSource

SPACING = (0.7, 3.3, 0.9)
ORIENTATIONS = [
    ''.join(letters)
    for axes in itertools.permutations(('SI', 'AP', 'RL'))
    for letters in itertools.product(*axes)
]


def make_volume(orientation='SAR', spacing=SPACING, shape=(5, 4, 6), turn_deg=0.0):
    """A canonical volume of running numbers, seen in another orientation."""
    order, _ = plan_reorientation(orientation, 'SAR')
    canonical = [shape[axis] for axis in order]
    affine = make_affine([spacing[axis] for axis in order])
    angle = np.radians(turn_deg)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    array = np.arange(np.prod(canonical), dtype=np.int16).reshape(canonical)
    spaced = tuple(np.linalg.norm((turn @ affine)[:3, :3], axis=0))
    return Volume(array, spaced, turn @ affine).reorient(orientation)


@pytest.mark.parametrize('turn_deg', [0.0, 20.0])
def test_stacks_go_back_exactly_from_all_48_orientations(turn_deg):
    assert len(set(ORIENTATIONS)) == 48
    for orientation in ORIENTATIONS:
        volume = make_volume(orientation, turn_deg=turn_deg)
        for plane in ('axial', 'coronal', 'sagittal'):
            stack = SliceStack.from_volume(volume, plane=plane)
            assert stack.img.dtype == np.float32
            restored = stack.restore(stack.img)
            assert restored.flags.c_contiguous
            np.testing.assert_array_equal(restored, volume.array)


def test_slices_are_those_of_training_whatever_the_file_s_orientation():
    expected = make_volume('SAR', shape=(5, 4, 6))
    for orientation in ('SAR', 'PSR', 'LAI'):
        volume = expected.reorient(orientation)
        for plane, axis in (('axial', 0), ('coronal', 1), ('sagittal', 2)):
            stack = SliceStack.from_volume(volume, plane=plane)
            wanted = np.moveaxis(expected.array, axis, 0)
            np.testing.assert_array_equal(stack.img, wanted)
            spacing = list(expected.spacing)
            assert stack.spacing == pytest.approx((spacing.pop(axis), *spacing))


@pytest.mark.parametrize('orientation', ['RSA', 'PSL', 'ILA'])
def test_slice_numbers_are_those_of_the_series_own_array(orientation):
    volume = make_volume(orientation)
    stack = SliceStack.from_volume(volume, plane='sagittal')
    marked = np.zeros(stack.img.shape)
    marked[[0, 2]] = 1
    restored = np.moveaxis(stack.restore(marked), stack.slice_axis, 0)
    numbers = tuple(np.flatnonzero(restored.all(axis=(1, 2))).tolist())
    assert stack.number_slices([0, 2]) == numbers


@pytest.mark.parametrize(
    ('orientation', 'spacing', 'plane'),
    [
        ('SAR', (0.7, 0.7, 3.0), 'sagittal'),
        ('LAS', (0.5, 0.5, 7.5), 'axial'),
        ('PSR', (4.0, 1.0, 1.0), 'coronal'),
        ('PSR', (0.8, 0.8, 0.8), 'sagittal'),
        ('SAR', (1.4, 1.0, 1.0), 'sagittal'),
    ],
)
def test_acquisition_plane_lies_across_the_thickest_axis(orientation, spacing, plane):
    assert find_acquisition_plane(orientation, spacing) == plane


def test_pictures_are_taken_as_radiologists_look_at_them():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    source = VolumeSource('slice.png', 'image', array.dtype)
    stack = SliceStack.from_volume(Volume(array, (1, 1, 1), None, source))
    # Rows of the picture run to inferior, columns to posterior, pages to the left.
    np.testing.assert_array_equal(stack.img, array[::-1, ::-1, ::-1])
    np.testing.assert_array_equal(stack.restore(stack.img), array)


def test_what_is_no_series_is_refused_with_its_reason():
    spacing = (1, 1, 1)
    with pytest.raises(ValueError, match='2 channels or time points'):
        SliceStack.from_volume(Volume(np.zeros((2, 3, 3, 3)), spacing))
    broken = np.zeros((3, 3, 3))
    broken[0, 0, :2] = np.nan, np.inf
    with pytest.raises(ValueError, match=r'NaN or infinity in 2 voxel\(s\)'):
        SliceStack.from_volume(Volume(broken, spacing))
    stack = SliceStack.from_volume(Volume(np.zeros((3, 3, 3)), spacing))
    with pytest.raises(ValueError, match='expected the same'):
        stack.restore(np.zeros((3, 3, 2)))
