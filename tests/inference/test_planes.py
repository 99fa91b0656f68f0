"""Streams of planes onto another grid."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mmmed.inference.planes import Interpolation, interpolate_planes


def make_positions(count: int, size: int) -> np.ndarray:
    """Places of ``count`` voxels over ``size`` grid points of the same extent."""
    return np.clip((np.arange(count) + 0.5) * size / count - 0.5, 0, size - 1)


@pytest.mark.parametrize('shape', [(9, 5, 6), (3, 12, 4), (1, 1, 1), (7, 8, 9)])
def test_equals_linear_interpolation_of_the_whole(shape, rng) -> None:
    given = rng.random((2, 5, 7, 6)).astype(np.float32)
    positions = [
        make_positions(n, m) for n, m in zip(shape, given.shape[1:], strict=True)
    ]
    axes = [Interpolation.plan(p) for p in positions]
    stream = ((z, torch.from_numpy(given[:, z].copy())) for z in range(5))
    planes = list(interpolate_planes(stream, *axes))
    assert [index for index, _ in planes] == list(range(shape[0]))
    found = torch.stack([plane for _, plane in planes], dim=1).numpy()
    places = np.meshgrid(*positions, indexing='ij')
    for channel, wanted in zip(found, given, strict=True):
        expected = ndimage.map_coordinates(wanted, places, order=1, mode='nearest')
        np.testing.assert_allclose(channel, expected, atol=1e-6)


def test_on_the_grid_nothing_is_mixed(rng) -> None:
    given = torch.from_numpy(rng.random((3, 4, 5, 6)))
    axes = [Interpolation.plan(np.arange(n) + 1e-9) for n in (4, 5, 6)]
    stream = ((z, given[:, z].clone()) for z in range(4))
    for index, plane in interpolate_planes(stream, *axes):
        assert torch.equal(plane, given[:, index])


def test_two_planes_are_held_at_a_time() -> None:
    """No plane is asked for before it is needed."""
    asked = []

    def give():
        for z in range(4):
            asked.append(z)
            yield z, torch.zeros(1, 2, 2)

    flat = Interpolation.plan(np.arange(2.0))
    along_z = Interpolation.plan(np.array([0.0, 0.5, 1.0, 2.5]))
    latest = [asked[-1] for _ in interpolate_planes(give(), along_z, flat, flat)]
    assert latest == [0, 1, 1, 3]
