"""Volume: a 3-D image with its geometry, checked when it is made.

Not here: reading files (``mmmed.io``) or resampling (``mmmed.functional``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# World axes (x, y, z) of an RAS affine: the letter towards + and the one towards -.
_LETTERS = (('R', 'L'), ('A', 'P'), ('S', 'I'))


@dataclass(frozen=True, eq=False)
class Volume:
    """Image values on a regular grid in patient space.

    Everything is in array-axis order. The affine maps an array index (z, y, x, 1) to
    millimetres to the patient's right, anterior and superior; its columns are thus
    the steps along Z, Y and X. The array is not copied.

    Args:
        array: Shape (Z, Y, X) or (C, Z, Y, X), numeric or boolean, not empty.
        spacing: Voxel size (Z, Y, X) in mm, > 0.
        affine: Shape (4, 4), its columns as long as ``spacing`` (relative 1e-3).
            None puts Z towards superior, Y towards anterior and X towards right,
            with the first voxel at the origin.

    Raises:
        ValueError: The array has another number of axes or no voxel, or spacing and
            affine are not finite, not invertible or disagree.
    """

    array: NDArray
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        _check_array(self.array)
        spacing = _as_spacing(self.spacing)
        object.__setattr__(self, 'spacing', spacing)
        affine = _make_affine(spacing) if self.affine is None else self.affine
        object.__setattr__(self, 'affine', _as_affine(affine, spacing))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (Z, Y, X) in voxels, without channels."""
        depth, height, width = self.array.shape[-3:]
        return depth, height, width

    @property
    def orientation(self) -> str:
        """Where Z, Y and X point, e.g. ``'SPL'`` = superior, posterior, left.

        Oblique axes are named after the nearest patient axis; two array axes never
        get the same one.
        """
        assert self.affine is not None
        directions = self.affine[:3, :3] / np.asarray(self.spacing)
        letters = [''] * 3
        left = np.abs(directions)
        for _ in range(3):
            world, axis = np.unravel_index(np.argmax(left), left.shape)
            positive, negative = _LETTERS[world]
            letters[axis] = positive if directions[world, axis] > 0 else negative
            left[world, :] = -1
            left[:, axis] = -1
        return ''.join(letters)

    def reorient(self, orientation: str) -> 'Volume':
        """The same voxels with axes permuted and flipped, nothing resampled.

        Args:
            orientation: Wanted direction of Z, Y and X, as :attr:`orientation` names
                it; ``'SPL'`` shows axial slices as radiologists do.

        Returns:
            A volume that shares memory with this one.

        Raises:
            ValueError: Not one letter for each of the three patient axes.
        """
        wanted = [_find_world_axis(letter) for letter in orientation]
        if sorted(wanted) != [0, 1, 2]:
            raise ValueError(
                f'orientation {orientation!r}, expected one of R/L, one of A/P and '
                'one of S/I, such as "SPL"'
            )
        assert self.affine is not None
        have = [_find_world_axis(letter) for letter in self.orientation]
        order = [have.index(world) for world in wanted]
        channels = self.array.ndim - 3
        array = np.moveaxis(
            self.array,
            [channels + axis for axis in order],
            [channels, channels + 1, channels + 2],
        )
        affine = self.affine[:, [*order, 3]].copy()
        for axis, letter in enumerate(orientation):
            if self.orientation[order[axis]] != letter:
                array = np.flip(array, channels + axis)
                last = array.shape[channels + axis] - 1
                affine[:3, 3] += affine[:3, axis] * last
                affine[:3, axis] *= -1
        depth, height, width = (self.spacing[axis] for axis in order)
        return Volume(array, (depth, height, width), affine)


def _check_array(array: NDArray) -> None:
    if not isinstance(array, np.ndarray) or array.ndim not in (3, 4):
        raise ValueError(
            f'volume array has shape {np.shape(array)}, expected (Z, Y, X) or '
            '(C, Z, Y, X)'
        )
    if array.size == 0:
        raise ValueError(f'volume array has shape {array.shape}, expected some voxels')
    if array.dtype.kind not in 'buif':
        raise ValueError(f'volume array is {array.dtype}, expected real numbers')


def _as_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    values = tuple(float(value) for value in spacing)
    if len(values) != 3 or not all(math.isfinite(v) and v > 0 for v in values):
        raise ValueError(f'spacing is {spacing!r}, expected three mm > 0 (Z, Y, X)')
    return values


def _make_affine(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing
    affine[3, 3] = 1
    return affine


def _as_affine(affine: NDArray, spacing: Sequence[float]) -> NDArray[np.float64]:
    affine = np.array(affine, dtype=np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError(f'affine is {affine!r}, expected 4x4 finite numbers')
    if not np.array_equal(affine[3], [0, 0, 0, 1]):
        raise ValueError(f'last row of the affine is {affine[3]}, expected 0 0 0 1')
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.allclose(lengths, spacing, rtol=1e-3, atol=0):
        raise ValueError(
            f'affine steps are {lengths} mm, expected the spacing {tuple(spacing)}'
        )
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise ValueError('affine is not invertible: two axes point the same way')
    affine.setflags(write=False)
    return affine


def _find_world_axis(letter: str) -> int:
    for axis, letters in enumerate(_LETTERS):
        if letter in letters:
            return axis
    return -1
