import gzip

import numpy as np
import pytest

from mmmed.io import read_volume, write_volume

HEAD = {
    'type': 'short', 'dimension': '3', 'space': 'left-posterior-superior',
    'sizes': '4 3 2', 'space directions': '(0.5,0,0) (0,0.75,0) (0,0,3)',
    'endian': 'little', 'encoding': 'raw', 'space origin': '(10,20,30)',
}  # fmt: skip
VALUES = np.arange(24, dtype='<i2')


def write(path, data=None, extra='', **changes):
    fields = {**HEAD, **{k.replace('_', ' '): v for k, v in changes.items()}}
    lines = [f'{key}: {value}' for key, value in fields.items() if value is not None]
    text = '\n'.join(['NRRD0005', '# made by a test', *lines]) + '\n' + extra + '\n'
    path.write_bytes(text.encode() + (VALUES.tobytes() if data is None else data))
    return path


def test_axes_and_lps_by_hand(tmp_path):
    volume = read_volume(write(tmp_path / 'x.nrrd'))
    assert volume.array[1, 2, 3] == 23
    assert volume.array[0, 1, 0] == 4
    assert volume.spacing == (3, 0.75, 0.5)
    assert volume.orientation == 'SPL'
    np.testing.assert_array_equal(volume.affine @ [1, 2, 3, 1], [-11.5, -21.5, 33, 1])


@pytest.mark.parametrize(
    ('space', 'orientation'),
    [
        ('RAS', 'SAR'),
        ('right-anterior-superior', 'SAR'),
        ('left-anterior-superior', 'SAL'),
    ],
)
def test_other_spaces(tmp_path, space, orientation):
    assert (
        read_volume(write(tmp_path / 'x.nrrd', space=space)).orientation == orientation
    )


@pytest.mark.parametrize('encoding', ['gzip', 'gz'])
def test_gzip_and_big_endian(tmp_path, encoding):
    data = gzip.compress(VALUES.astype('>i2').tobytes())
    path = write(tmp_path / 'x.nrrd', data, encoding=encoding, endian='big')
    np.testing.assert_array_equal(read_volume(path).array.ravel(), VALUES)


@pytest.mark.parametrize('first', [True, False])
def test_an_axis_without_direction_holds_channels(tmp_path, first):
    vectors = HEAD['space directions'].split()
    path = write(
        tmp_path / 'x.nrrd',
        dimension='4',
        sizes='2 4 3 1' if first else '4 3 1 2',
        space_directions=' '.join(['none', *vectors] if first else [*vectors, 'none']),
    )
    array = read_volume(path).array
    assert array.shape == (2, 1, 3, 4)
    assert array[1, 0, 0, 0] == (1 if first else 12)


def test_free_entries_survive(tmp_path):
    extra = 'Segment0_Name:=liver: left lobe\nSegment0_LabelValue:=1\n'
    volume = read_volume(write(tmp_path / 'x.nrrd', extra=extra))
    write_volume(volume, tmp_path / 'y.nrrd')
    text = (tmp_path / 'y.nrrd').read_bytes()
    assert b'\nSegment0_Name:=liver: left lobe\nSegment0_LabelValue:=1\n\n' in text


def test_without_directions_it_is_said_that_axes_are_assumed(tmp_path):
    path = write(tmp_path / 'x.nrrd', space=None, space_origin=None,
                 space_directions=None, spacings='0.5 0.75 3')  # fmt: skip
    volume = read_volume(path)
    assert volume.spacing == (3, 0.75, 0.5)
    assert 'RAS axes are assumed' in volume.source.notes[0]


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'encoding': 'ascii'}, 'expected raw or gzip'),
        ({'data_file': '../other.raw'}, 'in another file'),
        ({'sizes': '4 3 200000000'}, 'cannot hold'),
        ({'sizes': '4 3 0'}, 'at least 1'),
        ({'sizes': '4 3'}, 'as many sizes'),
        ({'type': 'block'}, 'expected a real number'),
        ({'space_directions': '(0.5,0,0) (0,0,0) (0,0,3)'}, 'singular'),
        ({'space_directions': '(0.5,0,0) (1,0,0) (0,0,3)'}, 'not invertible'),
        ({'space_directions': '(nan,0,0) (0,1,0) (0,0,3)'}, 'not finite'),
        ({'space': 'scanner-xyz'}, 'expected LPS'),
        ({'space_units': '"um" "um" "um"'}, 'expected mm'),
        ({'endian': 'middle'}, 'little or big'),
        ({'byte_skip': '7'}, 'skips'),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, changes, reason):
    path = write(tmp_path / 'x.nrrd', **changes)
    with pytest.raises(ValueError, match=rf'x\.nrrd: .*{reason}'):
        read_volume(path)
