"""Nearest sites: every method against a k-d tree and SciPy's distance transform."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from mmmed.functional import nearest_sites
from mmmed.functional.nearest_sites import compute_nearest_distances

# Costs that leave one method the cheapest.
METHODS = {
    'plan': {},
    'plan small': {'_SMALL': 0},
    'tree': {'_SMALL': math.inf},
    'columns, then tree': {'_SMALL': 0, '_LOOK': 0, '_AXES_CELL': 1e12},
    'columns, then axes': {'_SMALL': 0, '_LOOK': 0, '_TREE_SITE': 1e12},
    'axes': {'_SMALL': 0, '_LOOK': 1e12, '_TREE_SITE': 1e15},
}


@pytest.fixture(params=METHODS)
def method(request, monkeypatch):
    for name, cost in METHODS[request.param].items():
        monkeypatch.setattr(nearest_sites, name, cost)
    return request.param


def measure_by_tree(points, sites, spacing):
    scale = np.asarray(spacing)
    return KDTree(sites.T * scale).query(points.T * scale)[0]


@pytest.mark.parametrize('seed', range(40))
def test_every_method_is_exact(method, seed):
    rng = np.random.default_rng(seed)
    axes = 2 + seed % 2
    shape = rng.integers(1, 30, (axes, 1))
    points = rng.integers(0, shape, (axes, rng.integers(1, 80)))
    sites = rng.integers(0, shape, (axes, rng.integers(1, 80)))
    sites += rng.integers(-40, 40, (axes, 1)) * (seed % 3 == 0)
    spacing = tuple(10 ** rng.uniform(-1, 1, axes)) if seed % 4 else (1.0,) * axes
    found = compute_nearest_distances(points, sites, spacing)
    np.testing.assert_allclose(found, measure_by_tree(points, sites, spacing), 1e-12)


@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (5.0, 0.7, 0.9), (0.1, 3.0, 1.0)])
def test_equals_the_distance_transform(method, spacing, rng):
    is_site = rng.random((17, 25, 31)) < 0.002
    expected = distance_transform_edt(~is_site, sampling=spacing)
    points = np.stack(np.nonzero(rng.random(is_site.shape) < 0.3))
    found = compute_nearest_distances(points, np.stack(np.nonzero(is_site)), spacing)
    np.testing.assert_allclose(found, expected[tuple(points)], rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=1, max_size=12),
    st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=1, max_size=12),
    st.tuples(*[st.sampled_from([0.01, 0.5, 1.0, 3.0, 100.0])] * 3),
)
def test_plan_is_exact_for_any_few(points, sites, spacing):
    one, other = np.array(points).T, np.array(sites).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_sites, '_SMALL', 0)
        found = compute_nearest_distances(one, other, spacing)
    np.testing.assert_allclose(found, measure_by_tree(one, other, spacing), 1e-12)


def test_by_hand(method):
    points = np.array([[0, 3, 0], [0, 0, 4], [0, 0, 0]])
    sites = np.array([[0], [0], [0]])
    found = compute_nearest_distances(points, sites, (2.0, 0.5, 1.0))
    assert found.tolist() == [0.0, 6.0, 2.0]


def test_long_columns_are_exact(method):
    # Depths beyond 255 do not fit the map of columns.
    points = np.array([[0, 254, 255, 256, 700, 1000], [0] * 6, [0] * 6])
    sites = np.array([[0, 900], [0, 0], [0, 3]])
    expected = [0, 254, 255, 256, math.hypot(200, 3), math.hypot(100, 3)]
    assert compute_nearest_distances(points, sites, (1, 1, 1)).tolist() == expected


def test_images_too_long_for_the_axes_method(method):
    points, sites = np.array([[0, 40_000], [0, 0]]), np.array([[0, 70_000], [2, 0]])
    found = compute_nearest_distances(points, sites, (1.0, 0.5))
    assert found.tolist() == [1.0, 30_000.0]


def test_nothing_near_and_nothing_asked():
    nothing, one = np.empty((3, 0), np.int64), np.zeros((3, 1), np.int64)
    assert compute_nearest_distances(one, nothing, (1, 1, 1)).tolist() == [math.inf]
    assert compute_nearest_distances(nothing, one, (1, 1, 1)).tolist() == []


def test_far_and_many_goes_along_the_axes(monkeypatch):
    used = []
    by_axes = nearest_sites.find_steps_by_axes
    monkeypatch.setattr(
        nearest_sites,
        'find_steps_by_axes',
        lambda points, *rest: used.append(points.shape[1]) or by_axes(points, *rest),
    )
    plane = np.stack(np.mgrid[:1, :150, :150]).reshape(3, -1)
    far, near = (plane + np.array([[z], [0], [0]]) for z in (60, 2))
    assert (compute_nearest_distances(plane, far, (1, 1, 1)) == 60).all()
    assert used == [150 * 150]
    assert (compute_nearest_distances(plane, near, (1, 1, 1)) == 2).all()
    assert len(used) == 1
