"""CordGeometry: what drawing lesions needs to know of a cord, small enough to keep.

Not here: drawing (``cord_drawing``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.cord_centerline import find_centerline
from mmmed.functional.masks import Box, check_mask, check_spacing, find_box
from mmmed.functional.planes import get_plane_axis

# The grey value of a cord is measured every so many mm, over twice that much.
_STEP_MM = 8.0
_SMOOTHING_MM = 10.0
# Of a voxel at the surface or deep inside, over that at the most likely depth.
_LEAST_CHANCE = 0.15
# Deviation of a normal distribution over its median absolute deviation.
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, eq=False)
class CordGeometry:
    """Places, directions and grey values of one cord.

    Args:
        spacing: (Z, Y, X) in mm.
        box: Of the cord in the volume.
        voxels: Index of each cord voxel in its box, C order, shape (n,).
        chances: Sums of the chances of these voxels to be the centre of a lesion,
            shape (n,), ascending; a voxel's own is what it adds.
        directions: Unit vector (z, y, x) along the cord for each axial slice of the
            box, shape (Z, 3), z > 0.
        levels_mm: Heights at which grey values are known, shape (k,).
        greys: Median grey value of the cord around each height, shape (k,).
        spreads: Its standard deviation, by the median of differences, shape (k,).
    """

    spacing: tuple[float, ...]
    box: Box
    voxels: NDArray[np.int32]
    chances: NDArray[np.float64]
    directions: NDArray[np.float64]
    levels_mm: NDArray[np.float64]
    greys: NDArray[np.float64]
    spreads: NDArray[np.float64]

    @property
    def is_empty(self) -> bool:
        """Whether the mask had no voxel."""
        return not len(self.voxels)

    @property
    def num_bytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.voxels, self.chances, self.directions, self.greys, self.spreads)
        return sum(array.nbytes for array in arrays)

    def find_grey(self, z_mm: float) -> tuple[float, float]:
        """Grey value and spread of the cord at a height."""
        nearest = int(np.abs(self.levels_mm - z_mm).argmin())
        return float(self.greys[nearest]), float(self.spreads[nearest])

    def find_direction(self, z_mm: float) -> NDArray[np.float64]:
        """Unit vector along the cord at a height, shape (3,)."""
        row = round(z_mm / self.spacing[0]) - self.box[0].start
        direction = self.directions[min(max(row, 0), len(self.directions) - 1)]
        return np.asarray(direction)

    def draw_voxel(
        self, rng: np.random.Generator, focus: tuple[str, int] | None = None
    ) -> tuple[int, int, int]:
        """Index of a cord voxel in the volume, by its chance.

        Args:
            rng: One number is taken.
            focus: Plane and number of a slice to choose from; where it has no cord,
                from all.

        Raises:
            ValueError: The cord is empty.
        """
        if self.is_empty:
            raise ValueError('the cord mask is empty, expected a voxel to choose')
        voxels, chances = self.voxels, self.chances
        if focus is not None:
            on_slice = self._find_on_slice(*focus)
            if len(on_slice):
                own = chances[on_slice] - np.where(
                    on_slice > 0, chances[on_slice - 1], 0.0
                )
                voxels, chances = voxels[on_slice], np.cumsum(own)
        at = np.searchsorted(chances, rng.random() * chances[-1], side='right')
        chosen = int(voxels[min(int(at), len(voxels) - 1)])
        shape = [part.stop - part.start for part in self.box]
        rest, x = divmod(chosen, shape[2])
        z, y = divmod(rest, shape[1])
        first = [part.start for part in self.box]
        return z + first[0], y + first[1], x + first[2]

    def _find_on_slice(self, plane: str, index: int) -> NDArray[np.intp]:
        """Positions in ``voxels`` of those on a slice."""
        axis = get_plane_axis(plane)
        _, height, width = (part.stop - part.start for part in self.box)
        wanted = index - self.box[axis].start
        if axis == 0:
            step = height * width
            ends = np.searchsorted(self.voxels, [wanted * step, (wanted + 1) * step])
            return np.arange(ends[0], ends[1])
        places = self.voxels % width if axis == 2 else self.voxels // width % height
        return np.flatnonzero(places == wanted)


def measure_cord(
    cord: NDArray,
    image: NDArray,
    spacing: Sequence[float],
    *,
    depth_mm: float = 1.5,
) -> CordGeometry:
    """Look at a cord once, so that any number of lesions can be drawn in it.

    Args:
        cord: Binary mask, (Z, Y, X), axes (S, A, R).
        image: Of the same shape, numeric; only the box of the cord is read.
        spacing: (Z, Y, X) in mm.
        depth_mm: Depth below the surface at which a voxel is most often the centre
            of a lesion: white matter, and not so near that half of it is cut off.

    Returns:
        Of an empty mask one whose ``is_empty`` is true.

    Raises:
        ValueError: The mask is not binary or not 3-D, shapes differ, or a number is
            out of range.
    """
    mask = check_mask(cord, 'cord')
    mm = check_spacing(spacing, 3)
    if mask.ndim != 3 or image.shape != mask.shape or not depth_mm > 0:
        raise ValueError(
            f'cord has shape {mask.shape}, image {image.shape}, depth_mm {depth_mm}; '
            'expected two equal shapes (Z, Y, X) and a depth > 0'
        )
    box = find_box(mask)
    if box is None:
        none = np.zeros(0)
        return CordGeometry(
            mm, (slice(0, 0),) * 3, none.astype(np.int32), none,
            np.array([[1.0, 0.0, 0.0]]), np.zeros(1), none, none,
        )  # fmt: skip
    # With its neighbours, so that the distance to what is no cord is known.
    wide = tuple(
        slice(max(part.start - 1, 0), min(part.stop + 1, size))
        for part, size in zip(box, mask.shape, strict=True)
    )
    depth = np.zeros([part.stop - part.start for part in wide])
    if not mask[wide].all():
        depth = np.asarray(ndimage.distance_transform_edt(mask[wide], sampling=mm))
    inner = tuple(
        slice(part.start - w.start, part.stop - w.start)
        for part, w in zip(box, wide, strict=True)
    )
    small = mask[box]
    voxels = np.flatnonzero(small).astype(np.int32)
    depths = depth[inner].reshape(-1)[voxels]
    below = np.maximum(depths - min(mm), 0)
    relative = (below + min(mm) / 2) / depth_mm
    chances = np.cumsum(np.maximum(relative * np.exp(1 - relative), _LEAST_CHANCE))
    values = np.asarray(image[box], np.float64).reshape(-1)[voxels]
    heights = (voxels // (small.shape[1] * small.shape[2]) + box[0].start) * mm[0]
    # Voxels of the surface are partly water.
    core = below > 0.5 * min(mm)
    if np.count_nonzero(core) >= 0.2 * len(core):
        values, heights = values[core], heights[core]
    levels, greys, spreads = _measure_greys(values, heights, mm[0])
    directions = _find_directions(small, mm)
    return CordGeometry(mm, box, voxels, chances, directions, levels, greys, spreads)


def _measure_greys(
    values: NDArray[np.float64], heights: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Heights, medians and spreads of grey values along the cord."""
    order = np.argsort(heights, kind='stable')
    values, heights = values[order], heights[order]
    apart = max(_STEP_MM, step)
    count = max(1, math.ceil((heights[-1] - heights[0]) / apart))
    levels = np.linspace(heights[0], heights[-1], count + 1)
    greys, spreads, kept = [], [], []
    for level in levels:
        first, last = np.searchsorted(heights, [level - apart, level + apart * 1.001])
        around = values[first:last]
        around = around[np.isfinite(around)]
        if not len(around):
            continue
        grey = float(np.median(around))
        kept.append(level)
        greys.append(grey)
        spreads.append(_MAD_TO_DEVIATION * float(np.median(np.abs(around - grey))))
    return np.array(kept), np.array(greys), np.array(spreads)


def _find_directions(
    mask: NDArray[np.bool_], mm: tuple[float, ...]
) -> NDArray[np.float64]:
    """Direction of the cord in each axial slice of its box, shape (Z, 3)."""
    line = find_centerline(mask, mm, smoothing_mm=_SMOOTHING_MM)
    filled = np.flatnonzero(line.areas)
    places, centers = filled * mm[0], line.centers[filled] * np.array(mm[1:])
    rows = np.arange(len(mask)) * mm[0]
    weight = np.exp(-0.5 * ((rows[:, None] - places) / _SMOOTHING_MM) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    offset = places - (weight @ places)[:, None]
    spread = (weight * offset**2).sum(axis=1)
    slopes = ((weight * offset) @ centers) / np.where(spread > 0, spread, 1)[:, None]
    directions = np.concatenate([np.ones((len(slopes), 1)), slopes], axis=1)
    return np.asarray(directions / np.linalg.norm(directions, axis=1)[:, None])
