"""Volumes in compressed chunks, of which a patch is read without the rest.

The file is a Blosc2 array (``.b2nd``), which other programs open too; it holds voxels
only, and geometry lies in the manifest. Needs the optional package ``blosc2``. Not
here: what is believed of a file (``chunked_frame``), formats that people exchange
(``base``).
"""

import mmap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.io.chunked_frame import DTYPES, MAX_AXES, Frame, check_frame
from mmmed.io.compression import DamagedError

SUFFIX = '.b2nd'
# Blocks are what a patch expands too much of at its faces; chunks only bound the
# index. Measured for patches of 40 and 96 voxels (benchmarks/chunked_volumes.py).
CHUNK = (64, 128, 128)
BLOCK = (16, 32, 32)
_LEVEL = 1

Box = Sequence[slice]
"""One slice an axis, step 1; bounds are None or lie in the array."""


def write_chunked(array: NDArray, path: str | Path) -> None:
    """Write an array so that any box of it can be read alone; atomically.

    Args:
        array: One to four axes, the last three of them space (Z, Y, X); int16,
            uint16, uint8 or float32, not empty.
        path: Target, ``*.b2nd``. Equal arrays give equal files (of one Blosc2).

    Raises:
        ValueError: Another type, no voxels, or more than four axes.
        ImportError: Blosc2 is not installed.
        OSError: The file cannot be written; an older one stays.
    """
    write_bytes_atomic(path, encode_chunked(array))


def encode_chunked(array: NDArray) -> bytes:
    """Content of the file that :func:`write_chunked` writes."""
    if array.dtype.name not in DTYPES.values():
        raise ValueError(
            f'array is {array.dtype}, expected one of {", ".join(DTYPES.values())}'
        )
    if not 1 <= array.ndim <= MAX_AXES or not array.size:
        raise ValueError(
            f'array has shape {array.shape}, expected 1 to {MAX_AXES} axes and some '
            'voxels'
        )
    blosc2 = _load_blosc2()
    array = np.ascontiguousarray(array, array.dtype.newbyteorder('<'))
    chunks = _fit(CHUNK, array.shape)
    options = blosc2.CParams(
        codec=blosc2.Codec.ZSTD,
        clevel=_LEVEL,
        filters=[blosc2.Filter.SHUFFLE],
        filters_meta=[0],
        typesize=array.itemsize,
        nthreads=1,
    )
    stored = blosc2.asarray(
        array, chunks=chunks, blocks=_fit(BLOCK, chunks), cparams=options
    )
    return bytes(stored.to_cframe())


def open_chunked(path: str | Path) -> 'ChunkedArray':
    """Open a file of :func:`write_chunked`; voxels are read later, as wanted.

    The file is not trusted: a header that is no plain array's, or that promises more
    than the file can hold, is refused before anything in it is expanded. Changed
    voxels are noticed only where they break their compression; the manifest has the
    file's hash.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, or damaged; the message names it.
        ImportError: Blosc2 is not installed.
    """
    return ChunkedArray(path)


class ChunkedArray:
    """An array on disk, read box by box; safe to share between threads and to pickle.

    Voxels are expanded by the calling thread alone, so that many workers do not
    compete for cores. The file stays mapped until the object is gone, and must not
    be changed in place meanwhile (a replacement by renaming is fine).

    Args:
        path: See :func:`open_chunked`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        blosc2 = _load_blosc2()
        if not self.path.is_file():
            raise FileNotFoundError(f'no volume at {self.path}')
        with self.path.open('rb') as stream:
            try:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:  # an empty file cannot be mapped
                raise self._explain('it is empty') from error
        expand = partial(blosc2.decompress2, nthreads=1)
        try:
            frame = check_frame(memoryview(self._map), expand)
            self._array = blosc2.ndarray_from_cframe(self._map, copy=False)
            agrees = (self._array.shape, self._array.dtype) == (
                frame.shape,
                frame.dtype,
            )
        except (DamagedError, RuntimeError) as error:
            raise self._explain(str(error)) from error
        if not agrees:
            raise self._explain('its header is ambiguous')
        self._array.schunk.dparams = blosc2.DParams(nthreads=1)
        self._frame: Frame = frame

    def __reduce__(self) -> tuple[type['ChunkedArray'], tuple[Path]]:
        return ChunkedArray, (self.path,)

    def __repr__(self) -> str:
        return f'ChunkedArray({str(self.path)!r}, {self.shape}, {self.dtype})'

    @property
    def shape(self) -> tuple[int, ...]:
        """Size in voxels, (Z, Y, X) for a volume."""
        return self._frame.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self._frame.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the parts that are compressed together."""
        return self._frame.chunks

    def read(self, box: Box | None = None) -> NDArray:
        """Values of a box, as a new array.

        Args:
            box: One slice an axis with bounds inside the array, e.g.
                ``(slice(10, 106), slice(0, 96), slice(32, 128))``; None for all.

        Raises:
            ValueError: Another number of axes, a step, an empty box or one that
                reaches beyond the array; or the file is damaged.
        """
        if box is None:
            box = [slice(None)] * len(self.shape)
        key = _check_box(box, self.shape)
        try:
            return np.asarray(self._array[key])
        except (RuntimeError, ValueError) as error:
            raise self._explain(f'a chunk cannot be expanded ({error})') from error

    def _explain(self, reason: str) -> ValueError:
        return ValueError(
            f'{self.path}: not a readable chunked volume ({reason}); prepare it again'
        )


def _check_box(box: Box, shape: tuple[int, ...]) -> tuple[slice, ...]:
    if len(box) != len(shape):
        raise ValueError(f'box has {len(box)} axes, expected {len(shape)}')
    key = []
    for part, length in zip(box, shape, strict=True):
        start = 0 if part.start is None else int(part.start)
        stop = length if part.stop is None else int(part.stop)
        if part.step not in (None, 1) or not 0 <= start < stop <= length:
            raise ValueError(
                f'box {tuple(box)} does not fit the shape {shape}, expected '
                '0 <= start < stop <= length; crop it and pad what is outside'
            )
        key.append(slice(start, stop))
    return tuple(key)


def _fit(part: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a chunk or block that is no larger than what it divides."""
    wanted = (1,) * len(shape) + tuple(part)
    return tuple(min(p, n) for p, n in zip(wanted[-len(shape) :], shape, strict=True))


def _load_blosc2() -> ModuleType:
    try:
        import blosc2
    except ImportError as error:
        raise ImportError(
            'chunked volumes need the package blosc2: pip install "mmmed[volumes]"'
        ) from error
    module: ModuleType = blosc2
    return module
