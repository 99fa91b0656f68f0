"""TurnedVolumes: copies of volumes in which sagittal slices are contiguous.

A sagittal slice of a volume in (Z, Y, X) order is one byte of every cache line: all of
the volume passes through the processor, fifty times the work of an axial slice. Not
here: reading slices (``volume_slice``).
"""

import hashlib
import io
import os

import numpy as np
from mmengine.logging import print_log

from mmmed.datasets.transforms.volume_maps import VolumeMaps
from mmmed.files import write_bytes_atomic
from mmmed.functional.packed_bits import get_packed_shape, pack_mask, unpack_mask

# Raise when the order of the copies changes.
_FORMAT = 1


class TurnedVolumes:
    """Copies in (X, Z, Y) order, made when a volume is first asked for.

    Files appear whole or not at all, so any number of processes may write the same
    one, and are found by the content hash of the original. The folder can be deleted
    at any time; a copy is as large as its original.

    Args:
        folder: Where the copies are.
        maps: Opens originals and copies.
    """

    def __init__(self, folder: str, maps: VolumeMaps) -> None:
        self.folder = folder
        self._maps = maps
        self._is_writable = True
        self._names: dict[tuple[str, str], str] = {}

    def open_img(
        self, path: str, shape: tuple[int, int, int], sha256: str
    ) -> np.ndarray | None:
        """Volume (X, Z, Y); None where no copy can be written."""
        depth, height, width = shape
        copy = self._find(sha256, 'img')
        if not self._has(copy):
            turned = self._maps.open(path, shape).transpose(2, 0, 1)
            if not self._write(copy, turned):
                return None
        return self._maps.open(copy, (width, depth, height))

    def open_seg(
        self, path: str, shape: tuple[int, int, int], sha256: str
    ) -> np.ndarray | None:
        """Mask (X, Z, ceil(Y / 8)), bits packed along Y; None likewise."""
        depth, height, width = shape
        copy = self._find(sha256, 'seg')
        if not self._has(copy):
            packed = self._maps.open(path, get_packed_shape(shape))
            turned = unpack_mask(packed, shape).transpose(2, 0, 1)
            if not self._write(copy, pack_mask(turned)):
                return None
        return self._maps.open(copy, get_packed_shape((width, depth, height)))

    def _find(self, sha256: str, kind: str) -> str:
        key = (sha256, kind)
        if key not in self._names:
            facts = repr((_FORMAT, kind, sha256)).encode()
            name = hashlib.sha256(facts).hexdigest()[:40]
            self._names[key] = f'{self.folder}/{name}.npy'
        return self._names[key]

    def _has(self, copy: str) -> bool:
        return self._maps.holds(copy) or os.path.isfile(copy)

    def _write(self, copy: str, array: np.ndarray) -> bool:
        if not self._is_writable:
            return False
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
        try:
            write_bytes_atomic(copy, stream.getbuffer())
        except OSError as error:
            self._is_writable = False
            print_log(
                f'sagittal slices are read slowly: cannot write to {self.folder} '
                f'({error}); set cache_dir to a folder with space',
                'current',
                30,
            )
        return self._is_writable
