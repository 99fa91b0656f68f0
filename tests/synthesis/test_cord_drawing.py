import dataclasses
import json

import numpy as np
import pytest

from mmmed.synthesis import (
    CordLesionRecipe,
    draw_cord_lesions,
    measure_cord,
    plan_cord_lesions,
)
from mmmed.synthesis.cord_drawing import build_rotation, count_voxels

SHAPE, SPACING = (60, 24, 26), (0.8, 0.8, 0.7)


@pytest.fixture(scope='module')
def geometry():
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    mask = ((y - 11) / 5) ** 2 + ((x - 12) / 8) ** 2 <= 1
    return measure_cord(mask & (z >= 0), np.full(SHAPE, 300.0), SPACING)


def draw(geometry, seed=0, sequence='T2w', **options):
    rng = np.random.default_rng(seed)
    return plan_cord_lesions(geometry, sequence, rng, **options)


def test_a_share_of_cases_is_free_of_lesions(geometry):
    plans = [draw(geometry, seed) for seed in range(400)]
    free = sum(plan.outcome == 'lesion-free' for plan in plans)
    assert abs(free / 400 - 0.4) < 3 * np.sqrt(0.24 / 400)
    counts = np.bincount([len(p.lesions) for p in plans if p.lesions], minlength=4)
    assert counts[0] == 0
    assert (counts[1:] > 50).all()


@pytest.mark.parametrize(
    ('sequence', 'low', 'high'),
    [('T2w', 1.15, 2.0), ('T1w', 0.6, 0.95), ('T2starw', 1.1, 1.6)],
)
def test_sizes_and_ratios_lie_in_their_ranges(geometry, sequence, low, high):
    recipe = CordLesionRecipe(negative=0)
    lesions = [
        one
        for s in range(60)
        for one in draw(geometry, s, sequence, recipe=recipe).lesions
    ]
    ratios = np.array([one.ratio for one in lesions])
    radii = np.array([one.radii_mm for one in lesions])
    assert low <= ratios.min() < low + 0.2 * (high - low)
    assert high >= ratios.max() > high - 0.2 * (high - low)
    assert 2 <= radii[:, 0].min() < 3
    assert 14 < radii[:, 0].max() <= 20
    assert 0.5 <= radii[:, 1:].min() < 0.8
    assert 2.5 < radii[:, 1:].max() <= 3
    assert {one.cord_grey for one in lesions} == {300.0}


def test_the_same_seed_draws_the_same_records_as_json(geometry):
    first, second = (
        draw_cord_lesions(geometry, 'T2w', np.random.default_rng(0)) for _ in range(2)
    )
    assert first
    assert first == second
    json.dumps([one.to_json() for one in first])


def test_the_first_lesion_is_on_the_slice_in_focus(geometry):
    recipe = CordLesionRecipe(negative=0)
    for seed in range(10):
        lesions = draw(geometry, seed, recipe=recipe, focus=('sagittal', 9)).lesions
        assert round(lesions[0].center_mm[2] / SPACING[2]) == 9


def test_no_voxel_is_thicker_than_a_lesion():
    thick = (5.0, 0.8, 3.3)
    cord = np.ones((8, 9, 7), bool)
    geometry = measure_cord(cord, np.ones(cord.shape), thick)
    recipe = CordLesionRecipe(negative=0)
    for seed in range(20):
        for one in draw(geometry, seed, recipe=recipe).lesions:
            assert (np.array(one.radii_mm) >= 0.6 * np.array(thick) - 1e-9).all()


def test_why_there_are_none(geometry):
    nothing = np.zeros((4, 5, 6), bool)
    empty = measure_cord(nothing, np.ones(nothing.shape), SPACING)
    black = measure_cord(~nothing, np.zeros(nothing.shape), SPACING)
    assert draw(empty).outcome == 'no cord'
    assert draw(black).outcome == 'no signal'
    unknown = measure_cord(~nothing, np.full(nothing.shape, np.nan), SPACING)
    assert draw(unknown).outcome == 'no signal'
    assert draw(geometry, sequence=None).outcome == 'no sequence'
    assert draw(geometry, sequence='other').lesions == ()


def test_rotations_are_orthonormal_and_begin_along_the_cord():
    direction = np.array([0.9, -0.4, 0.2]) / np.linalg.norm([0.9, -0.4, 0.2])
    matrix = np.array(build_rotation(direction, 0.6)).reshape(3, 3)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrix[0], direction)
    upright = np.array(build_rotation(np.array([1.0, 0, 0]), 0.0)).reshape(3, 3)
    np.testing.assert_allclose(np.abs(upright), np.eye(3), atol=1e-12)


def test_counted_records_know_their_size(geometry):
    lesions = draw(geometry, 0).lesions
    counted = count_voxels(lesions, range(5, 5 + len(lesions)), 0.5)
    assert counted[0].volume_mm3 == 2.5
    assert dataclasses.replace(counted[0], voxels=None, volume_mm3=None) == lesions[0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'negative': 1.2}, 'probability'),
        ({'count': (0, 2)}, 'count'),
        ({'across_mm': (3, 1)}, 'across_mm'),
        ({'ratios': {'flair': (1, 2)}}, 'flair'),
        ({'ratios': {'T2w': (0, 2)}}, 'ratio of T2w'),
    ],
)
def test_wrong_recipes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CordLesionRecipe(**options)
