"""2-D networks: batches, neighbours, windows of slices."""

import dataclasses

import numpy as np
import pytest
import torch

from mmmed.functional.planes import PLANES, extract_slice
from mmmed.inference.adaptive_batch import AdaptiveBatch
from mmmed.inference.members import Member
from mmmed.inference.recipe import PICTURE_PLANES, VOLUME_PLANES
from mmmed.inference.scan_grid import ScanGrid
from mmmed.inference.slice_prediction import predict_logits, predict_slices


def collect(volume, member, memory=1 << 30, batch=4):
    grid = ScanGrid(volume, member.recipe)
    shrinking = AdaptiveBatch(batch, lambda _: None)
    planes = list(predict_slices(grid, member, shrinking, memory_bytes=memory))
    assert [plane.index for plane in planes] == list(range(grid.shape[0]))
    return torch.stack([plane.prob for plane in planes], dim=1)


@pytest.mark.parametrize('letters', [*PICTURE_PLANES.values(), *VOLUME_PLANES.values()])
def test_slices_are_cut_along_the_plane(letters, make_volume, recipe2d, identity, rng):
    volume = make_volume(rng.normal(size=(3, 4, 5)).astype('f4'), 'LAS', 8.0)
    recipe = dataclasses.replace(recipe2d, orientation=letters)
    found = collect(volume, Member((identity,), recipe))
    expected = torch.from_numpy(volume.reorient(letters).array.copy()).sigmoid()
    torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize('plane', PLANES)
def test_slices_of_volumes_are_those_of_the_stored_array(
    plane, make_volume, recipe2d, identity, rng
) -> None:
    """A prepared volume is SAR, and its slices are neither flipped nor turned."""
    volume = make_volume(rng.normal(size=(3, 4, 5)).astype('f4'), 'LAS')
    recipe = dataclasses.replace(recipe2d, orientation=VOLUME_PLANES[plane])
    found = collect(volume, Member((identity,), recipe))[0].numpy()
    stored = torch.from_numpy(volume.reorient('SAR').array.copy()).sigmoid().numpy()
    for index, values in enumerate(found):
        expected = extract_slice(stored, plane, index)
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_batches_follow_size_and_memory(make_volume, recipe2d, identity) -> None:
    volume = make_volume(np.zeros((10, 8, 8), 'f4'), 'SPL')
    collect(volume, Member((identity,), recipe2d), batch=4)
    assert [shape[0] for shape in identity.shapes] == [4, 4, 2]
    identity.shapes.clear()
    collect(volume, Member((identity,), recipe2d), memory=2 * 4 * 4 * 64)
    assert [shape[0] for shape in identity.shapes] == [2] * 5


@pytest.mark.parametrize(
    ('neighbors', 'expected'),
    [
        (2, [[0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 0], [2, 3, 4, 0, 0]]),
        ((-2, -1, 0, 1), [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 0]]),
        ((0, 9), [[1, 0], [2, 0], [3, 0], [4, 0]]),
        ((1, -1), [[2, 0], [3, 1], [4, 2], [0, 3]]),
    ],
)
def test_neighbours_are_channels_in_their_order_and_nothing_lies_beyond(
    neighbors, expected, make_volume, recipe2d, fake
) -> None:
    scan = np.arange(1, 5, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), 'f4')
    recipe = dataclasses.replace(
        recipe2d, neighbors=neighbors, in_channels=len(expected[0])
    )
    seen = []
    network = fake(lambda x: seen.append(x[:, :, 0, 0]) or x[:, :1])
    collect(make_volume(scan, 'SPL'), Member((network,), recipe), batch=3)
    assert torch.cat(seen).tolist() == expected


def test_neighbours_of_one_channel_stay_together(make_volume, recipe2d, fake) -> None:
    scan = np.zeros((2, 3, 2, 2), 'f4')
    scan[0] = [[[1]], [[2]], [[3]]]
    scan[1] = 10 * scan[0]
    recipe = dataclasses.replace(recipe2d, neighbors=1, in_channels=6)
    seen = []
    network = fake(lambda x: seen.append(x[:, :, 0, 0]) or x[:, :1])
    collect(make_volume(scan, 'SPL'), Member((network,), recipe))
    assert seen[0][1].tolist() == [1, 2, 3, 10, 20, 30]


def test_each_slice_is_read_once_although_neighbours_overlap(
    make_volume, recipe2d, fake, monkeypatch
) -> None:
    reads = []
    original = ScanGrid.read_plane
    monkeypatch.setattr(
        ScanGrid,
        'read_plane',
        lambda self, z: reads.append(z) or original(self, z),
    )
    recipe = dataclasses.replace(recipe2d, neighbors=1, in_channels=3)
    volume = make_volume(np.zeros((6, 2, 2), 'f4'), 'SPL')
    collect(volume, Member((fake(lambda x: x[:, :1]),), recipe), batch=4)
    assert reads == list(range(6))


def test_whole_slices_are_padded_to_the_divisor_and_cut(recipe2d, fake) -> None:
    recipe = dataclasses.replace(recipe2d, size_divisor=8, pad_value=-3.0)
    seen = []
    network = fake(lambda x: seen.append(x) or x)
    inputs = torch.randn(2, 1, 13, 9)
    assert torch.equal(predict_logits(network, inputs, recipe, 4), inputs)
    assert seen[0].shape == (2, 1, 16, 16)
    assert (seen[0][:, :, 13:] == -3).all()


def test_windows_of_slices_cover_them(recipe2d, identity) -> None:
    recipe = dataclasses.replace(recipe2d, crop_size=(8, 6))
    inputs = torch.randn(3, 1, 21, 17)
    found = predict_logits(identity, inputs, recipe, 5)
    torch.testing.assert_close(found, inputs, rtol=1e-5, atol=1e-6)
    assert {shape[1:] for shape in identity.shapes} == {(1, 8, 6)}
    assert max(shape[0] for shape in identity.shapes) == 5
