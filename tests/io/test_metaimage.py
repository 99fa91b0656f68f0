import numpy as np
import pytest

from mmmed.io import read_volume

HEAD = {
    'ObjectType': 'Image', 'NDims': '3', 'BinaryData': 'True',
    'BinaryDataByteOrderMSB': 'False', 'CompressedData': 'False',
    # x runs along physical y: the first row is the direction of the first axis.
    'TransformMatrix': '0 1 0 -1 0 0 0 0 1', 'Offset': '10 20 30',
    'ElementSpacing': '0.5 0.75 3', 'DimSize': '4 3 2', 'ElementType': 'MET_SHORT',
    'ElementDataFile': 'LOCAL',
}  # fmt: skip
VALUES = np.arange(24, dtype='<i2')
PLAIN = VALUES.tobytes()


def write(path, data=PLAIN, **changes):
    fields = {**HEAD, **changes}
    end = fields.pop('ElementDataFile')
    lines = [f'{key} = {value}' for key, value in fields.items()]
    text = '\n'.join([*lines, f'ElementDataFile = {end}', ''])
    path.write_bytes(text.encode() + data)
    return path


def test_rows_of_the_matrix_are_directions_of_axes(tmp_path):
    volume = read_volume(write(tmp_path / 'x.mha'))
    assert volume.array[1, 2, 3] == 23
    # x index 3: 1.5 mm along LPS y; y index 2: 1.5 mm against LPS x.
    np.testing.assert_array_equal(volume.affine @ [1, 2, 3, 1], [-8.5, -21.5, 33, 1])


def test_channels_are_the_fastest_axis(tmp_path):
    path = write(tmp_path / 'x.mha', DimSize='4 3 1', ElementNumberOfChannels='2')
    array = read_volume(path).array
    assert array.shape == (2, 1, 3, 4)
    assert array[1, 0, 0, 3] == 7


def test_big_endian_and_two_axes(tmp_path):
    path = write(tmp_path / 'x.mha', VALUES.astype('>i2').tobytes(), NDims='2',
                 BinaryDataByteOrderMSB='True', DimSize='4 6', Offset='1 2',
                 ElementSpacing='2 3', TransformMatrix='1 0 0 1')  # fmt: skip
    volume = read_volume(path)
    assert volume.shape == (1, 6, 4)
    assert volume.array[0, 5, 3] == 23
    np.testing.assert_array_equal(volume.affine @ [0, 1, 1, 1], [-3, -5, 0, 1])


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'ElementDataFile': '../other.raw'}, 'in another file'),
        ({'DimSize': '4 3 200000000'}, 'cannot hold'),
        ({'DimSize': '4 3 -2'}, 'lengths >= 1'),
        ({'DimSize': '4 3 two'}, 'expected numbers'),
        ({'ElementType': 'MET_STRING'}, 'not known'),
        ({'ElementSpacing': '0 1 1'}, 'singular'),
        ({'TransformMatrix': '1 0 0 nan 1 0 0 0 1'}, 'not finite'),
        ({'TransformMatrix': '1 0 0 1 0 0 0 0 1'}, 'not invertible'),
        ({'Offset': '1 2'}, 'do not fit'),
        ({'CompressedData': 'True'}, 'damaged compressed'),
        ({'ElementNumberOfChannels': '0'}, 'at least one'),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, changes, reason):
    path = write(tmp_path / 'x.mha', **changes)
    with pytest.raises(ValueError, match=rf'x\.mha: .*{reason}'):
        read_volume(path)
