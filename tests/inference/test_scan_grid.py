"""Scans as the network sees them: turned, resampled, windowed."""

import dataclasses
import itertools

import numpy as np
import pytest

from mmmed.inference.intensity import Intensity
from mmmed.inference.scan_grid import ScanGrid
from mmmed.structures import Volume, VolumeSource

ORIENTATIONS = ['SAR', 'SPL', 'LAS', 'PSR', 'RIA', 'ALI']


@pytest.mark.parametrize('letters', ORIENTATIONS)
@pytest.mark.parametrize('tilt_deg', [0.0, 17.0])
def test_planes_are_those_of_the_turned_volume(
    letters, tilt_deg, make_volume, recipe2d, rng
) -> None:
    volume = make_volume(rng.normal(size=(4, 5, 6)).astype('f4'), letters, tilt_deg)
    grid = ScanGrid(volume, recipe2d)
    expected = volume.reorient('SPL').array
    assert grid.shape == expected.shape
    planes = [grid.read_plane(z)[0] for z in range(grid.shape[0])]
    assert np.array_equal(np.stack(planes), expected)


@pytest.mark.parametrize('letters', ORIENTATIONS)
def test_writing_into_the_view_writes_the_mask_in_place(
    letters, make_volume, recipe2d
) -> None:
    array = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    volume = make_volume(array, letters)
    grid = ScanGrid(volume, recipe2d)
    copy = np.zeros(volume.shape, dtype=np.float32)
    view = grid.turn(copy)
    for z in range(grid.shape[0]):
        view[z] = grid.read_plane(z)[0]
    assert np.array_equal(copy, array)


@pytest.mark.parametrize('letters', ['SAR', 'LAS', 'PSR'])
@pytest.mark.parametrize('spacing', [(1.1, 2.0, 0.9), (6.0, 0.5, 1.25)])
def test_resampled_planes_are_those_of_the_resampled_volume(
    letters, spacing, make_volume, recipe3d, rng
) -> None:
    volume = make_volume(rng.normal(size=(9, 11, 7)).astype('f4'), letters, 11.0)
    recipe = dataclasses.replace(recipe3d, spacing=spacing)
    grid = ScanGrid(volume, recipe)
    expected = volume.reorient('SAR').resample(spacing).array
    assert grid.shape == expected.shape
    planes = np.stack([grid.read_plane(z)[0] for z in range(grid.shape[0])])
    np.testing.assert_allclose(planes, expected, atol=2e-6)


def test_positions_lead_back_to_the_voxels(make_volume, recipe3d) -> None:
    """A ramp in millimetres has the same value at either place."""
    for axis, letters in itertools.product(range(3), ('SAR', 'PSR')):
        index = np.arange(12, dtype=np.float32)
        shape = [1, 1, 1]
        shape[axis] = 12
        ramp = np.broadcast_to(index.reshape(shape), (12, 12, 12))
        volume = make_volume(np.ascontiguousarray(ramp), 'SAR').reorient(letters)
        recipe = dataclasses.replace(recipe3d, spacing=(2.2, 0.9, 1.0))
        grid = ScanGrid(volume, recipe)
        assert grid.is_resampled
        resampled = np.stack([grid.read_plane(z)[0] for z in range(grid.shape[0])])
        line = np.moveaxis(resampled, axis, 0)[:, 5, 5]
        back = np.interp(grid.find_positions()[axis], np.arange(grid.shape[axis]), line)
        np.testing.assert_allclose(back[1:-1], index[1:-1], atol=1e-4)


def test_the_same_spacing_is_no_resampling(make_volume, recipe3d) -> None:
    volume = make_volume(np.zeros((4, 5, 6), 'f4'), 'PSR', 20.0)
    # (3.0, 0.75, 1.25) towards P, S, R is (0.75, 3.0, 1.25) towards S, A, R.
    recipe = dataclasses.replace(recipe3d, spacing=(0.75, 3.0, 1.25))
    grid = ScanGrid(volume, recipe)
    assert not grid.is_resampled
    assert grid.shape == grid.turned_shape == (5, 4, 6)
    assert [len(p) for p in grid.find_positions()] == [5, 4, 6]


HU = Intensity('window', windows_hu=((40, 120),))


def test_bytes_are_no_hounsfield_units(make_volume, recipe2d) -> None:
    recipe = dataclasses.replace(recipe2d, intensity=HU)
    with pytest.raises(ValueError, match='expected HU'):
        ScanGrid(make_volume(np.zeros((2, 3, 4), np.uint8)), recipe)


def test_values_without_air_are_told(make_volume, recipe2d) -> None:
    recipe = dataclasses.replace(recipe2d, intensity=HU)
    scan = np.full((2, 3, 4), 1064, np.int16)  # intercept not applied
    assert 'below 0' in ScanGrid(make_volume(scan), recipe).notes[0]
    assert ScanGrid(make_volume(scan - 1064), recipe).notes != []
    assert ScanGrid(make_volume(scan - 2000), recipe).notes == []


def make_picture(array: np.ndarray) -> Volume:
    source = VolumeSource('a.png', 'image', array.dtype)
    return Volume(array, (1.0, 1.0, 1.0), None, source)


def test_a_picture_is_neither_turned_nor_windowed(recipe2d, rng) -> None:
    recipe = dataclasses.replace(recipe2d, intensity=HU)
    array = rng.integers(0, 256, (1, 5, 7), dtype=np.uint8)
    for stored in (array, np.stack([array] * 3)):  # grey, and grey stored as colour
        grid = ScanGrid(make_picture(stored), recipe)
        assert np.array_equal(grid.read_plane(0), array)
        assert 'taken as they are' in grid.notes[0]
    with pytest.raises(ValueError, match='uint16'):
        ScanGrid(make_picture(array.astype(np.uint16)), recipe)


def test_two_windows_of_a_picture_are_red_and_green(recipe2d, rng) -> None:
    rule = Intensity('window', windows_hu=((40, 120), (700, 3200)))
    recipe = dataclasses.replace(recipe2d, intensity=rule, in_channels=2)
    stored = rng.integers(0, 256, (3, 1, 5, 7), dtype=np.uint8)
    with pytest.raises(ValueError, match='3 channels'):
        ScanGrid(make_picture(stored), recipe)
    stored[2] = 0
    grid = ScanGrid(make_picture(stored), recipe)
    assert np.array_equal(grid.read_plane(0), stored[:2, 0])


def test_number_of_channels_is_checked(make_volume, recipe2d) -> None:
    time_points = make_volume(np.zeros((4, 2, 3, 4), 'f4'))
    with pytest.raises(ValueError, match='4 channels, the network takes 1'):
        ScanGrid(time_points, recipe2d)
    recipe = dataclasses.replace(recipe2d, in_channels=12, neighbors=1)
    assert ScanGrid(time_points, recipe).read_plane(0).shape == (4, 3, 4)
