"""Arrays of prepared volumes, read box by box, whatever their files.

Not here: what is done with them (``volume_loading``), memory maps (``volume_maps``).
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmmed.datasets.transforms.volume_maps import VolumeMaps
from mmmed.functional.intensity import convert_grey
from mmmed.functional.packed_bits import get_packed_shape
from mmmed.io.chunked import open_chunked

Box = Sequence[tuple[int, int]]
# Positions kept of each class: more than a training draws from one volume.
_MAX_POSITIONS = 4096


class Foreground(NamedTuple):
    """Places of the labels of one volume.

    Attributes:
        labels: Which occur, ascending, without 0 and 255.
        positions: For each of them (n, 3) indices (Z, Y, X): all of them, or 4096
            spread evenly over the volume's order.
    """

    labels: tuple[int, ...]
    positions: tuple[NDArray[np.int32], ...]


class VolumeFiles:
    """Files of volumes and label maps, the most recently used ones kept open.

    ``.npy`` files are grey values of 8 or 16 bits, the latter given on the scale from
    0 to 255, or masks with bits packed along X; they are mapped. ``.b2nd`` files hold
    the values themselves, in compressed chunks.

    Args:
        capacity: Files kept open in a process, and tables of foreground.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.capacity = capacity
        self._maps = VolumeMaps(capacity)
        self._chunked: OrderedDict[str, Any] = OrderedDict()
        self._foreground: OrderedDict[str, Foreground] = OrderedDict()

    def __getstate__(self) -> dict:
        # A worker that is spawned opens its own.
        return {
            'capacity': self.capacity,
            '_maps': VolumeMaps(self.capacity),
            '_chunked': OrderedDict(),
            '_foreground': OrderedDict(),
        }

    def read_img(
        self, path: str, shape: Sequence[int], box: Box | None = None
    ) -> NDArray[np.float32]:
        """Values of a box of an image.

        Args:
            path: Its file.
            shape: (Z, Y, X) as the manifest says.
            box: (first, end) per axis, inside the volume; None for all.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged or of another shape.
        """
        if path.endswith('.npy'):
            part = self._maps.open(path, tuple(shape))[_to_slices(box)]
            return convert_grey(part, whole=False).astype(np.float32, copy=False)
        array = self._open(path, shape)
        return np.ascontiguousarray(_read(array, box), dtype=np.float32)

    def read_seg(
        self, path: str, shape: Sequence[int], box: Box | None = None
    ) -> NDArray[np.uint8]:
        """Labels of a box of a label map; arguments as :meth:`read_img`."""
        if not path.endswith('.npy'):
            array = self._open(path, shape)
            return np.ascontiguousarray(_read(array, box), dtype=np.uint8)
        packed = self._maps.open(path, get_packed_shape(tuple(shape)))
        if box is None:
            return np.unpackbits(packed, axis=-1, count=shape[2])
        first, end = box[2]
        part = packed[_to_slices((*box[:2], (first // 8, -(-end // 8))))]
        bits = np.unpackbits(part, axis=-1)
        return np.ascontiguousarray(bits[..., first % 8 : first % 8 + end - first])

    def find_foreground(self, path: str, shape: Sequence[int]) -> Foreground:
        """Where labels lie; the label map is read once in each process."""
        found = self._foreground.get(path)
        if found is None:
            found = _find_foreground(self.read_seg(path, shape))
            _remember(self._foreground, path, found, self.capacity)
        return found

    def _open(self, path: str, shape: Sequence[int]) -> Any:
        array = self._chunked.get(path)
        if array is None:
            array = open_chunked(path)
            _remember(self._chunked, path, array, self.capacity)
        if tuple(array.shape) != tuple(shape):
            raise ValueError(
                f'{path}: shape {tuple(array.shape)}, the manifest says '
                f'{tuple(shape)}; prepare the data again'
            )
        return array


def _remember(table: OrderedDict, key: str, value: Any, capacity: int) -> None:
    table[key] = value
    if len(table) > capacity:
        table.popitem(last=False)


def _to_slices(box: Box | None) -> tuple[slice, ...]:
    if box is None:
        return (slice(None),) * 3
    return tuple(slice(first, end) for first, end in box)


def _read(array: Any, box: Box | None) -> NDArray:
    if box is None:
        box = [(0, n) for n in array.shape]
    return np.asarray(array.read(_to_slices(box)))


def _find_foreground(seg: NDArray[np.uint8]) -> Foreground:
    counts = np.bincount(seg.reshape(-1), minlength=256)
    labels = [int(label) for label in np.flatnonzero(counts[1:255]) + 1]
    positions = []
    for label in labels:
        index = np.flatnonzero(seg.reshape(-1) == label)
        if len(index) > _MAX_POSITIONS:
            index = index[np.linspace(0, len(index) - 1, _MAX_POSITIONS).astype(int)]
        places = np.unravel_index(index, seg.shape)
        positions.append(np.stack(places, axis=1).astype(np.int32))
    return Foreground(tuple(labels), tuple(positions))
