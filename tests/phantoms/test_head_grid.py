import numpy as np
import pytest

from mmmed.phantoms.head_grid import HeadGrid, make_grid, make_noise


@pytest.fixture
def grid():
    """A ball of depth 50 mm in pixels of 1 mm, slices at z = 0 and 10."""
    axis = np.arange(-60, 61, dtype=np.float32)
    x = np.broadcast_to(axis[None, None, :], (2, 121, 121))
    y = np.broadcast_to(axis[None, :, None], (2, 121, 121))
    z = np.array([0, 10], np.float32)[:, None, None]
    return HeadGrid(x, y, z, 50 - np.hypot(x, y), np.arctan2(y, x), 1.0)


def test_an_ellipsoid_has_the_area_of_its_sections(grid):
    share = grid.draw_ellipsoid((5, -3, 0), (20, 12, 20))
    # Sections at height z: pi a b (1 - (z / c)^2), exact but for the soft border.
    np.testing.assert_allclose(share[0].sum(), np.pi * 240, rtol=0.01)
    np.testing.assert_allclose(share[1].sum(), np.pi * 240 * 0.75, rtol=0.04)
    assert share[0, 60 - 3, 60 + 5] == 1


def test_tilt_turns_from_x_towards_y(grid):
    share = grid.draw_ellipsoid((0, 0, 0), (30, 5, 20), tilt_deg=30)
    rows, columns = np.nonzero(share[0] > 0.5)
    slope = np.polyfit(columns - 60, rows - 60, 1)[0]
    np.testing.assert_allclose(slope, np.tan(np.deg2rad(30)), rtol=0.05)


def test_a_far_slice_is_not_touched(grid):
    share = grid.draw_ellipsoid((0, 0, 0), (30, 30, 5))
    assert share[0].any()
    assert not share[1].any()
    assert not grid.draw_ellipsoid((0, 0, 99), (30, 30, 5)).any()


def test_turn_is_the_smaller_angle(grid):
    turn = grid.measure_turn(np.deg2rad(170))
    np.testing.assert_allclose(np.rad2deg(turn[0, 60 - 1, 60 - 60]), 10.95, atol=0.01)
    assert turn.max() <= np.pi + 1e-6


def test_a_warp_pushes_the_middle_and_spares_the_rim(grid):
    warped = grid.warp(6)
    assert warped.x[0, 60, 60] == -6
    assert abs(warped.x[0, 60, 0] - grid.x[0, 60, 0]) < 1.5
    assert grid.warp(0) is grid


def test_noise_has_mean_0_deviation_1_and_its_scale(rng):
    grid = make_grid(rng, 6, 128, 10.0)
    for scale_mm in (8, 40):
        noise = make_noise(rng, grid, scale_mm, scale_z=0.01)
        assert noise.shape == (6, 128, 128)
        np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=1e-3)
        lag = max(round(scale_mm / grid.pixel_mm), 1)
        near = np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1]
        far = np.corrcoef(
            noise[..., 2 * lag :].ravel(), noise[..., : -2 * lag].ravel()
        )[0, 1]
        assert near > 0.8
        assert abs(far) < 0.35


def test_a_head_fits_its_field_of_view():
    for seed in range(20):
        grid = make_grid(np.random.default_rng(seed), 3, 64, 30.0)
        rim = np.ones((64, 64), bool)
        rim[2:-2, 2:-2] = False
        assert grid.depth[:, rim].max() < -15
        assert grid.depth.max() > 40
