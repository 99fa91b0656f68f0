import numpy as np
import pytest

from mmmed.synthesis import measure_cord

SHAPE, SPACING = (30, 24, 20), (2.0, 1.0, 0.8)


def make_cord(slope=0.25):
    """A tube that leans forward, of radius 4 mm, from slice 4 to 25."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    middle = 8 + slope * (z - 4) * SPACING[0]
    mask = (y - middle) ** 2 + ((x - 9.5) * 0.8) ** 2 <= 16
    return mask & (z >= 4) & (z < 26)


def test_directions_follow_the_cord():
    cord = make_cord()
    geometry = measure_cord(cord, np.ones(SHAPE), SPACING)
    expected = np.array([1, 0.25, 0]) / np.sqrt(1 + 0.25**2)
    np.testing.assert_allclose(geometry.find_direction(30.0), expected, atol=0.02)
    assert (geometry.box[0].start, geometry.box[0].stop) == (4, 26)
    assert len(geometry.voxels) == cord.sum()


def test_grey_values_are_those_around_a_height():
    image = np.broadcast_to(np.arange(SHAPE[0])[:, None, None] * 10.0, SHAPE)
    geometry = measure_cord(make_cord(0), image, SPACING)
    # 10 a slice of 2 mm: 5 a mm.
    grey, spread = geometry.find_grey(30.0)
    assert grey == pytest.approx(150, abs=25)
    assert spread > 0
    levels = geometry.levels_mm
    np.testing.assert_allclose(geometry.greys[1:-1], 5 * levels[1:-1], atol=6)


def test_voxels_near_the_surface_are_chosen_but_not_the_outermost(rng):
    cord = make_cord(0)
    geometry = measure_cord(cord, np.ones(SHAPE), SPACING)
    chosen = np.array([geometry.draw_voxel(rng) for _ in range(2000)])
    assert cord[tuple(chosen.T)].all()
    away = np.hypot(chosen[:, 1] - 8, (chosen[:, 2] - 9.5) * 0.8)
    places = np.argwhere(cord)
    expected = np.hypot(places[:, 1] - 8, (places[:, 2] - 9.5) * 0.8)
    assert np.mean(away > 3.4) < 0.85 * np.mean(expected > 3.4)
    assert np.mean((away > 1.5) & (away < 3)) > np.mean(
        (expected > 1.5) & (expected < 3)
    )


@pytest.mark.parametrize(
    ('plane', 'axis'), [('axial', 0), ('coronal', 1), ('sagittal', 2)]
)
def test_a_focus_chooses_on_its_slice(rng, plane, axis):
    cord = make_cord()
    geometry = measure_cord(cord, np.ones(SHAPE), SPACING)
    index = (14, 12, 9)[axis]
    for _ in range(20):
        voxel = geometry.draw_voxel(rng, (plane, index))
        assert voxel[axis] == index
        assert cord[voxel]
    # A slice without cord: any voxel.
    assert cord[geometry.draw_voxel(rng, (plane, 0))]


def test_an_empty_and_a_full_mask(rng):
    empty = measure_cord(np.zeros(SHAPE, bool), np.ones(SHAPE), SPACING)
    assert empty.is_empty
    with pytest.raises(ValueError, match='empty'):
        empty.draw_voxel(rng)
    full = measure_cord(np.ones((3, 4, 5), bool), np.ones((3, 4, 5)), SPACING)
    assert np.isfinite(full.chances).all()
    assert full.num_bytes < 2000


def test_shapes_must_agree():
    with pytest.raises(ValueError, match='equal shapes'):
        measure_cord(np.ones((3, 4, 5), bool), np.ones((3, 4, 6)), SPACING)
