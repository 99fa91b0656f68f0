"""Surfaces of phantoms by hand: how many elements, where, how large."""

import math

import numpy as np
import pytest

from mmmed.functional.surface_elements import extract_surface

SPACING = (3.0, 1.0, 1.5)


def make_box(shape, start, stop):
    mask = np.zeros(shape, bool)
    mask[tuple(map(slice, start, stop))] = True
    return mask


def compute_box_surface(steps, spacing):
    """Area of a box of voxels: flat faces, bevelled edges and corners."""
    faces = [spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]]
    area = math.hypot(*faces)  # eight corners of an eighth each
    for axis in range(3):
        one, other = (steps[k] - 1 for k in range(3) if k != axis)
        area += 2 * one * other * faces[axis]
        sides = math.hypot(*(spacing[k] for k in range(3) if k != axis))
        area += 4 * (steps[axis] - 1) * spacing[axis] * sides / 2
    return area


def test_single_voxel_is_an_octahedron():
    surface = extract_surface(
        make_box((4, 5, 6), (1, 2, 3), (2, 3, 4)), (3.0, 2.0, 1.0)
    )
    assert surface.points.shape == (3, 8)
    assert surface.points.min(axis=1).tolist() == [1, 2, 3]
    assert surface.points.max(axis=1).tolist() == [2, 3, 4]
    # Faces of 2, 3 and 6 mm2, bevelled: sqrt(4 + 9 + 36).
    assert surface.sizes.sum() == pytest.approx(7.0, rel=1e-12)


def test_single_pixel_is_a_rhombus():
    surface = extract_surface(make_box((3, 4), (1, 1), (2, 2)), (3.0, 4.0))
    assert surface.points.tolist() == [[1, 1, 2, 2], [1, 2, 1, 2]]
    assert surface.sizes.tolist() == [2.5] * 4


@pytest.mark.parametrize('start', [(0, 0, 0), (2, 1, 3)])
def test_box_area_by_hand_also_at_the_border(start):
    steps = (3, 5, 4)
    mask = make_box((7, 6, 8), start, np.add(start, steps))
    area = extract_surface(mask, SPACING).sizes.sum()
    assert area == pytest.approx(compute_box_surface(steps, SPACING), rel=1e-12)


def test_full_mask_has_the_surface_of_the_image():
    surface = extract_surface(np.ones((2, 3, 4), bool), SPACING)
    assert surface.sizes.sum() == pytest.approx(compute_box_surface((2, 3, 4), SPACING))
    assert surface.points.min() == 0
    assert surface.points.max(axis=1).tolist() == [2, 3, 4]


def test_order_of_axes_in_memory_does_not_matter(rng):
    mask = rng.random((5, 6, 7)) < 0.3
    expected = extract_surface(mask, SPACING)
    for other in (np.asfortranarray(mask), mask.repeat(2, axis=1)[:, ::2]):
        surface = extract_surface(other, SPACING)
        assert (surface.points == expected.points).all()
        assert (surface.sizes == expected.sizes).all()


def test_block_size_does_not_matter(rng, monkeypatch):
    mask = rng.random((9, 6, 7)) < 0.3
    expected = extract_surface(mask, SPACING)
    monkeypatch.setattr('mmmed.functional.surface_elements._BLOCK', 150)
    assert (extract_surface(mask, SPACING).points == expected.points).all()
