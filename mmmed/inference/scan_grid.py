"""ScanGrid: a scan as the network sees it, handed out plane by plane.

Nothing here holds a float copy of the whole scan. Not here: slices fitted into a size
(``functional.letterbox``), normalisation (``members``).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_index_map, plan_spacing
from mmmed.functional.orientation import (
    plan_reorientation,
    reorient_affine,
    reorient_array,
)
from mmmed.functional.resampling import resample_image
from mmmed.inference.intensity import FittedIntensity, Intensity
from mmmed.inference.recipe import ScanRecipe
from mmmed.structures import Volume

_ON_GRID = 1e-6


class ScanGrid:
    """A scan turned, resampled and windowed by a recipe, plane by plane.

    Args:
        volume: The scan. A picture (PNG, JPEG, TIFF) has no orientation and is not
            turned; its 8-bit values are grey values already and stay so.
        recipe: See :class:`ScanRecipe`.

    Attributes:
        shape: (Z, Y, X) of the network's grid.
        turned_shape: (Z, Y, X) of the scan, turned but not resampled.
        notes: What a user should know, in sentences.

    Raises:
        ValueError: The scan has another number of channels than the network takes,
            or no intensities that the recipe can use.
    """

    def __init__(self, volume: Volume, recipe: ScanRecipe) -> None:
        is_picture = volume.source is not None and volume.source.format == 'image'
        wanted = volume.orientation if is_picture else recipe.orientation
        self._order, self._flips = plan_reorientation(volume.orientation, wanted)
        array = volume.array if volume.array.ndim == 4 else volume.array[None]
        self._array = self.turn(array)
        self.notes: list[str] = []
        rule = recipe.intensity
        if rule.kind in ('window', 'percentile') and is_picture:
            rule = self._accept_grey(rule.num_channels or 1)
        elif rule.kind == 'window':
            self._check_hu()
        self._intensity = FittedIntensity(rule, self._array)
        self._check_channels(recipe)
        self.turned_shape = _to_triple(self._array.shape[1:])
        self.shape = self.turned_shape
        self._map: NDArray[np.float64] | None = None
        if recipe.spacing is not None:
            affine = reorient_affine(
                volume.grid, volume.shape, self._order, self._flips
            )
            self._plan_resampling(affine, recipe.spacing)

    def turn(self, array: NDArray) -> NDArray:
        """View of an array on the scan's own grid in the network's orientation.

        Args:
            array: Shape (Z, Y, X) or (C, Z, Y, X). Writing into the view of a mask
                writes the mask, aligned with the scan to the voxel.
        """
        return reorient_array(array, self._order, self._flips)

    def read_plane(self, index: int) -> NDArray:
        """One plane of the network's grid, before normalisation.

        Args:
            index: Along Z, from 0.

        Returns:
            Shape (C, Y, X), uint8 for windows, else float32. A plane's values never
            depend on which others are read.
        """
        if self._map is None:
            return self._intensity.apply(self._array[:, index])
        low, high = _find_support(self._map[0], index, self.turned_shape[0])
        local = self._map.copy()
        local[0, 3] += local[0, 0] * index - low
        shape = (1, *self.shape[1:])
        plane = [
            resample_image(channel[low:high], local, shape)[0]
            for channel in self._array
        ]
        return self._intensity.apply(np.stack(plane))

    def find_positions(self) -> list[NDArray[np.float64]]:
        """For each axis, where the scan's voxels lie on the network's grid.

        Returns:
            Three arrays of indices of the network's grid, one entry per voxel of the
            turned scan, clipped to the grid.
        """
        positions = []
        for axis, (size, count) in enumerate(
            zip(self.shape, self.turned_shape, strict=True)
        ):
            position = np.arange(count, dtype=np.float64)
            if self._map is not None:
                step, offset = self._map[axis, axis], self._map[axis, 3]
                position = (position - offset) / step
            positions.append(np.clip(position, 0, size - 1))
        return positions

    @property
    def is_resampled(self) -> bool:
        """Whether the network's grid is another than the scan's."""
        return self._map is not None

    def _plan_resampling(
        self, affine: NDArray[np.float64], spacing: Sequence[float]
    ) -> None:
        shape, target = plan_spacing(self.turned_shape, affine, spacing)
        index_map = compute_index_map(target, affine)
        if shape == self.turned_shape and np.allclose(
            index_map, np.eye(4), atol=_ON_GRID
        ):
            return
        self.shape = shape
        # The axes only change their steps: rounding must not make them look oblique.
        self._map = np.diag(np.diag(index_map))
        self._map[:3, 3] = index_map[:3, 3]

    def _check_hu(self) -> None:
        if self._array.dtype == np.uint8:
            raise ValueError(
                '8-bit values cannot be CT numbers, expected HU; export the scan '
                'unwindowed, or its slices as PNG if they show the window already'
            )
        if self._array.min() >= 0:
            self.notes.append(
                'No value is below 0, which is rare in HU: check that the scan is CT '
                'with its rescale intercept applied.'
            )

    def _accept_grey(self, channels: int) -> Intensity:
        if self._array.dtype != np.uint8:
            raise ValueError(
                f'picture of {self._array.dtype}, expected 8-bit grey values as in '
                'training'
            )
        if len(self._array) == 3 and channels < 3:
            is_grey = (self._array == self._array[:1]).all()
            keep = 1 if channels == 1 and is_grey else 2
            # Two windows are stored as red and green, blue stays empty.
            if keep == channels and (keep == 1 or not self._array[2].any()):
                self._array = self._array[:channels]
        self.notes.append('A picture: its grey values are taken as they are.')
        return Intensity()

    def _check_channels(self, recipe: ScanRecipe) -> None:
        per_slice = recipe.in_channels // len(recipe.neighbors)
        rule = self._intensity.intensity
        given = rule.num_channels or len(self._array)
        if given != per_slice:
            raise ValueError(
                f'scan gives {given} channels, the network takes {per_slice} per '
                'slice; join the images of a case into one 4-D file in the order of '
                'training'
            )


def _find_support(row: NDArray[np.float64], index: int, size: int) -> tuple[int, int]:
    """Planes of the scan that linear interpolation of one plane looks at."""
    position = min(max(row[0] * index + row[3], 0), size - 1)
    low = max(0, math.floor(position) - 1)
    return low, min(size, math.ceil(position) + 2)


def _to_triple(shape: Sequence[int]) -> tuple[int, int, int]:
    depth, height, width = shape
    return depth, height, width
