"""Looking at the columns around a point: what is settled, and that it is right."""

import math

import numpy as np
import pytest
from scipy.spatial import KDTree

from mmmed.functional.column_search import ColumnSearch

SPACING = (3.0, 1.0, 0.5)


def test_columns_run_along_the_finest_axis_that_is_not_flat():
    sites = np.array([[0, 4], [0, 5], [0, 6]])
    assert ColumnSearch(sites, sites, SPACING).axis == 2
    assert (
        ColumnSearch(sites * [[1], [1], [0]], sites * [[1], [1], [0]], SPACING).axis
        == 1
    )


def test_looks_are_a_disc_by_distance():
    sites = np.array([[0, 40], [0, 40], [0, 40]])
    search = ColumnSearch(sites, sites, SPACING)
    lengths = np.hypot(*(search.looks * [[3.0], [1.0]]))
    assert (np.diff(lengths) >= -1e-12).all()
    assert search.looks[:, 0].tolist() == [0, 0]
    # 256 columns of 3 mm2 on average, and all of them within the radius.
    assert search.radius_mm == pytest.approx(math.sqrt(256 * 3 / math.pi))
    assert 240 <= len(lengths) <= 272
    assert lengths.max() <= search.radius_mm


def test_one_look_settles_what_is_nearer_than_the_next_column():
    # Along the column the sites are 1 and 5 steps away, the next column is 2 mm off.
    sites = np.array([[5, 5], [5, 5], [5, 9]])
    points = np.array([[5, 5], [5, 5], [4, 14]])
    search = ColumnSearch(sites, points, (2, 2, 1))
    squares, looks = search.settle(points, 1)
    assert squares.tolist() == [1.0, 25.0]
    assert looks.tolist() == [1, 1]
    # With a point to the side the next column counts, and 5 mm are not settled.
    aside = np.array([[5, 5, 7], [5, 5, 5], [4, 14, 4]])
    squares, looks = ColumnSearch(sites, aside, (2, 2, 1)).settle(aside, 1)
    assert squares.tolist() == [1.0, math.inf, math.inf]
    assert looks.tolist() == [1, 2, 2]


@pytest.mark.parametrize('num_looks', [0, 1, 5, 40, 1000])
def test_what_is_settled_is_right(num_looks, rng):
    sites = rng.integers(0, [[12], [25], [40]], (3, 60))
    points = rng.integers(-3, [[15], [28], [43]], (3, 500))
    search = ColumnSearch(sites, points, SPACING)
    squares, looks = search.settle(points, num_looks)
    settled = np.isfinite(squares)
    expected = KDTree(sites.T * SPACING).query(points.T * SPACING)[0]
    np.testing.assert_allclose(np.sqrt(squares[settled]), expected[settled], 1e-13)
    assert (looks[settled] <= num_looks).all()
    assert (looks[~settled] == num_looks + 1).all()
    # All that is left is farther than what was looked at.
    if num_looks == 1000:
        assert (expected[~settled] > search.radius_mm).all()
    assert settled.any() == (num_looks > 0)


def test_more_looks_settle_more(rng):
    sites = rng.integers(0, 40, (3, 60))
    points = rng.integers(0, 40, (3, 400))
    search = ColumnSearch(sites, points, (1, 1, 1))
    counts = [
        np.isfinite(search.settle(points, n)[0]).sum() for n in (0, 1, 9, 60, 250)
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1]


def test_blocks_do_not_matter(rng, monkeypatch):
    sites, points = rng.integers(0, 30, (3, 50)), rng.integers(0, 30, (3, 300))
    search = ColumnSearch(sites, points, (1, 1, 1))
    expected = search.settle(points, 50)
    monkeypatch.setattr('mmmed.functional.column_search._BLOCK', 7)
    found = search.settle(points, 50)
    assert (found[0] == expected[0]).all()
