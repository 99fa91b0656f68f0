import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmmed.io import encode_image, png, read_image, read_label, write_image, write_label


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [
        ((5, 7), np.uint8),
        ((5, 7), np.uint16),
        ((5, 7, 3), np.uint8),
        ((1, 1), np.uint8),
    ],
)
def test_png_returns_what_was_written(tmp_path, rng, shape, dtype):
    array = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    path = tmp_path / 'new' / 'x.png'
    write_image(path, array)
    again = read_image(path)
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, array)


def test_equal_arrays_give_equal_bytes_in_any_memory_layout(rng):
    array = rng.integers(0, 255, (6, 8), np.uint8)
    assert encode_image(array) == encode_image(np.asfortranarray(array))
    assert encode_image(array[::-1]) == encode_image(array[::-1].copy())


def test_jpeg_is_close_and_keeps_its_shape(tmp_path):
    array = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))
    write_image(tmp_path / 'x.jpg', array, quality=95)
    again = read_image(tmp_path / 'x.jpg')
    assert again.shape == (16, 24)
    assert np.abs(again.astype(int) - array).max() <= 4


def test_the_content_decides_the_format_not_the_name(tmp_path):
    path = save(tmp_path / 'x.jpg', np.full((4, 5), 9, np.uint8), format='PNG')
    assert read_image(path).tolist() == [[9] * 5] * 4


def test_a_bit_map_becomes_0_and_255(tmp_path):
    path = save(tmp_path / 'x.png', np.array([[True, False]]))
    assert read_image(path).tolist() == [[255, 0]]


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('kept', [0.0, 0.02, 0.3, 0.7, 0.97])
def test_a_truncated_file_gives_one_error_that_names_it(tmp_path, rng, suffix, kept):
    data = encode_image(rng.integers(0, 255, (64, 80), np.uint8), suffix)
    path = tmp_path / f'cut{suffix}'
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ValueError, match=rf'cut\{suffix}: .*(again|fetch)'):
        read_image(path)


def test_a_broken_png_chunk_gives_one_error_that_names_it(tmp_path, rng):
    data = bytearray(encode_image(rng.integers(0, 255, (64, 80), np.uint8)))
    data[60] ^= 0xFF
    (tmp_path / 'broken.png').write_bytes(data)
    with pytest.raises(ValueError, match=r'broken\.png'):
        read_image(tmp_path / 'broken.png')


@pytest.mark.parametrize('side', [20_000, 60_000])
def test_a_small_file_that_promises_a_huge_image_is_refused(tmp_path, side):
    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    bomb = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', b'')
    (tmp_path / 'bomb.png').write_bytes(bomb + chunk(b'IEND', b''))
    with pytest.raises(ValueError, match=r'bomb\.png'):
        read_image(tmp_path / 'bomb.png')


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P', 'CMYK'])
def test_unclear_colours_are_refused_with_their_mode(tmp_path, mode):
    path = tmp_path / ('x.jpg' if mode == 'CMYK' else 'x.png')
    Image.new(mode, (5, 4)).save(path)
    with pytest.raises(ValueError, match=f'mode {mode}'):
        read_image(path)


def test_other_formats_are_refused(tmp_path):
    path = tmp_path / 'x.png'
    Image.new('L', (5, 4)).save(path, format='TIFF')
    with pytest.raises(ValueError, match='neither a PNG nor a JPEG'):
        read_image(path)


@pytest.mark.parametrize('reader', [read_image, read_label])
def test_a_missing_file_is_named(tmp_path, reader):
    with pytest.raises(FileNotFoundError, match=r'none\.png'):
        reader(tmp_path / 'none.png')


@pytest.mark.parametrize(
    ('labels', 'dtype'),
    [
        ([[0, 1], [255, 2]], np.uint8),
        ([[0, 300]], np.uint16),
        ([[True, False]], np.uint8),
    ],
)
def test_labels_return_exactly_in_the_smallest_type(tmp_path, labels, dtype):
    write_label(tmp_path / 'x.png', np.array(labels))
    again = read_label(tmp_path / 'x.png')
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, np.array(labels))


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (np.array([[-1]]), '-1 to -1'),
        (np.array([[65536]]), '0 to 65535'),
        (np.array([[0.5]]), 'float64'),
        (np.zeros((2, 2, 3), int), 'shape'),
        (np.zeros((0, 2), int), 'shape'),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, labels, message):
    with pytest.raises(ValueError, match=message):
        write_label(tmp_path / 'x.png', labels)
    assert not (tmp_path / 'x.png').exists()


def test_a_label_map_is_never_jpeg(tmp_path):
    array = np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match='stored as PNG'):
        write_label(tmp_path / 'x.jpg', array)
    save(tmp_path / 'y.jpg', array)
    with pytest.raises(ValueError, match='compression changes labels'):
        read_label(tmp_path / 'y.jpg')


def test_palette_labels_give_their_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 2], [1, 0]], np.uint8), mode='P')
    image.putpalette([9, 9, 9, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / 'x.png')
    assert read_label(tmp_path / 'x.png').tolist() == [[0, 2], [1, 0]]


def test_grey_stored_as_rgb_is_one_channel(tmp_path):
    grey = np.array([[0, 1], [1, 0]], np.uint8)
    save(tmp_path / 'x.png', np.dstack([grey] * 3))
    np.testing.assert_array_equal(read_label(tmp_path / 'x.png'), grey)


def test_coloured_labels_are_refused(tmp_path):
    save(tmp_path / 'x.png', np.array([[[255, 0, 0]]], np.uint8))
    with pytest.raises(ValueError, match='in colours'):
        read_label(tmp_path / 'x.png')


@pytest.mark.parametrize(
    ('tolerance', 'is_grey'), [(0, False), (4, False), (5, True), (255, True)]
)
def test_grey_within_a_tolerance(tolerance, is_grey):
    array = np.full((2, 3, 3), 100, np.uint8)
    array[1, 2] = [100, 105, 96]
    assert (png.squeeze_grey(array, tolerance) is not None) is is_grey


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 5), np.float32),
        np.zeros((4, 5, 2), np.uint8),
        np.zeros((4, 5, 3), np.uint16),
        np.zeros((0, 5), np.uint8),
        np.zeros(5, np.uint8),
    ],
)
def test_arrays_that_are_no_image_are_refused(tmp_path, array):
    with pytest.raises(ValueError, match=r'x\.png: image of shape'):
        write_image(tmp_path / 'x.png', array)


@pytest.mark.parametrize('name', ['x.tif', 'x', 'x.jpg'])
def test_a_suffix_that_cannot_hold_the_array_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match='cannot write uint16'):
        write_image(tmp_path / name, np.zeros((4, 5), np.uint16))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'x.png'
    write_image(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmmed.files.os.fsync', fail)
    with pytest.raises(OSError, match='No space'):
        write_image(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['x.png']


def test_no_metadata_is_written():
    data = encode_image(np.zeros((2, 2), np.uint8))
    assert Image.open(io.BytesIO(data)).info == {}
