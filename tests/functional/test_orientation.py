import itertools

import numpy as np
import pytest

from mmmed.functional.geometry import make_affine
from mmmed.functional.orientation import (
    name_orientation,
    plan_reorientation,
    reorient_affine,
    reorient_array,
)

ALL = [
    ''.join(letters)
    for axes in itertools.permutations(['RL', 'AP', 'SI'])
    for letters in itertools.product(*axes)
]


@pytest.mark.parametrize('wanted', ALL)
def test_each_of_the_48_orientations_keeps_every_voxel_in_place(wanted, rng):
    affine = make_affine((3, 0.5, 0.75))
    affine[:3, 3] = [7, -8, 9]
    array = rng.permutation(24).reshape(2, 3, 4)
    order, flips = plan_reorientation(name_orientation(affine), wanted)
    moved = reorient_array(array, order, flips)
    moved_affine = reorient_affine(affine, array.shape, order, flips)
    assert name_orientation(moved_affine) == wanted
    for value in (0, 11, 23):
        place = affine @ [*np.argwhere(array == value)[0], 1]
        moved_place = moved_affine @ [*np.argwhere(moved == value)[0], 1]
        np.testing.assert_allclose(moved_place, place, atol=1e-12)


def test_channels_stay_first():
    array = np.arange(48).reshape(2, 2, 3, 4)
    moved = reorient_array(array, (2, 0, 1), (False, True, False))
    assert moved.shape == (2, 4, 2, 3)
    assert moved[1, 3, 0, 2] == array[1, 1, 2, 3]
    assert moved.base is not None  # a view


def test_an_oblique_grid_is_named_once_per_axis():
    # 45 degrees: two array axes are equally near to the same patient axis.
    h = np.sqrt(0.5)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[h, h, 0], [h, -h, 0], [0, 0, 1]])
    assert sorted(name_orientation(affine)) in (['A', 'R', 'S'], ['P', 'R', 'S'])


@pytest.mark.parametrize('wanted', ['', 'SA', 'SARR', 'SAS', 'XYZ', 'sar'])
def test_what_is_no_orientation_is_refused(wanted):
    with pytest.raises(ValueError, match=r'one of R/L.*such as "SPL"'):
        plan_reorientation('SAR', wanted)
