"""Activation maps of a known gradient, blocks that cover an image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional.saliency import (
    compute_grad_cam,
    enlarge_map,
    list_blocks,
    spread_blocks,
)


def test_grad_cam_of_an_analytic_network(rng):
    # logit = sum_c w_c * mean(maps_c): each gradient is w_c / V everywhere.
    maps = torch.tensor(rng.normal(size=(3, 2, 4, 5)), requires_grad=True)
    weights = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    logit = (weights * maps.flatten(1).mean(1)).sum()
    (gradients,) = torch.autograd.grad(logit, maps)
    expected = torch.relu((weights[:, None, None, None] * maps).sum(0) / 40)
    torch.testing.assert_close(compute_grad_cam(maps, gradients), expected)
    assert expected.min() == 0 < expected.max()


def test_grad_cam_refuses_other_shapes():
    with pytest.raises(ValueError, match='expected one shape'):
        compute_grad_cam(torch.zeros(2, 3), torch.zeros(3, 2))


def test_enlarged_ramp_is_a_ramp():
    # Between the centers of the outer voxels; a single slice stays as it is.
    ramp = np.array([0, 1, 2, 3], np.float32).reshape(1, 1, 4)
    large = enlarge_map(ramp, (2, 3, 8))
    assert large.shape == (2, 3, 8)
    np.testing.assert_allclose(large[1, 2, 1:-1], np.arange(6) * 0.5 + 0.25)
    np.testing.assert_array_equal(large[0], large[1])


@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.integers(1, 5)] * 3),
    st.data(),
)
def test_blocks_cover_everything(shape, size, data):
    stride = tuple(data.draw(st.integers(1, n)) for n in size)
    blocks = list_blocks(shape, size, stride)
    assert len(set(blocks)) == len(blocks)
    image = spread_blocks(np.full(len(blocks), 2.5), blocks, shape)
    np.testing.assert_array_equal(image, np.full(shape, 2.5, np.float32))


def test_overlapping_blocks_are_averaged():
    blocks = list_blocks((1, 1, 5), (1, 1, 3), (1, 1, 2))
    assert blocks == [((0, 1), (0, 1), (0, 3)), ((0, 1), (0, 1), (2, 5))]
    image = spread_blocks(np.array([1.0, 4.0]), blocks, (1, 1, 5))
    assert image[0, 0].tolist() == [1, 1, 2.5, 4, 4]


def test_gaps_are_refused():
    with pytest.raises(ValueError, match='leave gaps'):
        list_blocks((4, 4, 4), (1, 2, 2), (1, 3, 2))
