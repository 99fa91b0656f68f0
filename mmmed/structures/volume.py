"""Volume: a 3-D image with its geometry, checked when it is made.

Not here: reading files (``mmmed.io``); the maths of grids (``mmmed.functional``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional import geometry, orientation

# Array axes of the canonical orientation: a file whose x, y, z point right, anterior
# and superior (RAS+) holds Z, Y, X towards S, A, R.
CANONICAL = 'SAR'

_Order = tuple[int, int, int]
_Flips = tuple[bool, bool, bool]


@dataclass(frozen=True, eq=False)
class VolumeSource:
    """Where a volume came from: what its file knew beyond array and grid.

    Args:
        path: File or folder.
        format: ``'nifti'``, ``'nrrd'``, ``'mha'``, ``'dicom'``, ``'dicom-seg'`` or
            ``'image'``.
        stored_dtype: Type of the values in the file.
        scaling: Slope and intercept from stored to real values; (1, 0) if none.
        header: The format's own header, opaque outside ``mmmed.io``.
        notes: What a user should know about this file, in sentences: what was
            corrected, replaced, skipped or guessed.
    """

    path: str
    format: str
    stored_dtype: np.dtype
    scaling: tuple[float, float] = (1.0, 0.0)
    header: Any = None
    notes: tuple[str, ...] = ()


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
        source: What the file knew beyond that; writing in the same format keeps it.

    Raises:
        ValueError: The array has another number of axes or no voxel, or spacing and
            affine are not finite, not invertible or disagree.
    """

    array: NDArray
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64] | None = None
    source: VolumeSource | None = None
    # The grid that this one was made from by flips and permutations, and how: going
    # back then gives the same bits, which adding up origins would not.
    _parent: 'tuple[Volume, _Order, _Flips] | None' = field(
        default=None, init=False, repr=False
    )

    def __post_init__(self) -> None:
        _check_array(self.array)
        spacing = _as_spacing(self.spacing)
        object.__setattr__(self, 'spacing', spacing)
        affine = self.affine
        if affine is None:
            affine = geometry.make_affine(spacing)
        object.__setattr__(self, 'affine', _as_affine(affine, spacing))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (Z, Y, X) in voxels, without channels."""
        depth, height, width = self.array.shape[-3:]
        return depth, height, width

    @property
    def grid(self) -> NDArray[np.float64]:
        """The affine, which is never None once the volume exists."""
        assert self.affine is not None
        return self.affine

    @property
    def orientation(self) -> str:
        """Where Z, Y and X point, e.g. ``'SPL'`` = superior, posterior, left.

        Oblique axes are named after the nearest patient axis; two array axes never
        get the same one.
        """
        return orientation.name_orientation(self.grid)

    def replace_array(self, array: NDArray) -> 'Volume':
        """Other values on the same grid, such as the mask of an image.

        Args:
            array: Shape (Z, Y, X) or (C, Z, Y, X), with this volume's Z, Y, X.

        Raises:
            ValueError: Another shape.
        """
        if array.shape[-3:] != self.shape:
            raise ValueError(
                f'array of shape {array.shape} on a grid of {self.shape}, expected '
                'the same Z, Y, X; resample it to the grid first'
            )
        volume = Volume(array, self.spacing, self.affine, self.source)
        object.__setattr__(volume, '_parent', self._parent)
        return volume

    def reorient(self, wanted: str = CANONICAL) -> 'Volume':
        """The same voxels with axes permuted and flipped, nothing resampled.

        Back and forth gives the same affine to the last bit, also for other values
        on the grid (:meth:`replace_array`).

        Args:
            wanted: Direction of Z, Y and X, as :attr:`orientation` names it. The
                default is canonical (RAS+ in x-y-z order); ``'SPL'`` shows axial
                slices as radiologists do.

        Returns:
            A volume that shares memory with this one.

        Raises:
            ValueError: Not one letter for each of the three patient axes.
        """
        order, flips = orientation.plan_reorientation(self.orientation, wanted)
        array = orientation.reorient_array(self.array, order, flips)
        depth, height, width = (self.spacing[axis] for axis in order)
        first, before, flipped = self._parent or (self, (0, 1, 2), (False,) * 3)
        a, b, c = (before[axis] for axis in order)
        d, e, f = (flipped[order[k]] != flips[k] for k in range(3))
        affine = orientation.reorient_affine(
            first.grid, first.shape, (a, b, c), (d, e, f)
        )
        volume = Volume(array, (depth, height, width), affine, self.source)
        # Only the parent's grid is needed; its values must not be kept alive.
        if first is self:
            first = Volume(_hollow(self.shape), self.spacing, self.affine)
        object.__setattr__(volume, '_parent', (first, (a, b, c), (d, e, f)))
        return volume

    def resample(
        self,
        spacing: Sequence[float],
        *,
        mode: str = 'linear',
        labels: bool = False,
    ) -> 'Volume':
        """The same field of view at another voxel size, about the same center.

        Args:
            spacing: Wanted voxel size (Z, Y, X) in mm, > 0.
            mode: As for :meth:`resample_to`.
            labels: As for :meth:`resample_to`.
        """
        shape, affine = geometry.plan_spacing(self.shape, self.grid, spacing)
        return self._resample(shape, affine, mode, labels, 0)

    def resample_to(
        self,
        other: 'Volume',
        *,
        mode: str = 'linear',
        labels: bool = False,
        fill: float = 0,
    ) -> 'Volume':
        """Values at the voxels of another volume.

        Args:
            other: Whose grid to take; its values do not matter.
            mode: Images: ``'linear'``, ``'nearest'``, ``'cubic'``. Labels:
                ``'nearest'``, or ``'linear'`` per class, the largest share wins.
            labels: Whether the values are labels.
            fill: Value outside this volume, e.g. -1024 for CT.

        Raises:
            ValueError: Unknown mode, or labels that are not integers.
        """
        return self._resample(other.shape, other.grid, mode, labels, fill)

    def check_grid(self, other: 'Volume', *, tolerance_mm: float = 1e-3) -> None:
        """Raise unless another volume lies on this grid.

        Args:
            other: Typically the label map of this image.
            tolerance_mm: Largest acceptable distance between equal voxels, in mm;
                the default covers the rounding of file formats.

        Raises:
            ValueError: Shapes differ, or voxels lie apart; the message gives the
                largest difference in mm and between matrix entries.
        """
        names = f'{_name(self, "volume")} and {_name(other, "other volume")}'
        if self.shape != other.shape:
            raise ValueError(
                f'{names}: grids of {self.shape} and {other.shape} voxels (Z, Y, X), '
                'expected the same; resample one to the other'
            )
        apart_mm = geometry.compute_grid_difference(self.grid, other.grid, self.shape)
        if apart_mm > tolerance_mm:
            entry = float(np.abs(self.grid - other.grid).max())
            turned = self.orientation != other.orientation
            raise ValueError(
                f'{names}: voxels lie up to {apart_mm:.4g} mm apart (largest affine '
                f'difference {entry:.4g}), expected <= {tolerance_mm:g} mm; '
                + (
                    f'orientations {self.orientation} and {other.orientation} differ, '
                    'reorient one'
                    if turned
                    else 'resample one to the other'
                )
            )

    def _resample(
        self,
        shape: tuple[int, int, int],
        affine: NDArray,
        mode: str,
        labels: bool,
        fill: float,
    ) -> 'Volume':
        # Only those who resample wait for torch.
        from mmmed.functional import resampling

        index_map = geometry.compute_index_map(affine, self.grid)
        channels = self.array.reshape(-1, *self.shape)
        parts = []
        for channel in channels:
            if labels:
                part = resampling.resample_labels(
                    channel, index_map, shape, mode=mode, fill=int(fill)
                )
            else:
                part = resampling.resample_image(
                    channel, index_map, shape, mode=mode, fill=fill
                )
            parts.append(part)
        array = parts[0] if self.array.ndim == 3 else np.stack(parts)
        return Volume(array, geometry.compute_spacing(affine), affine, self.source)


def _name(volume: Volume, otherwise: str) -> str:
    return volume.source.path if volume.source else otherwise


def _hollow(shape: tuple[int, int, int]) -> NDArray:
    """An array of this shape that takes one byte."""
    return np.broadcast_to(np.zeros((), dtype=np.uint8), shape)


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


def _as_affine(affine: NDArray, spacing: Sequence[float]) -> NDArray[np.float64]:
    affine = np.array(affine, dtype=np.float64)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError(f'affine is {affine.tolist()}, expected 4x4 finite numbers')
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
