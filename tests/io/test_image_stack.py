import numpy as np
import pytest

from mmmed.io import read_volume, write_image, write_volume
from mmmed.structures import Volume


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_a_picture_is_one_slice_without_geometry(tmp_path, rng, dtype):
    array = rng.integers(0, np.iinfo(dtype).max, (5, 7)).astype(dtype)
    write_image(tmp_path / 'x.png', array)
    volume = read_volume(tmp_path / 'x.png')
    np.testing.assert_array_equal(volume.array, array[None])
    assert volume.spacing == (1, 1, 1)
    assert 'voxels of 1 mm and RAS axes are assumed' in volume.source.notes[0]
    write_volume(volume, tmp_path / 'y.png')
    assert (tmp_path / 'y.png').read_bytes() == (tmp_path / 'x.png').read_bytes()


def test_colours_are_channels(tmp_path, rng):
    array = rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)
    write_image(tmp_path / 'x.png', array)
    volume = read_volume(tmp_path / 'x.png')
    assert volume.array.shape == (3, 1, 5, 7)
    np.testing.assert_array_equal(volume.array[2, 0], array[..., 2])
    write_volume(volume, tmp_path / 'y.tif')
    np.testing.assert_array_equal(read_volume(tmp_path / 'y.tif').array, volume.array)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int32, np.float32])
def test_pages_of_a_tiff_are_slices(tmp_path, rng, dtype):
    array = rng.integers(0, 200, (4, 5, 7)).astype(dtype)
    write_volume(Volume(array, (3, 2, 1)), tmp_path / 'x.tiff')
    again = read_volume(tmp_path / 'x.tiff')
    np.testing.assert_array_equal(again.array, array)
    assert again.array.dtype == dtype


def test_a_jpeg_is_near_to_its_source(tmp_path):
    array = np.repeat(np.arange(0, 240, 8, dtype=np.uint8)[None, :, None], 30, axis=2)
    write_volume(Volume(array, (1, 1, 1)), tmp_path / 'x.jpg')
    again = read_volume(tmp_path / 'x.jpg').array.astype(int)
    assert np.abs(again - array).max() <= 4


@pytest.mark.parametrize(
    ('name', 'array', 'reason'),
    [
        ('x.png', np.zeros((2, 3, 4), np.uint8), 'a picture holds one'),
        ('x.png', np.zeros((1, 3, 4), np.float32), 'expected'),
        ('x.jpg', np.zeros((1, 3, 4), np.uint16), 'cannot write uint16'),
        ('x.tif', np.zeros((2, 3, 4), np.int16), 'cannot store int16'),
    ],
)
def test_what_a_picture_cannot_hold_is_refused(tmp_path, name, array, reason):
    with pytest.raises(ValueError, match=rf'{name}: .*{reason}'):
        write_volume(Volume(array, (1, 1, 1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['x.png', 'x.jpg', 'x.tif'])
def test_what_is_no_picture_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b'no picture' * 20)
    with pytest.raises(ValueError, match=rf'{name}: '):
        read_volume(tmp_path / name)
