import numpy as np
import pytest

from mmmed.phantoms.abdomen_grid import make_body_grid
from mmmed.phantoms.vessel_tree import VesselTree, draw_vessels, grow_vessel_tree


def test_a_tree_reaches_every_target_and_obeys_murray():
    rng = np.random.default_rng(0)
    root = np.array([50.0, 0.0, 0.0])
    targets = rng.uniform(10, 90, (40, 3))
    tree = grow_vessel_tree(rng, root, targets, 6.0)
    for target in targets:
        assert np.linalg.norm(tree.ends - target, axis=1).min() < 1e-6
    assert tree.radii_mm.max() <= 6
    # Branches that leave the root share its cross-section.
    stems = np.all(tree.starts == root, axis=1)
    assert (tree.radii_mm[stems] ** 3).sum() == pytest.approx(6**3, rel=1e-6)


def test_a_segment_is_a_cylinder_with_round_ends():
    grid = make_body_grid((2.0, 1.0, 1.5), (60, 40, 90))
    start, end = np.array([[30.0, 0, -30]]), np.array([[30.0, 0, 30]])
    share = draw_vessels(grid, VesselTree(start, end, np.array([6.0])))
    volume = share.sum() * 3.0
    assert volume == pytest.approx(np.pi * 36 * 60 + 4 / 3 * np.pi * 216, rel=0.03)


def test_a_vessel_thinner_than_a_voxel_fades():
    grid = make_body_grid((4.0, 4.0, 4.0), (40, 40, 80))
    start, end = np.array([[20.0, 2, -20]]), np.array([[20.0, 2, 20]])
    share = draw_vessels(grid, VesselTree(start, end, np.array([0.8])))
    assert 0 < share.max() < 0.5
