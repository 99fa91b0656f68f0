"""Axial, coronal and sagittal: which array axis each runs along, slices out and in.

The only table of plane names. Not here: probabilities on their way back to a scan's
grid (``mmmed.inference``), axis permutations of a file (``orientation``).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

PLANE_AXES: Mapping[str, int] = MappingProxyType(
    {'axial': 0, 'coronal': 1, 'sagittal': 2}
)
"""Axis of (Z, Y, X) along which the slices of each plane are counted."""

PLANES = tuple(PLANE_AXES)

_Value = TypeVar('_Value')


def get_plane_axis(plane: str) -> int:
    """Axis of (Z, Y, X) along which the slices of a plane are counted.

    Raises:
        ValueError: No such plane.
    """
    if plane not in PLANE_AXES:
        raise ValueError(f'no plane {plane!r}, expected one of {", ".join(PLANES)}')
    return PLANE_AXES[plane]


def drop_plane_axis(values: Sequence[_Value], plane: str) -> tuple[_Value, _Value]:
    """What is left for a slice of three values in (Z, Y, X) order.

    Args:
        values: Shape or spacing of a volume.
        plane: One of ``PLANES``.

    Returns:
        Shape or spacing of a slice: axial (Y, X), coronal (Z, X), sagittal (Z, Y).

    Example:
        >>> drop_plane_axis((189, 233, 197), 'coronal')
        (189, 197)
    """
    if len(values) != 3:
        raise ValueError(f'{len(values)} value(s), expected three in (Z, Y, X) order')
    axis = get_plane_axis(plane)
    first, second = (value for i, value in enumerate(values) if i != axis)
    return first, second


def count_slices(shape: Sequence[int], plane: str) -> int:
    """Number of slices of a plane in a volume of shape (Z, Y, X)."""
    if len(shape) != 3:
        raise ValueError(f'shape is {tuple(shape)}, expected (Z, Y, X)')
    return shape[get_plane_axis(plane)]


def extract_slice(volume: Any, plane: str, index: int) -> Any:
    """One slice, without a copy and without flips or rotations.

    Args:
        volume: Array, memory map or tensor of shape (..., Z, Y, X).
        plane: One of ``PLANES``.
        index: Slice number from 0.

    Returns:
        A view: axial (..., Y, X), coronal (..., Z, X), sagittal (..., Z, Y).

    Raises:
        ValueError: No such plane.
        IndexError: No such slice; negative numbers are refused too, they are almost
            always neighbours beyond the end.
    """
    return volume[_locate(volume.shape, plane, index)]


def insert_slice(volume: Any, plane: str, index: int, values: Any) -> None:
    """Overwrite one slice in place; arguments and errors as :func:`extract_slice`."""
    volume[_locate(volume.shape, plane, index)] = values


def split_slices(volume: Any, plane: str) -> Any:
    """The slices of a plane side by side: the slice axis moved to the front of three.

    Args:
        volume: Array or tensor of shape (..., Z, Y, X).
        plane: One of ``PLANES``.

    Returns:
        A view of shape (..., N, H, W); entry n is ``extract_slice(.., n)``.
    """
    axis = get_plane_axis(plane)
    if axis == 2:
        volume = volume.swapaxes(-1, -2)
    return volume if axis == 0 else volume.swapaxes(-2, -3)


def join_slices(slices: Any, plane: str) -> Any:
    """The inverse of :func:`split_slices`.

    Args:
        slices: Array or tensor of shape (..., N, H, W).
        plane: One of ``PLANES``.

    Returns:
        A view of shape (..., Z, Y, X).
    """
    axis = get_plane_axis(plane)
    if axis == 0:
        return slices
    volume = slices.swapaxes(-2, -3)
    return volume if axis == 1 else volume.swapaxes(-1, -2)


def assemble_volume(slices: Sequence[NDArray], plane: str) -> NDArray:
    """A volume from all its slices in order.

    Args:
        slices: N arrays of shape (H, W).
        plane: One of ``PLANES``.

    Returns:
        Shape (Z, Y, X), C-contiguous.

    Raises:
        ValueError: No slices, or their shapes differ.
    """
    return np.ascontiguousarray(join_slices(np.stack(slices), plane))


def _locate(shape: Sequence[int], plane: str, index: int) -> tuple[Any, ...]:
    if len(shape) < 3:
        raise ValueError(f'shape is {tuple(shape)}, expected (..., Z, Y, X)')
    axis = get_plane_axis(plane)
    number = shape[len(shape) - 3 + axis]
    if not 0 <= index < number:
        raise IndexError(f'{plane} slice {index}, expected 0 to {number - 1}')
    return (..., index, *(slice(None),) * (2 - axis))
