"""Bytes of plain and gzip-compressed files, with memory bounded by the file's size.

The ``isal`` package does the work where it is installed; without it Python's own zlib
gives the same values, several times slower. Not here: what the bytes mean.
"""

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

try:
    from isal import igzip_lib, isal_zlib
except ImportError:  # an optional speed-up; there is no wheel for every platform
    igzip_lib = isal_zlib = None  # type: ignore[assignment]

_FAILURES: tuple[type[Exception], ...] = (zlib.error, EOFError, OSError)
if isal_zlib is not None:
    _errors: Any = (isal_zlib.error, igzip_lib.error)
    _FAILURES += _errors

# Deflate cannot expand more: 258 bytes from two bits, 1032 to 1.
MAX_EXPANSION = 1032
# What fits any small file, whatever its ratio; real headers are below it.
_ALLOWANCE = 1 << 16
_PIECE = 1 << 18
_CHUNK = 1 << 22
_MAX_TRAILER = 1 << 16
# ISA-L level 1: near zlib level 1 in size, at a quarter of its time.
ISAL_LEVEL = 1
ZLIB_LEVEL = 1


class DamagedError(ValueError):
    """The bytes are not what the format requires; the reader adds the file name."""


class ByteSource:
    """Sequential reader of a file that may be compressed.

    Args:
        path: The file.
        compressed: Whether it is a gzip stream (several members are fine).
        offset: Where in the file to start.
    """

    def __init__(self, path: str | Path, *, compressed: bool, offset: int = 0) -> None:
        self.file_size = os.path.getsize(path) - offset
        self.compressed = compressed
        file = open(path, 'rb')  # noqa: SIM115  (closed by close())
        file.seek(offset)
        self._stream: Any = file
        if compressed:
            self._stream = _Inflater(file) if igzip_lib else _PlainGzip(file)

    def __enter__(self) -> 'ByteSource':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes.

        Raises:
            DamagedError: The data ends before, or it is no valid gzip stream.
        """
        self.check_promise(size)
        data = bytearray()
        while len(data) < size:
            piece = self._read_piece(size - len(data))
            if not piece:
                raise DamagedError(
                    f'truncated: {len(data)} bytes where its header promises {size}'
                )
            data += piece
        return bytes(data)

    def read_array(self, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
        """The next values as an array in C order and native byte order.

        Args:
            shape: Python integers, so that a hostile product cannot overflow.
            dtype: Type and byte order in the file.

        Raises:
            DamagedError: As for :meth:`read`; raised before any memory is taken if
                the file cannot hold that much.
        """
        size = dtype.itemsize
        for length in shape:
            size *= length
        self.check_promise(size)
        array = np.empty(shape, dtype=dtype)
        view = array.reshape(-1).view(np.uint8).data
        filled = 0
        while filled < size:
            piece = self._read_piece(min(_PIECE, size - filled))
            if not piece:
                raise DamagedError(
                    f'truncated: {filled} bytes of voxels where its header '
                    f'promises {size}'
                )
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        if dtype.isnative:
            return array
        return array.byteswap(inplace=True).view(dtype.newbyteorder('='))

    def finish(self) -> None:
        """Read on to the end, which verifies gzip's checksum.

        Raises:
            DamagedError: The checksum is wrong, or much more data follows than a
                trailer: then the header was not about this file.
        """
        left = _MAX_TRAILER
        while piece := self._read_piece(_PIECE):
            left -= len(piece)
            if left < 0:
                raise DamagedError('more data than its header promises')

    def check_promise(self, size: int) -> None:
        """Raise if ``size`` more bytes cannot come out of a file of this size."""
        ratio = MAX_EXPANSION if self.compressed else 1
        limit = self.file_size * ratio + (_ALLOWANCE if self.compressed else 0)
        if not 0 <= size <= limit:
            raise DamagedError(
                f'truncated or damaged: its header promises {size} bytes, a file of '
                f'{self.file_size} bytes cannot hold them'
            )

    def _read_piece(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except _FAILURES as error:
            reason = str(error) or type(error).__name__
            raise DamagedError(f'damaged gzip stream ({reason})') from error


class _Inflater:
    """Gzip members through ISA-L, a piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder: Any = None
        self._ahead = b''

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder is None and not self._start_member():
                return b''
            feed = b''
            if self._decoder.needs_input:
                feed = self._ahead or self._file.read(_PIECE)
                self._ahead = b''
                if not feed:
                    raise EOFError('truncated')
            data = self._decoder.decompress(feed, size)
            if self._decoder.eof:
                self._ahead = self._decoder.unused_data
                self._decoder = None
            if data:
                return data

    def _start_member(self) -> bool:
        ahead = self._ahead or self._file.read(_PIECE)
        # Zero bytes after a member are padding; tapes and some archivers add them.
        while ahead and not ahead.strip(b'\0'):
            ahead = self._file.read(_PIECE)
        if not ahead:
            return False
        self._ahead = ahead.lstrip(b'\0')
        self._decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return True

    def close(self) -> None:
        self._file.close()


class _PlainGzip:
    """The same with the standard library."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._gzip = gzip.GzipFile(fileobj=file)

    def read(self, size: int) -> bytes:
        return self._gzip.read(size)

    def close(self) -> None:
        self._gzip.close()
        self._file.close()


def inflate(data: bytes, size: int, *, gzip_header: bool) -> bytes:
    """Expand a block of which the size is known.

    Args:
        data: Zlib or gzip stream.
        size: Bytes it must give.
        gzip_header: Whether it is gzip rather than zlib.

    Raises:
        DamagedError: It gives fewer or more, or is no valid stream.
    """
    if not 0 <= size <= len(data) * MAX_EXPANSION + _ALLOWANCE:
        raise DamagedError(
            f'its header promises {size} bytes, {len(data)} bytes cannot hold them'
        )
    library = isal_zlib or zlib
    decoder = library.decompressobj(wbits=31 if gzip_header else 15)
    try:
        result = decoder.decompress(data, size + 1)
    except _FAILURES as error:
        raise DamagedError(f'damaged compressed data ({error})') from error
    if len(result) != size or not decoder.eof:
        raise DamagedError(
            f'{len(result)} bytes of voxels or more where its header promises {size}'
        )
    return result


def compress_gzip(*parts: bytes | memoryview) -> list[bytes]:
    """One gzip member in pieces, without time stamp: equal data, equal bytes."""
    return _compress(parts, wbits=31)


def compress_zlib(*parts: bytes | memoryview) -> list[bytes]:
    """One zlib stream in pieces, as MetaImage wants it."""
    return _compress(parts, wbits=15)


def _compress(parts: Sequence[bytes | memoryview], wbits: int) -> list[bytes]:
    if isal_zlib is None:
        encoder = zlib.compressobj(ZLIB_LEVEL, wbits=wbits)
    else:
        encoder = isal_zlib.compressobj(ISAL_LEVEL, wbits=wbits)
    pieces = []
    for part in parts:
        view = memoryview(part).cast('B')
        pieces += [
            encoder.compress(view[start : start + _CHUNK])
            for start in range(0, len(view), _CHUNK)
        ]
    return [*pieces, encoder.flush()]
