"""Files that lie; what is true is tested through ``test_chunked``."""

import struct
import tracemalloc

import numpy as np
import pytest

from mmmed.io import open_chunked
from mmmed.io.chunked import encode_chunked

blosc2 = pytest.importorskip('blosc2')


@pytest.fixture
def content():
    rng = np.random.default_rng(0)
    return bytearray(encode_chunked(rng.integers(0, 99, (20, 30, 40), np.int16)))


def refuse(content, tmp_path, reason):
    (tmp_path / 'a.b2nd').write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.b2nd: not a readable.*' + reason):
        open_chunked(tmp_path / 'a.b2nd').read()


def find(content, shape_part):
    return content.index(struct.pack('>q', shape_part))


@pytest.mark.parametrize('size', [1, 20, 100, 184, 200, 5000])
def test_truncated(content, tmp_path, size):
    refuse(content[:size], tmp_path, 'truncated')


def test_longer_than_promised(content, tmp_path):
    refuse(content + b'more', tmp_path, 'truncated or damaged')


def test_another_kind_of_file(tmp_path):
    refuse(b'\x1f\x8b' + bytes(400), tmp_path, 'no plain array')


@pytest.mark.parametrize('axis', [20, 30, 40])
@pytest.mark.parametrize('length', [0, -1, 21_000, 1 << 40])
def test_a_shape_that_its_chunks_do_not_hold(content, tmp_path, axis, length):
    at = find(content, axis)
    content[at : at + 8] = struct.pack('>q', length)
    refuse(content, tmp_path, '')


def make_bomb(shape):
    """A frame that says it is large, consistently, and is a few bytes."""
    array = blosc2.zeros(shape, dtype=np.uint8, chunks=(128, 1024, 1024))
    return array.to_cframe()


def test_a_small_file_that_promises_much_is_refused_unread(tmp_path):
    bomb = make_bomb((4096, 4096, 4096))
    assert len(bomb) < 10_000
    tracemalloc.start()
    refuse(bomb, tmp_path, 'cannot hold them')
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_foreign_metadata_is_refused_before_blosc2_follows_it(tmp_path):
    array = blosc2.asarray(np.zeros((4, 4, 4), np.int16), meta={'LazyArray': {}})
    refuse(array.to_cframe(), tmp_path, 'no plain array: metadata beside')
    array = blosc2.asarray(np.zeros((4, 4, 4), np.int16))
    array.schunk.vlmeta['evil'] = b'x' * 100
    refuse(array.to_cframe(), tmp_path, 'no plain array')


@pytest.mark.parametrize('dtype', ['float64', 'int64', 'U3', 'complex64'])
def test_other_values_are_refused(tmp_path, dtype):
    array = blosc2.asarray(np.zeros((4, 4, 4), dtype))
    refuse(array.to_cframe(), tmp_path, '')


def test_a_plain_list_of_bytes_is_refused(tmp_path):
    refuse(blosc2.SChunk(data=bytes(1000)).to_cframe(), tmp_path, 'no plain array')


def test_a_plugin_codec_is_refused_unread(content, tmp_path):
    """Blosc2 starts an interpreter to look for one."""
    start = struct.unpack('>i', content[11:15])[0]
    for at, value in ((start + 2, 0xC5), (start + 22, 40), (start + 16, 40)):
        changed = bytearray(content)
        changed[at] = value
        refuse(changed, tmp_path, 'compressed in a way')
    changed = bytearray(content)
    changed[27] = 0x16
    refuse(changed, tmp_path, 'of another kind')


def test_a_chunk_of_another_size_is_refused(content, tmp_path):
    start = struct.unpack('>i', content[11:15])[0]
    for at in (4, 8, 12):
        changed = bytearray(content)
        changed[start + at : start + at + 4] = struct.pack('<i', 1 << 30)
        refuse(changed, tmp_path, 'another size')


def test_any_changed_byte_of_a_header_is_harmless(content, tmp_path, rng):
    """Refused, or an array of this size: never a crash, nor memory without bound."""
    end = struct.unpack('>q', content[39:47])[0] + 184
    places = [*range(184 + 32), *range(end, len(content))]
    refused = 0
    for at in places:
        changed = bytearray(content)
        changed[at] ^= int(rng.integers(1, 256))
        (tmp_path / 'a.b2nd').write_bytes(changed)
        try:
            assert open_chunked(tmp_path / 'a.b2nd').read().shape == (20, 30, 40)
        except ValueError:
            refused += 1
    assert refused > 0.6 * len(places)
