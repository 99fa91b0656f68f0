from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from mmmed.synthesis import LesionPrior, find_organ, get_recipe
from mmmed.synthesis.placement import (
    LesionPlacer,
    draw_central_voxel,
    draw_voxel,
    erode_plane,
    measure_depth,
)

RECIPE = replace(get_recipe('full'), avoids_vessels=False)


def test_erosion_agrees_with_scipy(rng):
    plane = rng.random((30, 41)) < 0.97
    structure = np.ones((5, 3), bool)
    np.testing.assert_array_equal(
        erode_plane(plane, (2, 1)), binary_erosion(plane, structure)
    )
    assert not erode_plane(np.ones((3, 9), bool), (2, 1)).any()


def test_central_voxels_keep_the_published_rule(organ_phantom, rng):
    _, mask, spacing = organ_phantom
    organ = find_organ(mask, spacing)
    last = organ.mask.shape[0] - 1
    for _ in range(100):
        z, y, x = draw_central_voxel(rng, organ, (0.3, 0.7), 2.0)
        assert 0.3 * last - 0.5 <= z <= 0.7 * last + 0.5
        assert organ.mask[z, y - 2 : y + 3, x - 1 : x + 2].all()


def test_voxels_are_uniform(rng):
    mask = np.zeros((3, 2, 2), np.uint8)
    mask[0, 0, 0] = mask[2, :, 1] = mask[2, 1, 0] = 1
    organ = find_organ(mask, (1, 1, 1))
    cumulated = np.cumsum(organ.counts)
    drawn = [tuple(draw_voxel(rng, organ, cumulated)) for _ in range(2000)]
    places, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(places, np.argwhere(organ.mask))
    assert abs(counts - 500).max() < 80


def test_depth_agrees_with_the_distance_transform(organ_phantom, rng):
    _, mask, spacing = organ_phantom
    organ = find_organ(mask, spacing)
    expected = distance_transform_edt(np.pad(organ.mask, 1), spacing)[1:-1, 1:-1, 1:-1]
    inside = np.argwhere(organ.mask)
    for voxel in inside[rng.integers(len(inside), size=80)]:
        found = measure_depth(voxel, organ, limit_mm=9.0)
        assert found == pytest.approx(min(9.0, expected[tuple(voxel)]))


def test_lesions_keep_their_distance_and_depth(organ_phantom, rng):
    _, mask, spacing = organ_phantom
    organ = find_organ(mask, spacing)
    placer = LesionPlacer(organ, RECIPE)
    places = [placer.place(rng, 6.0, 7.0) for _ in range(20)]
    centers = np.array([p[0] for p in places if p]) * spacing
    away = np.linalg.norm(centers[:, None] - centers, axis=2)
    away[np.diag_indices(len(away))] = np.inf
    assert len(centers) > 5
    assert away.min() >= 7 + 7 + RECIPE.gap_mm
    distance = distance_transform_edt(np.pad(organ.mask, 1), spacing)[1:-1, 1:-1, 1:-1]
    for center in centers:
        assert distance[tuple(np.round(center / spacing).astype(int))] >= 3


def test_vessels_and_tumor_are_avoided(rng):
    mask = np.ones((30, 30, 40), np.uint8)
    mask[:, :, 28:32] = 2
    organ = find_organ(mask, (1, 1, 1))
    vessels = np.zeros(mask.shape, bool)
    vessels[:, :, :15] = True
    placer = LesionPlacer(organ, replace(RECIPE, can_overlap=True), vessels)
    for _ in range(10):
        voxel, share = placer.place(rng, 3.0, 3.0)
        assert share == 0
        assert 18 <= voxel[2] < 25 or voxel[2] > 34
    vessels[:] = True
    assert placer.place(rng, 3.0, 3.0) is None


def test_attempts_end():
    mask = np.zeros((5, 9, 9), np.uint8)
    mask[2, 4] = 1
    organ = find_organ(mask, (1, 1, 1))
    for placement in ('central', 'depth', 'prior'):
        prior = LesionPrior((1.0,), ((9.0,) * 3,), (tuple(map(tuple, np.eye(3))),))
        recipe = replace(RECIPE, placement=placement)
        placer = LesionPlacer(organ, recipe, None, prior)
        assert placer.place(np.random.default_rng(0), 8.0, 9.0) is None


def test_prior_decides_where(organ_phantom, rng):
    _, mask, spacing = organ_phantom
    organ = find_organ(mask, spacing)
    narrow = tuple(map(tuple, np.eye(3) * 1e-4))
    prior = LesionPrior((1.0,), ((0.5, 0.3, 0.6),), (narrow,))
    recipe = replace(RECIPE, placement='prior', can_overlap=True)
    placer = LesionPlacer(organ, recipe, None, prior)
    places = np.array([placer.place(rng, 3.0, 3.0)[0] for _ in range(50)])
    relative = ((places + 0.5) / organ.mask.shape).mean(axis=0)
    np.testing.assert_allclose(relative, (0.5, 0.3, 0.6), atol=0.02)
