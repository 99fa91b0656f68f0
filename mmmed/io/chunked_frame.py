"""What a chunked volume file says of itself, checked byte by byte before it is opened.

A ``.b2nd`` file is a contiguous Blosc2 frame. Blosc2's own opener follows whatever
metadata it finds there: remote sources, expressions to evaluate, plug-in codecs that
it looks for by starting an interpreter. Here only plain arrays pass, as
``mmmed.io.chunked`` writes them, and their sizes must agree with the file's.

Not here: reading voxels (``chunked``).
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.io.compression import MAX_EXPANSION, DamagedError

DTYPES = {'|u1': 'uint8', '<i2': 'int16', '<u2': 'uint16', '<f4': 'float32'}
# Blank masks shrink a million times, so the ratio counts only for what is larger.
FREE_BYTES = 1 << 30
MAX_AXES = 4

_CHUNK_HEADER = 32
_MAX_CHUNK_BYTES = 1 << 28
_MAX_CHUNKS = 1 << 20
# Blosc's own codecs: blosclz, LZ4 (and LZ4HC), zlib, Zstandard. None is a plug-in.
_CODECS = frozenset((0, 1, 3, 4))
_LAST_CODEC = 5  # the same in another count, with LZ4HC and snappy
_FILTERS = frozenset((0, 1, 2))  # none, shuffle, bitshuffle
_SPECIAL_BITS = 0x70
_MAX_HEADER = 1 << 10
# Behind the index: format, no user metadata, length, no fingerprint.
_MAX_TRAILER = 64


@dataclass(frozen=True)
class Frame:
    """A checked header.

    Args:
        shape: Voxels an axis.
        dtype: One of ``DTYPES``.
        chunks: Shape of the parts that are compressed together.
        blocks: Shape of the parts of those that are expanded together.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    blocks: tuple[int, ...]


