import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional import geometry

SPACINGS = st.tuples(*[st.floats(0.1, 20) for _ in range(3)])
SHAPES = st.tuples(*[st.integers(1, 40) for _ in range(3)])


def test_make_affine_puts_z_up_y_forward_x_right():
    affine = geometry.make_affine((3, 0.5, 0.75))
    np.testing.assert_array_equal(affine @ [2, 4, 8, 1], [6, 2, 6, 1])
    assert geometry.compute_spacing(affine) == (3, 0.5, 0.75)


def test_shear_is_zero_for_turned_grids_and_the_cosine_for_tilted_ones():
    turned = geometry.make_affine((3, 2, 1))
    c, s = np.cos(0.3), np.sin(0.3)
    turned[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]] @ turned[:3, :3]
    assert geometry.compute_shear(turned) == pytest.approx(0, abs=1e-15)
    tilted = geometry.make_affine((4, 1, 1))
    tilted[1, 0] = 3.0  # the step of 5 mm leans 3 mm forward
    assert geometry.compute_shear(tilted) == pytest.approx(0.6)


def test_grid_difference_is_the_largest_distance_of_equal_voxels():
    affine = geometry.make_affine((3, 2, 1))
    other = affine.copy()
    other[:3, 3] += [3, 4, 0]
    assert geometry.compute_grid_difference(affine, other, (5, 6, 7)) == 5
    other = geometry.make_affine((3.5, 2, 1))
    # Nothing at the first slice, 4 x 0.5 mm at the last.
    assert geometry.compute_grid_difference(affine, other, (5, 6, 7)) == 2
    assert geometry.compute_grid_difference(affine, affine, (1, 1, 1)) == 0


def test_index_map_of_a_shift_and_a_scale():
    coarse, fine = geometry.make_affine((2, 2, 4)), geometry.make_affine((1, 2, 1))
    fine[:3, 3] = [8, 0, -3]  # x, y, z
    index_map = geometry.compute_index_map(coarse, fine)
    np.testing.assert_allclose(index_map @ [0, 0, 0, 1], [3, 0, -8, 1])
    np.testing.assert_allclose(index_map @ [1, 1, 1, 1], [5, 1, -4, 1])


def test_plan_spacing_by_hand():
    # 4 x 10 x 9 voxels of 3 x 1 x 1 mm to 2 mm: 6 x 5 x 4.5 -> 5 voxels.
    affine = geometry.make_affine((3, 1, 1))
    shape, planned = geometry.plan_spacing((4, 10, 9), affine, (2, 2, 2))
    assert shape == (6, 5, 5)
    # Z: the first edge stays at -1.5 mm; Y: -0.5 mm; X grows by 0.5 mm a side.
    np.testing.assert_allclose(planned[:3, 3], [0.0, 0.5, -0.5], atol=1e-12)


@given(SHAPES, SPACINGS, SPACINGS)
@settings(max_examples=60, deadline=None)
def test_plan_spacing_keeps_center_and_field_of_view(shape, spacing, wanted):
    affine = geometry.make_affine(spacing)
    affine[:3, 3] = [-17, 5, 100]
    new_shape, planned = geometry.plan_spacing(shape, affine, wanted)
    np.testing.assert_allclose(geometry.compute_spacing(planned), wanted, rtol=1e-9)
    center = affine @ [*((n - 1) / 2 for n in shape), 1]
    new_center = planned @ [*((n - 1) / 2 for n in new_shape), 1]
    np.testing.assert_allclose(new_center, center, atol=1e-6)
    for n, s, m, w in zip(shape, spacing, new_shape, wanted, strict=True):
        assert abs(n * s - m * w) <= w * 0.51 or m == 1


@pytest.mark.parametrize('wanted', [(1, 1), (1, 0, 1), (1, -2, 1), (1, np.nan, 1)])
def test_plan_spacing_refuses_what_is_no_spacing(wanted):
    with pytest.raises(ValueError, match='three mm > 0'):
        geometry.plan_spacing((2, 3, 4), np.eye(4), wanted)
