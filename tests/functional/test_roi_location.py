import numpy as np
import pytest

from mmmed.functional.geometry import make_affine
from mmmed.functional.roi_location import (
    center_grid,
    find_index,
    find_place,
    flip_lps,
    locate_mask,
)


def test_a_mask_has_a_middle_and_its_longest_side():
    labels = np.zeros((6, 20, 30), np.uint8)
    labels[1:3, 4:8, 10:20] = 9
    labels[2, 5, 5] = 3
    center, extent_mm = locate_mask(labels, (3.0, 1.0, 2.0), (9, 10))
    assert center == (1.5, 5.5, 14.5)
    assert extent_mm == 20.0  # along X, which the reference forgets
    assert locate_mask(labels, (3.0, 1.0, 2.0))[1] == 30.0
    with pytest.raises(ValueError, match=r'no voxel of labels \[4\]'):
        locate_mask(labels, (1, 1, 1), (4,))


def test_places_and_indices_are_inverse():
    affine = make_affine((3.0, 2.0, 0.5))
    affine[:3, 3] = (-10, 5, 7)
    place = find_place(affine, (2, 3, 4))
    np.testing.assert_allclose(place, (-8, 11, 13))
    np.testing.assert_allclose(find_index(affine, place), (2, 3, 4), atol=1e-12)
    assert flip_lps((1, -2, 3)) == (-1.0, 2.0, 3.0)


def test_a_centered_grid_has_the_place_in_the_middle_voxel():
    affine = make_affine((3.0, 2.0, 0.5))
    grid = center_grid(affine, (5.0, 6.0, 7.0), (9, 50, 40), (2.0, 1.0, 0.7))
    np.testing.assert_allclose(find_index(grid, (5, 6, 7)), (4, 25, 20), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(grid[:3, :3], axis=0), (2, 1, 0.7))
