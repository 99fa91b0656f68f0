"""Directions of array axes in the patient, and the way from one set to another.

Affines here map array indices (z, y, x, 1) to RAS+ millimetres. Nothing is resampled:
see ``mmmed.functional.resampling``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# World axes (x, y, z) of an RAS affine: the letter towards + and the one towards -.
_LETTERS = (('R', 'L'), ('A', 'P'), ('S', 'I'))


def name_orientation(affine: NDArray) -> str:
    """Where the three array axes point, as letters of R/L, A/P and S/I.

    Oblique axes are named after the nearest patient axis; two array axes never get
    the same one.

    Args:
        affine: Shape (4, 4), invertible.

    Returns:
        Three letters in array-axis order, ``'SAR'`` for an affine that is diagonal
        in x-y-z order.
    """
    steps = np.asarray(affine, dtype=np.float64)[:3, :3]
    directions = steps / np.linalg.norm(steps, axis=0)
    letters = [''] * 3
    left = np.abs(directions)
    for _ in range(3):
        world, axis = np.unravel_index(np.argmax(left), left.shape)
        positive, negative = _LETTERS[world]
        letters[axis] = positive if directions[world, axis] > 0 else negative
        left[world, :] = -1
        left[:, axis] = -1
    return ''.join(letters)


def plan_reorientation(
    current: str, wanted: str
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axis goes where, and which are reversed.

    Args:
        current: Orientation as :func:`name_orientation` gives it.
        wanted: Likewise.

    Returns:
        ``order``: for each new axis the old one; ``flips``: whether it is reversed.

    Raises:
        ValueError: Not one letter for each of the three patient axes.
    """
    have = [_find_world_axis(letter) for letter in current]
    want = [_find_world_axis(letter) for letter in wanted]
    for axes, text in ((have, current), (want, wanted)):
        if sorted(axes) != [0, 1, 2]:
            raise ValueError(
                f'orientation {text!r}, expected one of R/L, one of A/P and one of '
                'S/I, such as "SPL"'
            )
    first, second, third = (have.index(world) for world in want)
    order = (first, second, third)
    flips = tuple(current[order[axis]] != wanted[axis] for axis in range(3))
    return order, (flips[0], flips[1], flips[2])


def reorient_array(
    array: NDArray, order: Sequence[int], flips: Sequence[bool]
) -> NDArray:
    """Permute, then reverse the last three axes.

    Args:
        array: Shape (Z, Y, X) or (C, Z, Y, X).
        order: For each new axis the old one, 0 to 2.
        flips: Whether each new axis is reversed.

    Returns:
        A view of ``array``.
    """
    lead = array.ndim - 3
    array = np.transpose(array, (*range(lead), *(lead + axis for axis in order)))
    return np.flip(array, tuple(lead + axis for axis in range(3) if flips[axis]))


def reorient_affine(
    affine: NDArray,
    shape: Sequence[int],
    order: Sequence[int],
    flips: Sequence[bool],
) -> NDArray[np.float64]:
    """The affine that goes with :func:`reorient_array`.

    Args:
        affine: Shape (4, 4), of the old array.
        shape: (Z, Y, X) of the old array.
        order: As for :func:`reorient_array`.
        flips: As for :func:`reorient_array`.

    Returns:
        Shape (4, 4); every voxel keeps its place.
    """
    affine = np.array(affine, dtype=np.float64)
    moved = affine[:, [*order, 3]]
    for axis in range(3):
        if flips[axis]:
            moved[:3, 3] += moved[:3, axis] * (shape[order[axis]] - 1)
            moved[:3, axis] *= -1
    return moved


def _find_world_axis(letter: str) -> int:
    for axis, letters in enumerate(_LETTERS):
        if letter in letters:
            return axis
    return -1
