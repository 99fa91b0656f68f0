import numpy as np
import pytest

from mmmed.phantoms.abdomen_grid import make_body_grid


@pytest.fixture
def grid():
    return make_body_grid((3.0, 2.0, 1.5), (90, 80, 100))


def test_axes_are_superior_anterior_right_in_mm(grid):
    assert grid.shape == (30, 40, 67)
    assert grid.s.ravel()[:2].tolist() == [0, 3]
    assert grid.a.sum() == pytest.approx(0, abs=1e-3)
    assert np.diff(grid.r.ravel())[0] == 1.5


def test_an_ellipsoid_has_its_volume_whatever_its_tilt(grid):
    for tilt in (0, 35, 90):
        inside = grid.measure_ellipsoid((45, 0, 0), (20, 12, 18), tilt)
        volume = grid.soften(inside).sum() * 9.0
        assert volume == pytest.approx(4 / 3 * np.pi * 20 * 12 * 18, rel=0.02)


def test_a_box_holds_its_voxels_and_may_be_empty(grid):
    z, y, x = grid.find_box((9, -5, -3), (16, 5, 3))
    assert (z.start, z.stop) == (3, 6)
    part = grid.crop((z, y, x))
    assert np.abs(part.a).max() <= 5
    assert np.abs(part.r).max() <= 3
    assert 0 in grid.crop(grid.find_box((500, 0, 0), (510, 5, 5))).shape


def test_bumps_have_a_size_and_unit_deviation(grid):
    field = grid.draw_bumps(np.random.default_rng(0), 20)
    assert field.shape == grid.shape
    assert field.std() == pytest.approx(1, abs=1e-3)
    near = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    assert near > 0.9
