import gzip

import nibabel as nib
import numpy as np
import pytest

from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

# x to the left 0.5 mm, y to posterior 0.75 mm, z to superior 5 mm.
AFFINE_XYZ = np.array(
    [[-0.5, 0, 0, 100], [0, -0.75, 0, 90], [0, 0, 5, -40], [0, 0, 0, 1]]
)


def save(path, array_xyz, affine=AFFINE_XYZ, **header):
    image = nib.Nifti1Image(array_xyz, affine)
    for name, value in header.items():
        getattr(image.header, f'set_{name}')(*value)
    nib.save(image, path)
    return path


@pytest.fixture
def array_xyz(rng):
    return rng.integers(-1000, 2000, (5, 4, 3), dtype=np.int16)


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz', 'X.NII'])
def test_axes_spacing_and_affine_are_in_array_order(tmp_path, array_xyz, name):
    volume = read_volume(save(tmp_path / name, array_xyz))
    assert volume.array.dtype == np.int16
    assert volume.shape == (3, 4, 5)
    assert volume.array[2, 1, 4] == array_xyz[4, 1, 2]
    assert volume.spacing == (5, 0.75, 0.5)
    assert volume.orientation == 'SPL'
    np.testing.assert_allclose(volume.affine @ [2, 1, 4, 1], [98, 89.25, -30, 1])


@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz'])
@pytest.mark.parametrize('dtype', [np.uint8, np.int16, np.int32, np.float32, bool])
@pytest.mark.parametrize('shape', [(3, 4, 5), (2, 3, 4, 5)])
def test_a_written_volume_reads_back_equal(tmp_path, rng, suffix, dtype, shape):
    array = rng.integers(0, 2, shape).astype(dtype)
    affine = np.array([[0, 0, -0.5, 1], [0, -0.75, 0, 2], [5, 0, 0, 3], [0, 0, 0, 1]])
    write_volume(Volume(array, (5, 0.75, 0.5), affine), tmp_path / f'x{suffix}')
    again = read_volume(tmp_path / f'x{suffix}')
    assert again.array.dtype == (np.uint8 if dtype is bool else dtype)
    np.testing.assert_array_equal(again.array, array)
    np.testing.assert_allclose(again.affine, affine)
    assert again.spacing == (5, 0.75, 0.5)


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz'])
def test_equal_volumes_give_equal_bytes(tmp_path, name):
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), (3, 2, 1))
    write_volume(volume, tmp_path / 'a' / name)
    write_volume(volume, tmp_path / 'b' / name)
    a, b = ((tmp_path / folder / name).read_bytes() for folder in 'ab')
    assert a == b


def test_scaled_values_become_float32(tmp_path):
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), AFFINE_XYZ)
    stored = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    data = bytearray(image.to_bytes())
    data[352:] = stored.tobytes(order='F')
    header = nib.Nifti1Header(bytes(data[:348]))
    header['scl_slope'], header['scl_inter'] = 2, -1024
    data[:348] = header.binaryblock
    (tmp_path / 'x.nii').write_bytes(data)
    volume = read_volume(tmp_path / 'x.nii')
    assert volume.array.dtype == np.float32
    assert volume.array[4, 3, 2] == 59 * 2 - 1024


def test_big_endian_files_become_native(tmp_path, array_xyz):
    image = nib.Nifti1Image(array_xyz.astype('>i2'), AFFINE_XYZ)
    image = nib.Nifti1Image(array_xyz, AFFINE_XYZ, image.header.as_byteswapped('>'))
    nib.save(image, tmp_path / 'x.nii')
    volume = read_volume(tmp_path / 'x.nii')
    assert volume.array.dtype.isnative
    assert volume.array[2, 1, 4] == array_xyz[4, 1, 2]


def test_a_read_volume_does_not_follow_its_file(tmp_path, array_xyz):
    path = save(tmp_path / 'x.nii', array_xyz)
    volume = read_volume(path)
    path.write_bytes(b'')
    assert volume.array[2, 1, 4] == array_xyz[4, 1, 2]


def test_a_fourth_axis_of_one_is_dropped(tmp_path, array_xyz):
    path = save(tmp_path / 'x.nii', array_xyz[..., None])
    assert read_volume(path).array.shape == (3, 4, 5)


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz'])
@pytest.mark.parametrize('kept', [0, 3, 100, 360, 400])
def test_a_truncated_file_gives_one_error_that_names_it(tmp_path, rng, name, kept):
    save(tmp_path / name, rng.integers(-999, 999, (9, 9, 9), np.int16))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:kept])
    with pytest.raises(ValueError, match=r'x\.nii.*: not a readable NIfTI'):
        read_volume(tmp_path / name)


def test_a_damaged_gzip_stream_is_named(tmp_path, rng):
    save(tmp_path / 'x.nii.gz', rng.integers(-999, 999, (9, 9, 9), np.int16))
    data = bytearray((tmp_path / 'x.nii.gz').read_bytes())
    data[600] ^= 0xFF
    (tmp_path / 'x.nii.gz').write_bytes(data)
    with pytest.raises(ValueError, match=r'x\.nii\.gz: not a readable'):
        read_volume(tmp_path / 'x.nii.gz')


def test_data_beyond_the_header_is_refused(tmp_path, array_xyz):
    data = save(tmp_path / 'x.nii', array_xyz).read_bytes()
    (tmp_path / 'x.nii.gz').write_bytes(gzip.compress(data + bytes(100_000)))
    with pytest.raises(ValueError, match='more data than its header promises'):
        read_volume(tmp_path / 'x.nii.gz')


def test_a_header_that_promises_too_much_is_refused(tmp_path, array_xyz):
    path = save(tmp_path / 'x.nii', array_xyz)
    header = nib.Nifti1Header(path.read_bytes()[:348])
    header['dim'][:4] = [3, 30000, 30000, 30000]
    data = header.binaryblock + path.read_bytes()[348:]
    with gzip.open(tmp_path / 'bomb.nii.gz', 'wb') as stream:
        stream.write(data)
    with pytest.raises(ValueError, match=r'bomb\.nii\.gz.*cannot hold'):
        read_volume(tmp_path / 'bomb.nii.gz')


def test_a_five_axis_file_is_refused(tmp_path):
    save(tmp_path / 'x.nii', np.zeros((2, 2, 2, 2, 3), np.int16))
    with pytest.raises(ValueError, match='three or four axes'):
        read_volume(tmp_path / 'x.nii')


def test_complex_values_are_refused(tmp_path):
    save(tmp_path / 'x.nii', np.zeros((2, 2, 2), np.complex64))
    with pytest.raises(ValueError, match='real numbers'):
        read_volume(tmp_path / 'x.nii')


def test_a_file_in_metres_is_refused(tmp_path, array_xyz):
    save(tmp_path / 'x.nii', array_xyz, xyzt_units=('meter',))
    with pytest.raises(ValueError, match='in meter, expected mm'):
        read_volume(tmp_path / 'x.nii')


def test_another_format_behind_the_suffix_is_named(tmp_path):
    (tmp_path / 'x.nii').write_bytes(b'patient;slice\n' * 100)
    with pytest.raises(ValueError, match=r'x\.nii: not a readable NIfTI'):
        read_volume(tmp_path / 'x.nii')


@pytest.mark.parametrize('dtype', [np.int64, np.uint64, np.float16])
def test_types_that_readers_do_not_share_are_refused(tmp_path, dtype):
    with pytest.raises(ValueError, match='convert to'):
        write_volume(Volume(np.zeros((2, 2, 2), dtype), (1, 1, 1)), tmp_path / 'x.nii')
