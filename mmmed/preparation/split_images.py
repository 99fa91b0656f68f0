"""What tells that two image files show the same: bytes, pixels, a small copy.

Not here: which of them may not be the same (``split_audit``).
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.files import hash_file
from mmmed.io import read_volume

# Sides of the small copy: enough to tell slices of one head apart, small enough to
# compare ten thousand images with each other in seconds.
_THUMB_SIDES = {2: 32, 3: 12}
_MAX_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What an image is recognized by.

    Args:
        sha256: Of the file's bytes; None for a folder of DICOM files.
        pixels: Hash of the decoded values, whatever the format, data type, compression
            and order of axes; None if they cannot be decoded, or are all one value,
            which tells nothing.
        thumb: Small copy, zero mean, unit length; None unless asked for, or as above.
        is_constant: Whether all pixels have one value.
        problem: Why the file cannot be decoded; None if it can.
    """

    sha256: str | None = None
    pixels: str | None = None
    thumb: NDArray[np.float32] | None = None
    is_constant: bool = False
    problem: str | None = None


def take_fingerprint(path: Path, *, with_thumb: bool = False) -> Fingerprint:
    """Read an image and take its fingerprint; a damaged one gets its problem.

    Args:
        path: Image file, or folder of one DICOM series.
        with_thumb: Also make the small copy.
    """
    sha256 = None
    try:
        sha256 = None if path.is_dir() else hash_file(path)
        whole = _read_canonical(path)
    except (ImportError, OSError, ValueError) as error:
        return Fingerprint(sha256, problem=str(error))
    array = whole.squeeze()
    if (array == array.flat[0]).all():
        return Fingerprint(sha256, is_constant=True)
    has_channels = whole.ndim == 4 and len(whole) > 1
    if has_channels and all(np.array_equal(array[0], other) for other in array[1:]):
        array, has_channels = array[0], False
    pixels = hash_pixels(array)
    if not with_thumb:
        return Fingerprint(sha256, pixels)
    return Fingerprint(
        sha256, pixels, _make_thumb(array.mean(0) if has_channels else array)
    )


def _read_canonical(path: Path) -> NDArray:
    """Values of an image or of a prepared volume, which is canonical already."""
    if path.suffix == '.npy':
        array: NDArray = np.load(path, allow_pickle=False)
        if array.ndim not in (3, 4) or not array.size or array.dtype.kind not in 'buif':
            raise ValueError(f'{path}: {array.dtype} of shape {array.shape}')
        return array
    return read_volume(path, nonfinite=0).reorient().array


def hash_pixels(array: NDArray) -> str:
    """SHA-256 of values and shape; equal numbers of another data type are the same.

    Args:
        array: Finite real numbers. Whole numbers are compared exactly, others as
            float32.
    """
    low, high = float(array.min()), float(array.max())
    whole = low >= -(2**63) and high < 2**63
    if array.dtype.kind == 'f':
        whole &= all((np.rint(block) == block).all() for block in _iterate(array))
    is_small = low >= -(2**31) and high < 2**31
    # Little-endian on every platform.
    kind = ('<i4' if is_small else '<i8') if whole else '<f4'
    digest = hashlib.sha256(f'{array.shape} {kind[1]}'.encode())
    for block in _iterate(array):
        # Adding zero turns -0.0 into 0.0, which is equal but has another byte.
        digest.update((block.astype(kind) + np.zeros(1, kind)).tobytes())
    return digest.hexdigest()


def find_near(
    thumbs: NDArray[np.float32], sides: NDArray[np.int64], similarity: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs of images on different sides that look alike.

    Args:
        thumbs: Small copies, shape (N, pixels).
        sides: Side of each image, shape (N,).
        similarity: Smallest correlation of the small copies that counts.

    Yields:
        Two indices, first < second, and the correlation.
    """
    block = max(_MAX_BLOCK // max(len(thumbs), 1), 1)
    for start in range(0, len(thumbs), block):
        alike = thumbs[start : start + block] @ thumbs.T
        for row, column in zip(*np.nonzero(alike >= similarity), strict=True):
            first = start + int(row)
            second = int(column)
            if first < second and sides[first] != sides[second]:
                yield first, second, float(alike[row, column])


def _iterate(array: NDArray) -> Iterator[NDArray]:
    """The array along its first axis in blocks of bounded size."""
    step = max(_MAX_BLOCK // max(math.prod(array.shape[1:]), 1), 1)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def _make_thumb(array: NDArray) -> NDArray[np.float32] | None:
    """Means of blocks of equal size, zero mean, unit length, flat."""
    side = _THUMB_SIDES.get(array.ndim)
    if side is None:
        return None
    thumb = array.astype(np.float32)
    for axis, length in enumerate(array.shape):
        edges = np.arange(side + 1) * length // side
        sums = np.add.reduceat(thumb, edges[:-1], axis=axis)
        shape = [-1 if other == axis else 1 for other in range(array.ndim)]
        thumb = sums / np.maximum(np.diff(edges), 1).reshape(shape)
    flat = (thumb - thumb.mean()).ravel()
    norm = float(np.linalg.norm(flat))
    return (flat / norm).astype(np.float32) if norm > 0 else None
