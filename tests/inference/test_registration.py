"""A moved head is brought back, and the answer returns to where it came from."""

import numpy as np
import pytest
from scipy import ndimage

from mmmed.functional.overlap import compute_dice
from mmmed.inference.registration import read_template, register_affine
from mmmed.inference.training_grid import TrainingGrid
from mmmed.io import write_volume
from mmmed.structures import Volume

pytest.importorskip('SimpleITK')

SHAPE = (34, 44, 38)
SPACING = (4.0, 4.0, 4.0)


def make_head():
    """An ellipsoid with ventricles, a bright rim and an asymmetric blob."""
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing='ij')

    def ball(center, radii):
        return (
            sum(
                ((a - c) / r) ** 2
                for a, c, r in zip((z, y, x), center, radii, strict=True)
            )
            < 1
        )

    head = 100.0 * ball((0, 0, 0), (13, 18, 15))
    head[ball((0, 0, 0), (11, 16, 13))] = 60.0
    head[ball((2, -3, 3), (3, 6, 2))] = 10.0
    head[ball((2, -3, -3), (3, 6, 2))] = 10.0
    head[ball((-4, 8, 5), (3, 3, 3))] = 140.0
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = SPACING
    affine[:, 3] = [-70.0, -90.0, -60.0, 1.0]
    blurred = ndimage.gaussian_filter(head, 0.7).astype(np.float32)
    return Volume(blurred, SPACING, affine)


def make_motion():
    """RAS+ to RAS+: 12 degrees about z, 8 about x, 5 % larger, 18 mm away."""
    a, b = np.deg2rad(12.0), np.deg2rad(-8.0)
    turn_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    turn_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    motion = np.eye(4)
    motion[:3, :3] = 1.05 * np.array(turn_z) @ np.array(turn_x)
    motion[:3, 3] = [18.0, -10.0, 12.0]
    return motion


def move(volume, motion, letters='PIR'):
    """The same voxels somewhere else in space, stored in another order."""
    moved = motion @ volume.grid
    spacing = tuple(np.linalg.norm(moved[:3, :3], axis=0))
    return Volume(volume.array, spacing, moved).reorient(letters)


@pytest.fixture(scope='module')
def registered():
    template = make_head()
    grid = TrainingGrid.from_volume(template)
    scan = move(template, make_motion())
    return template, scan, register_affine(scan, template, grid)


def test_the_motion_is_found(registered):
    template, _, registration = registered
    corners = np.array([[4, 6, 5, 1], [30, 6, 5, 1], [4, 38, 33, 1], [30, 38, 5, 1]])
    points = corners @ template.grid.T
    error = points @ (registration.matrix - make_motion()).T
    assert np.linalg.norm(error[:, :3], axis=1).max() < SPACING[0] / 2


def test_a_moved_head_lies_on_the_template_again(registered):
    template, scan, registration = registered
    brought = registration.bring(scan)
    assert brought.shape == template.shape
    assert compute_dice(brought.array > 30, template.array > 30) > 0.97


def test_a_mask_returns_to_the_grid_of_the_scan(registered):
    template, scan, registration = registered
    lesion = (template.array > 110).astype(np.float32)
    back = registration.take_back(lesion, scan)
    assert back.shape == scan.shape
    truth = move(template, make_motion()).array > 110
    assert compute_dice(back >= 0.5, truth) > 0.85


def test_the_same_scan_gives_the_same_bits(registered):
    template, scan, first = registered
    again = register_affine(scan, template, first.grid)
    assert np.array_equal(again.matrix, first.matrix)
    assert again.metric == first.metric


def test_scans_without_content_are_refused(registered):
    template, scan, registration = registered
    flat = scan.replace_array(np.zeros(scan.shape, np.float32))
    with pytest.raises(ValueError, match='one value everywhere'):
        register_affine(flat, template, registration.grid)
    several = scan.replace_array(np.stack([scan.array] * 2))
    with pytest.raises(ValueError, match='several channels'):
        register_affine(several, template, registration.grid)


def test_a_template_comes_onto_the_grid(tmp_path):
    template = make_head()
    write_volume(template.reorient('IPL'), tmp_path / 't1.nii.gz')
    grid = TrainingGrid.from_volume(template)
    read = read_template(tmp_path / 't1.nii.gz', grid)
    np.testing.assert_allclose(read.array, template.array, atol=1e-3)
    far = np.array(grid.affine)
    far[:3, 3] += 1000.0
    with pytest.raises(ValueError, match='empty on the grid'):
        read_template(tmp_path / 't1.nii.gz', TrainingGrid(grid.shape, far))
