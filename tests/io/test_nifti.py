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


def set_codes(image, qform, sform):
    image.header['qform_code'], image.header['sform_code'] = qform, sform


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz'])
@pytest.mark.parametrize('codes', [(1, 1), (2, 1), (0, 4), (1, 0), (3, 0), (0, 0)])
def test_the_whole_header_survives(tmp_path, array_xyz, name, codes):
    image = nib.Nifti1Image(array_xyz, AFFINE_XYZ)
    image.set_qform(AFFINE_XYZ, codes[0])
    image.set_sform(AFFINE_XYZ, codes[1])
    image.header['descrip'] = b'seen by nobody'
    image.header['aux_file'], image.header['toffset'] = b'x', 2.5
    image.header.set_intent('label', name='organ')
    image.header.extensions.append(nib.nifti1.Nifti1Extension('comment', b'hello'))
    nib.save(image, tmp_path / name)
    volume = read_volume(tmp_path / name)
    assert bool(volume.source.notes) == (codes == (0, 0))
    np.testing.assert_array_equal(volume.affine[:, [2, 1, 0, 3]], image.affine)
    write_volume(volume, tmp_path / f'again_{name}')
    before, after = (nib.load(tmp_path / f) for f in (name, f'again_{name}'))
    assert before.header == after.header
    assert after.header.extensions[0].get_content() == b'hello'
    np.testing.assert_array_equal(before.dataobj, after.dataobj)


@pytest.mark.parametrize('codes', [(1, 2), (0, 2), (3, 0)])
def test_form_codes_survive_another_orientation(tmp_path, array_xyz, codes):
    image = nib.Nifti1Image(array_xyz, AFFINE_XYZ)
    image.set_qform(AFFINE_XYZ, codes[0])
    image.set_sform(AFFINE_XYZ, codes[1])
    nib.save(image, tmp_path / 'x.nii')
    turned = read_volume(tmp_path / 'x.nii').reorient('RSP')
    write_volume(turned, tmp_path / 'y.nii')
    header = nib.load(tmp_path / 'y.nii').header
    assert (header['qform_code'], header['sform_code']) == codes
    again = read_volume(tmp_path / 'y.nii')
    assert again.orientation == 'RSP'
    np.testing.assert_allclose(again.affine, turned.affine, atol=1e-5)
    np.testing.assert_allclose(header['pixdim'][1:4], turned.spacing[::-1])


def test_new_files_say_scanner_in_both_forms(tmp_path):
    write_volume(Volume(np.zeros((2, 3, 4), np.int16), (3, 2, 1)), tmp_path / 'x.nii')
    image = nib.load(tmp_path / 'x.nii')
    assert (image.header['qform_code'], image.header['sform_code']) == (1, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform())
    assert image.header.get_xyzt_units()[0] == 'mm'


def test_a_shear_goes_into_the_sform_alone(tmp_path):
    affine = np.array([[0, 0, 1, 0], [3, 2, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1.0]])
    write_volume(Volume(np.zeros((2, 3, 4), np.int16), (5, 2, 1), affine),
                 tmp_path / 'x.nii')  # fmt: skip
    header = nib.load(tmp_path / 'x.nii').header
    assert (header['qform_code'], header['sform_code']) == (0, 1)
    np.testing.assert_array_equal(read_volume(tmp_path / 'x.nii').affine, affine)


def write_scaled(path, stored, slope, intercept):
    image = nib.Nifti1Image(np.zeros(stored.shape, stored.dtype), AFFINE_XYZ)
    data = bytearray(image.to_bytes())
    data[352:] = stored.tobytes(order='F')
    header = nib.Nifti1Header(bytes(data[:348]))
    header['scl_slope'], header['scl_inter'] = slope, intercept
    data[:348] = header.binaryblock
    path.write_bytes(data)
    return header


