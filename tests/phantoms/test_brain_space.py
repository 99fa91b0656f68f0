import numpy as np
import pytest

from mmmed.phantoms.brain_space import (
    ATLAS_SHAPE,
    find_template,
    load_brain_space,
    make_grid,
)


def test_the_grid_is_that_of_atlas():
    grid = make_grid(1)
    assert grid.shape == ATLAS_SHAPE == (189, 233, 197)
    assert grid.orientation == 'SAR'
    np.testing.assert_array_equal(grid.grid @ [0, 0, 0, 1], [-98, -134, -72, 1])
    np.testing.assert_array_equal(grid.grid @ [1, 2, 3, 1], [-95, -132, -71, 1])
    assert make_grid(10).shape == (19, 23, 20)


def test_the_brain_lies_in_a_head(space):
    assert space.shape == (19, 23, 20)
    assert space.parenchyma.sum() == space.brain.sum()
    shell = (space.head > 0) & ~space.brain
    assert shell.sum() > 0
    assert space.brain[7, 11, 10]
    assert not space.head[0].any()  # the neck was not kept


def test_the_wheel_holds_the_template():
    pytest.importorskip('nilearn')
    path = find_template()
    assert load_brain_space(str(path), 20).brain.sum() * 20**3 == pytest.approx(
        1.9e6, rel=0.1
    )


def test_an_absurd_voxel_size_is_refused(template):
    with pytest.raises(ValueError, match=r'0\.5 to 20'):
        load_brain_space(str(template), 0)
