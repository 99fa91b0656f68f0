from dataclasses import replace

import numpy as np
import pytest

from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.stack import SliceStack
from mmmed.structures import Volume


def test_grids_of_another_size_come_back(description):
    values = np.ones((30, 50, 3), np.int16)
    values[10:20, 15:35] = 700
    stack = SliceStack.from_volume(Volume(values, (1.6, 0.8, 4.0)))
    grid = FineGrid(GreyStack(stack), description)
    assert grid.shape == (60, 50)
    assert grid.pixel_mm == pytest.approx((0.8, 0.8))
    assert grid.count_pixels(2.0) == (3, 3)
    box = (16, 48, 8, 40)
    part = grid.take([0, 2], box)
    assert part.shape == (2, 32, 32)
    restored = grid.restore(part / 255, box)
    np.testing.assert_array_equal(
        restored[0, 8:24, 8:40] > 0.5, stack.img[0, 8:24, 8:40] > 1
    )
    assert not restored[:, :7].any()
    coarse = grid.take_coarse([1], 2.0)
    assert coarse.shape == (1, 30, 25)
    np.testing.assert_allclose(coarse[0, 11:19, 9:17], 255)


def test_letterboxed_slices_are_fed_at_the_scale_of_the_training(description):
    values = np.arange(3)[:, None, None] + np.zeros((3, 40, 64), np.int16)
    volume = Volume(values.transpose(1, 2, 0).copy(), (0.5, 0.5, 4.0))
    boxed = replace(description, pixel_mm=None, size=(32, 32))
    grid = FineGrid(GreyStack(SliceStack.from_volume(volume)), boxed)
    assert grid.shape == (20, 32)  # halved by its longer side, no margins
    assert grid.pixel_mm == pytest.approx((1.0, 1.0))
    part = grid.take([0, 2], grid.whole)
    assert part.shape == (2, 20, 32)
    assert grid.restore(part, grid.whole).shape == (2, 40, 64)
    kept = replace(boxed, size=None)
    assert FineGrid(grid.grey, kept).shape == (40, 64)