class _Fields:
    """Reads MessagePack values of known kinds in a known order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise DamagedError('truncated: its header is cut off')
        self._at += size
        return part

    def expect(self, literal: bytes, what: str) -> None:
        if self.take(len(literal)) != literal:
            raise DamagedError(f'no plain array: {what} is not as expected')

    def unpack(self, marker: bytes, code: str, what: str) -> int:
        self.expect(marker, what)
        return int(struct.unpack('>' + code, self.take(struct.calcsize(code)))[0])

    def unpack_row(self, count: int, marker: bytes, code: str, what: str) -> list[int]:
        self.expect(bytes((0x90 + count,)), what)
        return [self.unpack(marker, code, what) for _ in range(count)]


def check_frame(data: memoryview, expand: Callable[[bytes], bytes]) -> Frame:
    """Header of a file's content, once everything in it has been checked.

    Args:
        data: The whole file.
        expand: Decompresses one Blosc2 chunk; called only with checked ones.

    Raises:
        DamagedError: The content is no plain array, is truncated, or promises more
            than a file of its size can hold.
    """
    head = bytes(data[:_MAX_HEADER])
    fields = _Fields(head)
    fields.expect(b'\x9e\xa8b2frame\x00', 'its start')
    header_size = fields.unpack(b'\xd2', 'i', 'the header size')
    frame_size = fields.unpack(b'\xcf', 'Q', 'the file size')
    if frame_size != len(data):
        raise DamagedError(
            f'truncated or damaged: {len(data)} bytes where its header promises '
            f'{frame_size}'
        )
    fields.expect(b'\xa4', 'the flags')
    flags = fields.take(4)
    # 0x10: 64-bit offsets, chunks of one size; 0: one file; then codec and level.
    if flags[0] & ~3 != 0x10 or flags[1] != 0 or flags[2] & 0x0F > _LAST_CODEC:
        raise DamagedError('no plain array: its frame is of another kind')
    nbytes = fields.unpack(b'\xd3', 'q', 'the size')
    cbytes = fields.unpack(b'\xd3', 'q', 'the compressed size')
    itemsize = fields.unpack(b'\xd2', 'i', 'the item size')
    block_bytes = fields.unpack(b'\xd2', 'i', 'the block size')
    chunk_bytes = fields.unpack(b'\xd2', 'i', 'the chunk size')
    fields.unpack(b'\xd1', 'h', 'the threads')
    fields.unpack(b'\xd1', 'h', 'the threads')
    fields.expect(b'\xc2', 'user metadata (there should be none)')
    fields.expect(b'\xd8', 'the filters')
    pipeline = fields.take(17)
    if not _FILTERS.issuperset(pipeline[1:7]) or pipeline[7] > _LAST_CODEC:
        raise DamagedError('its filters are none that are read here')
    frame = _read_array_fields(fields)
    padded = _pad(frame.shape, frame.chunks)
    blocks = _pad(frame.chunks, frame.blocks)
    number = math.prod(n // c for n, c in zip(padded, frame.chunks, strict=True))
    wanted = math.prod(blocks) * itemsize
    if (
        number > _MAX_CHUNKS
        or itemsize != frame.dtype.itemsize
        or block_bytes != math.prod(frame.blocks) * itemsize
        or chunk_bytes != wanted
        or not 0 < chunk_bytes <= _MAX_CHUNK_BYTES
        or nbytes != number * chunk_bytes
    ):
        raise DamagedError('damaged: the sizes in its header disagree')
    if nbytes > max(FREE_BYTES, len(data) * MAX_EXPANSION):
        raise DamagedError(
            f'its header promises {nbytes} bytes, a file of {len(data)} bytes cannot '
            'hold them'
        )
    end = header_size + cbytes
    if not 0 < header_size <= _MAX_HEADER or not header_size <= end <= len(data):
        raise DamagedError('damaged: its parts reach beyond its end')
    sizes = (itemsize, block_bytes, chunk_bytes)
    _check_chunks(data, header_size, end, number, sizes, expand)
    return frame


def _read_array_fields(fields: _Fields) -> Frame:
    """The one metalayer of an array, ``b2nd``, and nothing beside it."""
    fields.expect(b'\x93\xcd', 'the list of metadata')
    fields.take(2)
    fields.expect(b'\xde\x00\x01\xa4b2nd\xd2', 'metadata beside "b2nd"')
    fields.take(4)
    fields.expect(b'\xdc\x00\x01\xc6', 'the metadata')
    fields.take(4)
    fields.expect(b'\x97\x00', 'the metadata of an array')
    axes = fields.take(1)[0]
    if not 1 <= axes <= MAX_AXES:
        raise DamagedError(f'{axes} axes, expected 1 to {MAX_AXES}')
    shape = fields.unpack_row(axes, b'\xd3', 'q', 'the shape')
    chunks = fields.unpack_row(axes, b'\xd2', 'i', 'the chunk shape')
    blocks = fields.unpack_row(axes, b'\xd2', 'i', 'the block shape')
    if min(shape) < 1:
        raise DamagedError(f'shape {tuple(shape)}, expected at least one voxel')
    if min(chunks) < 1 or min(blocks) < 1 or np.greater(blocks, chunks).any():
        raise DamagedError('damaged: its chunks have no shape')
    fields.expect(b'\x00\xdb', 'the kind of its values')
    length = struct.unpack('>I', fields.take(4))[0]
    name = fields.take(length).decode('ascii', errors='replace') if length < 9 else '?'
    if name not in DTYPES:
        known = ', '.join(DTYPES.values())
        raise DamagedError(f'values are {name!r}, expected one of {known}')
    return Frame(tuple(shape), np.dtype(name), tuple(chunks), tuple(blocks))


def _pad(shape: Sequence[int], part: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-n // p) * p for n, p in zip(shape, part, strict=True))


def _check_chunks(
    data: memoryview,
    start: int,
    end: int,
    number: int,
    sizes: tuple[int, int, int],
    expand: Callable[[bytes], bytes],
) -> None:
    """Every chunk lies where chunks are, and is compressed as arrays of ours are."""
    size = 8 * number
    index = bytes(data[end : end + _CHUNK_HEADER])
    if len(index) < _CHUNK_HEADER:
        raise DamagedError('truncated: the index of its chunks is cut off')
    heads = np.frombuffer(index, np.uint8)[None]
    _check_headers(heads, np.array([len(data) - end]), (8, None, size))
    length = int(struct.unpack_from('<i', index, 12)[0])
    if len(data) - end - length > _MAX_TRAILER:
        raise DamagedError('damaged: more data than its header promises')
    try:
        offsets = np.frombuffer(expand(bytes(data[end : end + length])), '<i8')
    except (RuntimeError, ValueError) as error:
        raise DamagedError(f'damaged: its index cannot be read ({error})') from error
    if offsets.size != number:
        raise DamagedError('damaged: its index has another number of chunks')
    # A negative offset is a chunk of one repeated value (zero), not stored at all.
    offsets = offsets[offsets >= 0]
    room = end - start - offsets
    if (room < _CHUNK_HEADER).any():
        raise DamagedError('damaged: a chunk lies beyond the end of the file')
    stored = np.frombuffer(data, np.uint8)
    columns = start + offsets[:, None] + np.arange(_CHUNK_HEADER)
    _check_headers(stored[columns], room, sizes)


def _check_headers(
    heads: NDArray[np.uint8],
    room: NDArray[np.int64],
    sizes: tuple[int, int | None, int],
) -> None:
    """Refuse chunk headers that ask for more than plain expansion.

    Args:
        heads: Shape (N, 32).
        room: Bytes from each header to where its chunk must have ended, shape (N,).
        sizes: Item, block (None: any) and whole size that each must state.
    """
    flags, itemsizes = heads[:, 2], heads[:, 3]
    numbers = np.ascontiguousarray(heads[:, 4:16]).view('<i4')
    extended = (flags & 5) == 5
    codecs = _CODECS.issuperset((flags >> 5).tolist())
    filters = _FILTERS.issuperset(heads[:, 16:22].ravel().tolist())
    known = (heads[:, 22] <= _LAST_CODEC).all()
    # Bytes 30, 31: a dictionary, a lazy chunk and the like; but for repeated values.
    plain = not (heads[:, 30] | heads[:, 31] & ~np.uint8(_SPECIAL_BITS)).any()
    item, block, whole = sizes
    if not (extended.all() and codecs and known and filters and plain):
        raise DamagedError('a chunk is compressed in a way that is not read here')
    if not (
        (itemsizes == item).all()
        and (numbers[:, 0] == whole).all()
        and (block is None or (numbers[:, 1] == block).all())
        and (numbers[:, 2] >= _CHUNK_HEADER).all()
        and (numbers[:, 2] <= room).all()
    ):
        raise DamagedError('damaged: a chunk of another size than its header promises')
