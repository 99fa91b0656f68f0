"""Nearest sites axis by axis, by hand and against a k-d tree."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from mmmed.functional import lower_envelope
from mmmed.functional.lower_envelope import find_steps_by_axes, measure_columns


def test_depths_of_columns_by_hand():
    depths = measure_columns(np.array([[0, 4, 2], [0, 0, 2], [0, 0, 1]]))
    assert depths.shape == (5, 3, 2)
    assert depths[:, 0, 0].tolist() == [0, 1, 2, 1, 0]
    assert depths[:, 2, 1].tolist() == [2, 1, 0, 1, 2]
    assert (depths[:, 1] >= lower_envelope.MAX_EXTENT).all()


def test_steps_by_hand():
    # The site in the same row is 4 mm away, the one across 3.
    points = np.array([[0], [0], [0]])
    sites = np.array([[0, 1, 9], [0, 0, 9], [4, 0, 9]])
    assert find_steps_by_axes(points, sites, (3, 1, 1)).tolist() == [[1], [0], [0]]
    assert find_steps_by_axes(points, sites, (5, 1, 1)).tolist() == [[0], [0], [4]]


@pytest.mark.parametrize('lines', [1, 40, 1 << 14])
@pytest.mark.parametrize('seed', range(12))
def test_equals_a_tree(seed, lines, monkeypatch):
    monkeypatch.setattr(lower_envelope, '_LINES', lines)
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 25, (3, 1))
    points = rng.integers(-20, shape + 20, (3, 200))
    sites = rng.integers(0, shape, (3, rng.integers(1, 200))) + rng.integers(
        -9, 9, (3, 1)
    )
    spacing = 10 ** rng.uniform(-1, 1, 3)
    steps = find_steps_by_axes(points, sites, spacing)
    expected = KDTree(sites.T * spacing).query(points.T * spacing)[0]
    found = np.linalg.norm(steps.T * spacing, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
