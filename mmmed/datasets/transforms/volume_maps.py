"""Memory maps of ``.npy`` volumes: opened once, read slice by slice.

Not here: which slice (``volume_slice``), copies in another order (``turned_volumes``).
"""

import functools
import io
import math
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import torch

# Room for the header of any three-axis array.
_HEADER_BYTES = 128
GREY_TYPES = (np.dtype('<u2'), np.dtype('u1'))
VALUE_TYPES = (*GREY_TYPES, np.dtype('<i2'), np.dtype('<f4'))


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int


class VolumeMaps:
    """The most recently used volumes, mapped read-only.

    A map costs address space, no file descriptor; its pages are shared by all
    processes and given back by the system when memory is short.

    Args:
        capacity: Volumes kept open.
        types: Number types that are expected; grey values by default.
    """

    def __init__(
        self, capacity: int = 4096, types: tuple[np.dtype, ...] = GREY_TYPES
    ) -> None:
        self.capacity = capacity
        self.types = types
        self._maps: OrderedDict[str, np.ndarray] = OrderedDict()

    def __getstate__(self) -> dict:
        # A worker that is spawned opens its own.
        return {
            'capacity': self.capacity,
            'types': self.types,
            '_maps': OrderedDict(),
        }

    def holds(self, path: str) -> bool:
        """Whether a file is open."""
        return path in self._maps

    def open(self, path: str, shape: tuple[int, ...]) -> np.ndarray:
        """Array of a file; it must not be written to.

        Args:
            path: File that ``np.save`` has written, C order.
            shape: What the manifest says of it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not such a file, damaged, or of another shape.
        """
        found = self._maps.get(path)
        if found is None:
            found = self._maps[path] = _map(path, self.types)
            if len(self._maps) > self.capacity:
                self._maps.popitem(last=False)
        else:
            self._maps.move_to_end(path)
        if found.shape != shape:
            raise ValueError(
                f'{path}: shape {found.shape}, the manifest says {shape}; prepare the '
                'data again'
            )
        return found


def _map(path: str, types: tuple[np.dtype, ...]) -> np.ndarray:
    try:
        with open(path, 'rb') as stream:
            start = stream.read(_HEADER_BYTES)
            size = stream.seek(0, io.SEEK_END)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'no volume at {path}; prepare the data again'
        ) from error
    try:
        header = _parse(start, types)
    except ValueError as error:
        raise ValueError(f'{path}: {error}; prepare the data again') from error
    length = math.prod(header.shape) * header.dtype.itemsize
    if size != header.offset + length:
        raise ValueError(
            f'{path}: {size} bytes, expected {header.offset + length}; the file is '
            'cut off, prepare the data again'
        )
    # Unlike numpy.memmap it closes the file: hundreds of volumes stay open, and many
    # systems allow a process 1024 descriptors. Private: no write reaches the file.
    mapped = torch.from_file(path, shared=False, size=size, dtype=torch.uint8).numpy()
    array = mapped[header.offset :].view(header.dtype).reshape(header.shape)
    array.setflags(write=False)
    return array


@functools.lru_cache(maxsize=256)
def _parse(start: bytes, types: tuple[np.dtype, ...]) -> _Header:
    """What the header of a ``.npy`` file says; nothing is ever unpickled."""
    stream = io.BytesIO(start)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f'.npy version {version}, expected (1, 0)')
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if is_fortran or dtype not in types or len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f'{dtype} of shape {shape}{" in Fortran order" * is_fortran}, expected '
            f'{" or ".join(sorted(t.name for t in types))} of three axes in C order'
        )
    return _Header(shape, dtype, stream.tell())