@pytest.mark.parametrize('dtype', [np.uint8, np.int16, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize('scaling', [(2, -1024), (0.0088197151, 291.671), (-1e-4, 7)])
def test_scaling_survives_and_is_dropped_when_values_change(
    tmp_path, rng, dtype, scaling
):
    kind = dtype if np.dtype(dtype).kind in 'iu' else np.int32
    limits = np.iinfo(kind)
    stored = rng.integers(limits.min, limits.max, (5, 4, 3), kind).astype(dtype)
    header = write_scaled(tmp_path / 'x.nii', stored, *scaling)
    volume = read_volume(tmp_path / 'x.nii')
    slope, intercept = float(header['scl_slope']), float(header['scl_inter'])
    expected = stored.T.astype(np.float64) * slope + intercept
    np.testing.assert_array_equal(volume.array, expected.astype(volume.array.dtype))
    write_volume(volume, tmp_path / 'y.nii')
    if np.dtype(dtype).kind in 'iu':  # floats may lose their last bit
        assert (tmp_path / 'y.nii').read_bytes() == (tmp_path / 'x.nii').read_bytes()
    changed = volume.replace_array(np.cbrt(volume.array))
    write_volume(changed, tmp_path / 'z.nii')
    again = read_volume(tmp_path / 'z.nii')
    assert again.source.scaling == (1, 0)
    np.testing.assert_array_equal(again.array, changed.array)


def test_a_mask_on_a_scaled_scan_is_not_scaled(tmp_path):
    stored = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    write_scaled(tmp_path / 'x.nii', stored, 0.5, 100)
    scan = read_volume(tmp_path / 'x.nii')
    mask = Volume((scan.array > 110).astype(np.uint8), scan.spacing, scan.affine)
    write_volume(mask, tmp_path / 'm.nii', like=scan)
    image = nib.load(tmp_path / 'm.nii')
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, mask.array)


def test_disagreeing_forms_are_noted(tmp_path, array_xyz):
    image = nib.Nifti1Image(array_xyz, AFFINE_XYZ)
    other = AFFINE_XYZ.copy()
    other[0, 3] += 4
    image.set_qform(other, 1)
    nib.save(image, tmp_path / 'x.nii')
    volume = read_volume(tmp_path / 'x.nii')
    assert volume.source.notes == (
        'Its qform and sform disagree by up to 4 mm; the sform is used.',
    )
    assert volume.affine[0, 3] == AFFINE_XYZ[0, 3]


@pytest.mark.parametrize('row', [[0, 0, 0, 5], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0]])
def test_a_singular_or_invalid_affine_is_refused(tmp_path, array_xyz, row):
    path = save(tmp_path / 'x.nii', array_xyz)
    data = bytearray(path.read_bytes())
    data[280:296] = np.asarray(row, '<f4').tobytes()  # srow_x
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'x\.nii.*affine (is singular|holds NaN)'):
        read_volume(path)


def test_wide_integers_return_as_they_came(tmp_path):
    array = np.arange(24, dtype=np.int64).reshape(2, 3, 4) << 40
    nib.save(nib.Nifti1Image(array, AFFINE_XYZ, dtype=np.int64), tmp_path / 'x.nii')
    volume = read_volume(tmp_path / 'x.nii')
    write_volume(volume, tmp_path / 'y.nii')
    assert (tmp_path / 'y.nii').read_bytes() == (tmp_path / 'x.nii').read_bytes()


@pytest.mark.parametrize('kind', [nib.Nifti2Image, nib.Nifti1Image])
def test_both_versions_of_nifti_return_as_they_came(tmp_path, array_xyz, kind):
    nib.save(kind(array_xyz, AFFINE_XYZ), tmp_path / 'x.nii')
    volume = read_volume(tmp_path / 'x.nii')
    np.testing.assert_array_equal(volume.array, array_xyz.T)
    write_volume(volume, tmp_path / 'y.nii')
    assert (tmp_path / 'y.nii').read_bytes() == (tmp_path / 'x.nii').read_bytes()


def test_a_flat_file_has_one_slice(tmp_path):
    nib.save(
        nib.Nifti1Image(np.zeros((5, 4), np.int16), AFFINE_XYZ), tmp_path / 'x.nii'
    )
    assert read_volume(tmp_path / 'x.nii').array.shape == (1, 4, 5)


def test_a_zero_size_file_is_refused(tmp_path, array_xyz):
    path = save(tmp_path / 'x.nii', array_xyz)
    data = bytearray(path.read_bytes())
    data[42:44] = bytes(2)  # dim[1]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'x\.nii.*at least one voxel'):
        read_volume(path)
