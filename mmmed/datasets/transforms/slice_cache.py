"""SliceCache: decoded slices on disk, shared by all workers and processes.

Not here: decoding (``mmmed.datasets.transforms.loading``).
"""

import functools
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from mmmed.files import write_bytes_atomic

# Words before the pixels: mark, shapes of img (3) and seg (2), ori_shape (2),
# padding (4), number of label rows, check sum. No label row: no label map. After
# the pixels: how often each label row occurs.
_MARK = 0x6D6D6D6564_01
_NUM_WORDS = 14
_NPY_BYTES = 128


class DecodedSlice(NamedTuple):
    """What is kept of one case.

    Attributes:
        img: Shape (H, W, C), uint8.
        seg: Label map, shape (H, W) or its original shape, uint8; None if unlabelled.
        ori_shape: Shape (Y, X) of the image file.
        padding: Letterbox margins: left, right, top, bottom.
    """

    img: np.ndarray
    seg: np.ndarray | None
    ori_shape: tuple[int, int]
    padding: tuple[int, int, int, int]


class SliceCache:
    """One ``.npy`` file of 64-bit words per case: a header, then the pixels.

    Files appear whole or not at all, so any number of processes may write the same
    one, and a kill leaves at most a hidden temporary file. Every read checks the
    length and a sum over all words; a file that fails is decoded again and replaced.
    Nothing is ever unpickled. The folder can be deleted at any time.

    Args:
        folder: Where the files are; made at the first write.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._is_writable = True

    def read(self, key: str) -> DecodedSlice | None:
        """The slice stored under a key, in fresh arrays, or None."""
        path = f'{self.folder}/{key}.npy'
        try:
            words = np.fromfile(path, dtype='<u8')
        except OSError:
            return None
        found = _unpack(words)
        if found is None:
            print_log(f'{path} is damaged and is made again', 'current', 30)
        return found

    def write(self, key: str, decoded: DecodedSlice) -> None:
        """Store a slice; a folder that cannot be written is reported, once."""
        if not self._is_writable:
            return
        try:
            write_bytes_atomic(self.folder / f'{key}.npy', _pack(decoded))
        except OSError as error:
            self._is_writable = False
            print_log(
                f'decoded slices are not kept: cannot write to {self.folder} '
                f'({error}); set cache_dir to a folder with space',
                'current',
                30,
            )


def _pack(decoded: DecodedSlice) -> bytes:
    seg = np.zeros((0, 0), np.uint8) if decoded.seg is None else decoded.seg
    rows, lengths = _fold_rows(seg)
    pixels = decoded.img.tobytes() + rows.tobytes()
    pixels += bytes(-len(pixels) % 8)
    body = np.frombuffer(pixels + lengths.tobytes(), dtype='<u8')
    facts = (*decoded.img.shape, *seg.shape, *decoded.ori_shape, *decoded.padding)
    header = np.array((_MARK, *facts, len(lengths), 0), dtype='<u8')
    header[-1] = _sum(header, body)
    size = len(header) + len(body)
    return _npy_header(size) + header.tobytes() + body.tobytes()


def _unpack(words: np.ndarray) -> DecodedSlice | None:
    lead = _NPY_BYTES // 8
    size = len(words) - lead
    if size < _NUM_WORDS or words[:lead].tobytes() != _npy_header(size):
        return None
    header, body = words[lead : lead + _NUM_WORDS], words[lead + _NUM_WORDS :]
    stored = int(header[-1])
    header[-1] = 0
    if header[0] != _MARK or stored != _sum(header, body):
        return None
    _, h, w, c, seg_h, seg_w, *rest, num_rows, _ = header.tolist()
    pixels, lengths = body.view(np.uint8), body[len(body) - num_rows :]
    # A sum that fits by chance, or a file of another program.
    if (
        len(body) != -(-(h * w * c + num_rows * seg_w) // 8) + num_rows
        or int(lengths.sum()) != seg_h
    ):
        return None
    img = pixels[: h * w * c].reshape(h, w, c)
    rows = pixels[h * w * c :][: num_rows * seg_w].reshape(num_rows, seg_w)
    seg = np.repeat(rows, lengths.astype(np.int64), axis=0) if num_rows else None
    return DecodedSlice(img, seg, tuple(rest[:2]), tuple(rest[2:]))


def _fold_rows(seg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ from the row above, and how often each occurs in a run.

    Label maps are mostly background: this halves the files and their reading.
    """
    is_new = np.ones(len(seg), bool)
    is_new[1:] = (seg[1:] != seg[:-1]).any(axis=1)
    starts = np.flatnonzero(is_new)
    return seg[starts], np.diff(starts, append=len(seg)).astype('<u8')


def _sum(header: np.ndarray, body: np.ndarray) -> int:
    # Any change within one word is seen, at a tenth of the cost of a CRC; kills
    # cannot tear a file, so this guards against failing storage only.
    return (int(header.sum()) + int(body.sum())) % 2**64


@functools.lru_cache(maxsize=256)
def _npy_header(size: int) -> bytes:
    """First bytes of the .npy file of an array of 64-bit words, shape (size,)."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {'descr': '<u8', 'fortran_order': False, 'shape': (size,)}
    )
    header = stream.getvalue()
    assert len(header) == _NPY_BYTES, 'NumPy pads this header to 128 bytes'
    return header
