import gzip

import numpy as np
import pytest

from mmmed.io import find_suffix, read_volume, write_volume
from mmmed.structures import Volume

FORMATS = ['x.nii', 'x.nii.gz', 'x.nrrd', 'x.mha']


@pytest.mark.parametrize('name', ['x.gif', 'x', 'x.nii.zip', 'nii'])
def test_an_unknown_suffix_is_named_with_the_known_ones(tmp_path, name):
    with pytest.raises(ValueError, match=r'\.nii, \.nii\.gz'):
        read_volume(tmp_path / name)
    with pytest.raises(ValueError, match=r'\.nii, \.nii\.gz'):
        write_volume(Volume(np.zeros((1, 1, 1)), (1, 1, 1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_volume_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.nii'):
        read_volume(tmp_path / 'none.nii')


def test_suffixes_end_where_case_ids_begin():
    assert find_suffix('a.b/Case.01.NII.GZ') == '.nii.gz'
    assert find_suffix('x.nii') == '.nii'


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize('dtype', ['u1', 'i2', 'u2', 'i4', 'f4', 'f8', '>i2', bool])
@pytest.mark.parametrize('channels', [0, 2])
def test_formats_keep_values_types_and_geometry(
    tmp_path, oblique_volume, name, dtype, channels
):
    array = np.stack([oblique_volume.array] * channels) if channels else None
    array = (oblique_volume.array if array is None else array).astype(dtype)
    volume = oblique_volume.replace_array(array)
    write_volume(volume, tmp_path / name)
    again = read_volume(tmp_path / name)
    assert again.array.dtype == (np.uint8 if dtype is bool else np.dtype(dtype[-2:]))
    np.testing.assert_array_equal(again.array, array)
    tolerance = {'x.nrrd': 0, 'x.mha': 1e-14}.get(name, 2e-6)
    np.testing.assert_allclose(again.affine, volume.affine, rtol=0, atol=tolerance)
    assert again.array.flags.writeable


@pytest.mark.parametrize('name', FORMATS)
def test_a_second_round_trip_changes_nothing(tmp_path, oblique_volume, name):
    write_volume(oblique_volume, tmp_path / name)
    first = read_volume(tmp_path / name)
    write_volume(first, tmp_path / f'again_{name}')
    second = read_volume(tmp_path / f'again_{name}')
    np.testing.assert_array_equal(second.array, first.array)
    np.testing.assert_allclose(
        second.affine, first.affine, rtol=0, atol=1e-15 if name == 'x.mha' else 0
    )


@pytest.mark.parametrize('name', FORMATS)
def test_a_mask_returns_onto_its_scan(tmp_path, oblique_volume, name):
    write_volume(oblique_volume, tmp_path / 'scan.nii.gz')
    scan = read_volume(tmp_path / 'scan.nii.gz')
    canonical = scan.reorient('RAS')
    rounded = canonical.affine.astype(np.float32)  # as other tools would store it
    mask = Volume(canonical.array > 0, canonical.spacing, rounded)
    write_volume(mask, tmp_path / name, like=scan)
    again = read_volume(tmp_path / name)
    np.testing.assert_array_equal(again.array, scan.array > 0)
    tolerance = 1e-14 if name == 'x.mha' else 0
    np.testing.assert_allclose(again.affine, scan.affine, rtol=0, atol=tolerance)


def test_a_mask_beside_its_scan_is_refused(tmp_path, oblique_volume):
    affine = oblique_volume.affine.copy()
    affine[:3, 3] += 0.5
    moved = Volume(oblique_volume.array, oblique_volume.spacing, affine)
    with pytest.raises(ValueError, match=r'm\.nii: .* 0\.866 mm apart'):
        write_volume(moved, tmp_path / 'm.nii', like=oblique_volume)
    assert not (tmp_path / 'm.nii').exists()


@pytest.mark.parametrize('name', ['x.nii', 'x.nii.gz', 'x.nrrd', 'x.mha', 'x.tif'])
@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_or_replaced(tmp_path, name, value):
    array = np.ones((2, 3, 4), np.float32)
    array[1, 2, 3] = value
    write_volume(Volume(array, (3, 2, 1)), tmp_path / name)
    with pytest.raises(ValueError, match=r'x\..*: 1 of 24 voxels are NaN or infinite'):
        read_volume(tmp_path / name)
    volume = read_volume(tmp_path / name, nonfinite=-5)
    assert volume.array[1, 2, 3] == -5
    assert volume.array.sum() == 23 - 5
    assert '1 voxels were NaN or infinite and became -5.' in volume.source.notes


@pytest.mark.parametrize('name', FORMATS)
def test_four_axes_are_refused_where_three_are_needed(tmp_path, name):
    write_volume(Volume(np.zeros((2, 3, 4, 5), np.int16), (1, 1, 1)), tmp_path / name)
    assert read_volume(tmp_path / name, ndim=4).array.shape == (2, 3, 4, 5)
    with pytest.raises(ValueError, match=r'x\..*4-D image .* expected 3-D'):
        read_volume(tmp_path / name, ndim=3)


@pytest.mark.parametrize('name', FORMATS)
def test_a_failed_write_leaves_the_old_file(tmp_path, name):
    (tmp_path / name).write_bytes(b'old')
    with pytest.raises(ValueError, match=r'x\..*float16'):
        write_volume(
            Volume(np.zeros((2, 2, 2), np.float16), (1, 1, 1)), tmp_path / name
        )
    assert (tmp_path / name).read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('name', FORMATS)
def test_a_truncated_file_is_refused(tmp_path, oblique_volume, name):
    write_volume(oblique_volume, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    for kept in (0, 1, 20, len(data) // 2, len(data) - 1):
        (tmp_path / name).write_bytes(data[:kept])
        with pytest.raises(ValueError, match=r'x\.\w+.*: not a readable'):
            read_volume(tmp_path / name)


def test_what_follows_the_voxels_is_refused(tmp_path, oblique_volume):
    for name in FORMATS:
        write_volume(oblique_volume, tmp_path / name)
    data = (tmp_path / 'x.nii').read_bytes()
    (tmp_path / 'x.nii').write_bytes(data + bytes(100_000))
    (tmp_path / 'y.nii.gz').write_bytes(gzip.compress(data + bytes(100_000)))
    for name in ('x.nii', 'y.nii.gz'):
        with pytest.raises(ValueError, match='more data than its header promises'):
            read_volume(tmp_path / name)
