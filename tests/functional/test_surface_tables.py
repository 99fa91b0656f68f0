"""Size of the surface in a cell, by hand and against surface-distance."""

import math

import numpy as np
import pytest
from surface_distance import lookup_tables as reference

from mmmed.functional.surface_tables import compute_surface_table

SPACINGS = [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0), (5.0, 0.7, 0.7), (0.3, 2.2, 0.9)]


def reverse_bits(count):
    """Their first corner is the highest bit, ours the lowest."""
    bits = count.bit_length() - 1
    return [int(format(code, f'0{bits}b')[::-1], 2) for code in range(count)]


@pytest.mark.parametrize('spacing', SPACINGS)
def test_areas_equal_the_reference(spacing):
    expected = reference.create_table_neighbour_code_to_surface_area(spacing)
    table = compute_surface_table(spacing)
    np.testing.assert_allclose(table[reverse_bits(256)], expected, rtol=1e-14)


@pytest.mark.parametrize('spacing', [(1.0, 1.0), (1.0, 2.5), (0.3, 4.0)])
def test_lengths_equal_the_reference(spacing):
    expected = reference.create_table_neighbour_code_to_contour_length(spacing)
    table = compute_surface_table(spacing)
    np.testing.assert_allclose(table[reverse_bits(16)], expected, rtol=1e-14)


def make_code(*corners):
    """Code of the corners inside, given as (z, y, x) offsets."""
    return sum(1 << (4 * z + 2 * y + x) for z, y, x in corners)


@pytest.mark.parametrize(
    ('corners', 'area'),
    [
        ([], 0),
        ([(0, 0, 0)], math.sqrt(49) / 8),
        # An edge along z: its cut is a rectangle of z by the diagonal of y and x.
        ([(0, 0, 0), (1, 0, 0)], 3 * math.hypot(2, 1) / 2),
        # A face across z.
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)], 2),
        # Corners on a diagonal are cut off one by one.
        ([(0, 0, 0), (0, 1, 1)], 2 * math.sqrt(49) / 8),
        # A corner and its neighbours: a flat hexagon of six small triangles.
        ([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], 6 * math.sqrt(49) / 8),
        # Three in an angle: half a face, and three small triangles.
        ([(0, 0, 0), (0, 1, 0), (0, 0, 1)], 2 / 2 + 3 * math.sqrt(49) / 8),
    ],
)
def test_areas_by_hand(corners, area):
    table = compute_surface_table((3.0, 2.0, 1.0))
    assert table[make_code(*corners)] == pytest.approx(area, rel=1e-12)


def test_inside_and_outside_share_their_surface():
    for spacing in (*SPACINGS, (1.0, 2.0)):
        table = compute_surface_table(spacing)
        # Four of eight corners in a winding line are the exception.
        codes = [
            c for c in range(len(table)) if c.bit_count() != len(spacing) ** 2 // 2
        ]
        opposite = [len(table) - 1 - code for code in codes]
        np.testing.assert_allclose(table[codes], table[opposite], rtol=1e-12)


def test_table_is_made_once_and_cannot_be_changed():
    table = compute_surface_table((1.0, 2.0, 4.0))
    assert compute_surface_table((1.0, 2.0, 4.0)) is table
    with pytest.raises(ValueError, match='read-only'):
        table[0] = 1


def test_other_numbers_of_axes_are_refused():
    with pytest.raises(ValueError, match='expected two or three'):
        compute_surface_table((1.0,))
