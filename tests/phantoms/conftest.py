"""A small head-like template, so that stroke phantoms need no download."""

import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.phantoms.brain_space import load_brain_space, make_grid
from mmmed.structures import Volume


@pytest.fixture(scope='session')
def template(tmp_path_factory):
    """An ellipsoid of white matter with a grey rind, on the grid at 10 mm."""
    grid = make_grid(10)
    index = np.indices(grid.shape).reshape(3, -1)
    place = grid.grid @ np.vstack([index, np.ones(index.shape[1])])
    x, y, z = place[:3].reshape(3, *grid.shape)
    away = np.sqrt((x / 68) ** 2 + ((y + 18) / 85) ** 2 + ((z - 8) / 68) ** 2)
    values = np.select([away < 0.8, away < 1], [212, 158], 0).astype(np.uint8)
    path = tmp_path_factory.mktemp('template') / 't1.nii.gz'
    write_volume(Volume(values, grid.spacing, grid.affine), path)
    return path


@pytest.fixture(scope='session')
def space(template):
    return load_brain_space(str(template), 10)
