"""Scans on and off the grid of the training, in any stored orientation."""

import itertools

import numpy as np
import pytest

from mmmed.inference.training_grid import (
    MNI_2009A,
    TrainingGrid,
    check_grid,
    find_training_grid,
)
from mmmed.structures import Volume

SHAPE = (5, 6, 7)
SPACING = (3.0, 0.75, 1.25)


def make_volume(shape=SHAPE, spacing=SPACING, shift=(0.0, 0.0, 0.0), degrees=0.0):
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing
    affine[3, 3] = 1
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [
        [np.cos(angle), -np.sin(angle)],
        [np.sin(angle), np.cos(angle)],
    ]
    affine = turn @ affine
    affine[:3, 3] = np.array([-31.0, 12.5, 7.0]) + shift
    return Volume(np.zeros(shape, np.float32), spacing, affine)


GRID = TrainingGrid.from_volume(make_volume(), 'the tiny grid')


def test_axes_may_be_stored_in_any_order_and_direction():
    for letters in itertools.permutations(('SI', 'AP', 'RL')):
        for choice in itertools.product(*letters):
            check_grid(make_volume().reorient(''.join(choice)), GRID)


@pytest.mark.parametrize(
    ('volume', 'message'),
    [
        (make_volume(shape=(5, 7, 6)), '5x7x6 voxels .* the tiny grid of 5x6x7'),
        (make_volume(shift=(10.0, 0.0, -4.0)), r'shifted by 10\.0, 0\.0, -4\.0 mm'),
        (make_volume(degrees=20.0), r'turned by 20\.0 degrees'),
        (make_volume(spacing=(3.3, 0.75, 1.25)), r'voxels of 3\.3 x 0\.75 x 1\.25 mm'),
    ],
)
def test_other_grids_are_refused_with_the_reason(volume, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_grid(volume, GRID)
    assert '--register' in str(caught.value)


def test_rounded_affines_are_the_same_grid():
    check_grid(make_volume(shift=(0.2, -0.2, 0.1)), GRID)


def test_a_right_shaped_array_without_a_place_is_refused():
    volume = Volume(np.zeros(MNI_2009A.shape, np.uint8), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r'shifted by 98\.0, 134\.0, 72\.0 mm'):
        check_grid(volume, MNI_2009A)


def test_the_grid_is_what_the_data_set_says():
    assert find_training_grid({'grid': GRID.to_dict()}) == GRID
    assert find_training_grid({'dataset': 'atlas'}) is MNI_2009A
    assert find_training_grid({'dataset': 'cranium'}) is None


@pytest.mark.parametrize(
    'grid',
    [
        {'shape': [1, 2]},
        'mni',
        {'shape': [1, 2], 'affine': np.eye(4).tolist()},
        {'shape': [1, 2, 3], 'affine': [[1]]},
    ],
)
def test_a_grid_that_is_none_is_refused(grid):
    with pytest.raises(ValueError, match='grid'):
        find_training_grid({'grid': grid})
