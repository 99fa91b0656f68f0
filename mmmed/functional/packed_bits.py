"""Binary volumes at one bit a voxel, and slices of them without unpacking the rest.

The rows along X are packed: a mask of shape (Z, Y, X) becomes (Z, Y, ceil(X / 8))
bytes, the first voxel in the highest bit, the last byte filled with zeros.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.planes import extract_slice, get_plane_axis


def get_packed_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Shape of the packed bytes of a mask of shape (Z, Y, X)."""
    depth, height, width = shape
    return depth, height, -(-width // 8)


def pack_mask(mask: NDArray) -> NDArray[np.uint8]:
    """Pack a binary volume.

    Args:
        mask: Shape (Z, Y, X); whatever is not 0 is 1.

    Returns:
        Shape (Z, Y, ceil(X / 8)).
    """
    if mask.ndim != 3:
        raise ValueError(f'mask has shape {mask.shape}, expected (Z, Y, X)')
    return np.packbits(mask != 0, axis=-1)


def unpack_mask(packed: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.bool_]:
    """The inverse of :func:`pack_mask`.

    Args:
        packed: Shape (Z, Y, ceil(X / 8)).
        shape: (Z, Y, X) of the mask.

    Raises:
        ValueError: The bytes are not those of a mask of this shape.
    """
    _check_packed(packed, shape)
    return np.unpackbits(packed, axis=-1, count=shape[2]).view(np.bool_)


def extract_packed_slice(
    packed: NDArray[np.uint8], shape: Sequence[int], plane: str, index: int
) -> NDArray[np.bool_]:
    """One slice of a packed mask; only its own bytes are read.

    Args:
        packed: Array or memory map of shape (Z, Y, ceil(X / 8)).
        shape: (Z, Y, X) of the mask.
        plane: One of ``mmmed.functional.planes.PLANES``.
        index: Slice number from 0.

    Returns:
        Shape (H, W) as :func:`~mmmed.functional.planes.extract_slice` gives it.

    Raises:
        ValueError: The bytes are not those of a mask of this shape, or no such plane.
        IndexError: No such slice.
    """
    _check_packed(packed, shape)
    if get_plane_axis(plane) < 2:
        rows = extract_slice(packed, plane, index)
        return np.unpackbits(rows, axis=-1, count=shape[2]).view(np.bool_)
    if not 0 <= index < shape[2]:
        raise IndexError(f'{plane} slice {index}, expected 0 to {shape[2] - 1}')
    bit = np.uint8(1 << (7 - index % 8))
    return np.asarray(packed[:, :, index // 8] & bit) != 0


def _check_packed(packed: NDArray[np.uint8], shape: Sequence[int]) -> None:
    if packed.dtype != np.uint8 or packed.shape != get_packed_shape(shape):
        raise ValueError(
            f'packed mask is {packed.dtype} of shape {packed.shape}, expected uint8 '
            f'of {get_packed_shape(shape)} for a mask of {tuple(shape)} (Z, Y, X)'
        )
