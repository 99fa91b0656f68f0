"""SliceStack: a series as slices of one plane, and the exact way back to its own grid.

Axes are permuted and flipped, never interpolated. Not here: resampling within slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.orientation import plan_reorientation, reorient_array
from mmmed.functional.planes import PLANES, get_plane_axis
from mmmed.inference.recipe import PICTURE_PLANES, VOLUME_PLANES
from mmmed.structures import Volume

# A slice at least this much thicker than its pixels are wide was acquired as a slice.
_THICK = 1.5
_ISOTROPIC_PLANE = 'sagittal'


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices as training sees them: axial (Y, X), coronal (Z, X), sagittal (Z, Y).

    Rows and columns run towards superior, anterior and right of the patient.

    Args:
        img: Values, shape (S, H, W), float32.
        spacing: (S, H, W) in mm.
        plane: One of ``PLANES``.
        orientation: Of the series' own array, three letters.
    """

    img: NDArray[np.float32]
    spacing: tuple[float, float, float]
    plane: str
    orientation: str

    @classmethod
    def from_volume(
        cls,
        volume: Volume,
        *,
        plane: str | None = None,
        picture_plane: str = _ISOTROPIC_PLANE,
    ) -> 'SliceStack':
        """The slices of a series.

        Args:
            volume: One channel.
            plane: Plane of the slices; None for :func:`find_acquisition_plane`, and
                for pictures.
            picture_plane: Plane of pictures (``volume.source.format`` is
                ``'image'``), which have no geometry; they are taken to be turned as
                radiologists look at them.

        Raises:
            ValueError: Several channels, values that are not real and finite numbers,
                or no such plane.
        """
        orientation = volume.orientation
        if volume.source is not None and volume.source.format == 'image':
            get_plane_axis(picture_plane)
            plane, orientation = picture_plane, PICTURE_PLANES[picture_plane]
        plane = plane or find_acquisition_plane(orientation, volume.spacing)
        get_plane_axis(plane)
        order, flips = plan_reorientation(orientation, VOLUME_PLANES[plane])
        img = reorient_array(check_values(volume), order, flips)
        depth, height, width = (volume.spacing[axis] for axis in order)
        # float32 of what is float64 already; a copy lies slice by slice.
        img = np.ascontiguousarray(img, dtype=np.float32)
        return cls(img, (depth, height, width), plane, orientation)

    def restore(self, array: Any) -> NDArray:
        """Values of the stack on the series' own array grid.

        Args:
            array: Shape (S, H, W), any type.

        Returns:
            Shape (Z, Y, X) of the series, C-contiguous; the same values.

        Raises:
            ValueError: Another shape.
        """
        array = np.asarray(array)
        if array.shape != self.img.shape:
            raise ValueError(
                f'array of shape {array.shape} for a stack of {self.img.shape}, '
                'expected the same (S, H, W)'
            )
        order, flips = plan_reorientation(VOLUME_PLANES[self.plane], self.orientation)
        return np.ascontiguousarray(reorient_array(array, order, flips))

    @property
    def slice_axis(self) -> int:
        """Axis, 0 to 2, of the series' own array along which slices are counted."""
        order, _ = plan_reorientation(VOLUME_PLANES[self.plane], self.orientation)
        return order.index(0)

    def number_slices(self, slices: Sequence[int]) -> tuple[int, ...]:
        """Numbers of slices of the stack along :attr:`slice_axis`, sorted."""
        order, flips = plan_reorientation(VOLUME_PLANES[self.plane], self.orientation)
        count = len(self.img)
        if flips[order.index(0)]:
            return tuple(sorted(count - 1 - int(index) for index in slices))
        return tuple(sorted(int(index) for index in slices))


def find_acquisition_plane(orientation: str, spacing: Sequence[float]) -> str:
    """Plane that a series was acquired in: across its thickest axis.

    Args:
        orientation: Of the array, three letters.
        spacing: Along its axes, in mm.

    Returns:
        One of ``PLANES``; sagittal where the voxels are nearly cubes (the largest
        spacing less than 1.5 times the next).

    Example:
        >>> find_acquisition_plane('SAR', (0.7, 0.7, 3.0))
        'sagittal'
    """
    order, _ = plan_reorientation(orientation, 'SAR')
    canonical = [float(spacing[axis]) for axis in order]
    thickest = int(np.argmax(canonical))
    others = canonical[:thickest] + canonical[thickest + 1 :]
    if canonical[thickest] < _THICK * max(others):
        return _ISOTROPIC_PLANE
    return next(plane for plane in PLANES if get_plane_axis(plane) == thickest)


def check_values(volume: Volume) -> NDArray:
    """Array of a series of one channel with real, finite values.

    Returns:
        Shape (Z, Y, X), a view.

    Raises:
        ValueError: Anything else.
    """
    array = volume.array
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim != 3:
        raise ValueError(
            f'series has {len(array)} channels or time points (shape {array.shape}), '
            'expected one; choose one of them first'
        )
    if array.dtype.kind not in 'biuf':
        raise ValueError(f'series holds {array.dtype}, expected real numbers')
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise ValueError(
            f'series holds NaN or infinity in {count} voxel(s); repair it, or read it '
            'with a value that replaces them'
        )
    return array
