import gzip

import numpy as np
import pytest

from mmmed.io import compression
from mmmed.io.compression import ByteSource, DamagedError


@pytest.fixture(params=['isal', 'zlib'])
def library(request, monkeypatch):
    """Both ways to the same bytes."""
    if request.param == 'zlib':
        monkeypatch.setattr(compression, 'igzip_lib', None)
        monkeypatch.setattr(compression, 'isal_zlib', None)
    elif compression.igzip_lib is None:
        pytest.skip('isal is not installed')
    return request.param


@pytest.fixture
def values(rng):
    return rng.integers(-100, 100, (50, 60, 70), dtype=np.int16)


def read_all(path, values):
    with ByteSource(path, compressed=True) as source:
        array = source.read_array(values.shape, values.dtype)
        source.finish()
    return array


def test_what_is_compressed_is_read_again(tmp_path, library, values):
    data = b''.join(compression.compress_gzip(b'', values.tobytes()))
    (tmp_path / 'x.gz').write_bytes(data)
    np.testing.assert_array_equal(read_all(tmp_path / 'x.gz', values), values)
    assert gzip.decompress(data) == values.tobytes()
    assert data[4:8] == bytes(4)  # no time stamp


def test_members_and_padding_are_read_on(tmp_path, library, values):
    data = values.tobytes()
    parts = [gzip.compress(data[:1]), gzip.compress(data[1:]), bytes(512)]
    (tmp_path / 'x.gz').write_bytes(b''.join(parts))
    np.testing.assert_array_equal(read_all(tmp_path / 'x.gz', values), values)


@pytest.mark.parametrize('where', ['checksum', 'length', 'middle', 'end', 'garbage'])
def test_every_damage_is_noticed(tmp_path, library, values, where):
    data = bytearray(gzip.compress(values.tobytes()))
    if where == 'garbage':
        data += b'garbage'
    elif where == 'end':
        del data[-9:]
    else:
        data[{'checksum': -6, 'length': -2, 'middle': len(data) // 2}[where]] ^= 0x10
    (tmp_path / 'x.gz').write_bytes(data)
    with pytest.raises(DamagedError):
        read_all(tmp_path / 'x.gz', values)


@pytest.mark.parametrize('compressed', [False, True])
def test_no_memory_is_taken_for_an_empty_promise(tmp_path, library, compressed):
    (tmp_path / 'x').write_bytes(gzip.compress(bytes(1000)))
    with (
        ByteSource(tmp_path / 'x', compressed=compressed) as source,
        pytest.raises(DamagedError, match='cannot hold'),
    ):
        source.read_array((1 << 40, 1 << 40), np.dtype('<f8'))


def test_big_endian_becomes_native(tmp_path, values):
    (tmp_path / 'x').write_bytes(values.astype('>i2').tobytes())
    with ByteSource(tmp_path / 'x', compressed=False) as source:
        array = source.read_array(values.shape, np.dtype('>i2'))
    assert array.dtype == np.dtype('i2')
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize('promised', [999, 1001, -1, 1 << 50])
def test_inflate_gives_exactly_what_was_promised(library, promised):
    data = b''.join(compression.compress_zlib(bytes(1000)))
    assert compression.inflate(data, 1000, gzip_header=False) == bytes(1000)
    with pytest.raises(DamagedError):
        compression.inflate(data, promised, gzip_header=False)
