"""The surface of a mask, cut into small elements.

Not here: the area of an element (``surface_tables``), distances between surfaces
(``surface_distances``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import find_box
from mmmed.functional.surface_tables import compute_surface_table

# Elements of a mask encoded at a time: they fit a cache.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Surface:
    """The surface of a mask, in small elements.

    An element is a cell of 2 x 2 (x 2) neighbouring pixels or voxels of which some are
    in the mask and some are not. It lies where their corners meet, also at the border
    of the image: outside is background.

    Args:
        points: Index of the last corner of the cell, shape (D, N); from 0 to the
            image size.
        sizes: Area in mm2 (length in mm for 2-D), shape (N,).
    """

    points: NDArray[np.int64]
    sizes: NDArray[np.float64]


def extract_surface(mask: NDArray[np.bool_], spacing: Sequence[float]) -> Surface:
    """Surface elements of a boolean mask with two or three axes, in array order."""
    table = compute_surface_table(tuple(spacing))
    box = find_box(mask)
    if box is None:
        return Surface(np.empty((mask.ndim, 0), np.int64), np.empty(0))
    # One layer of background all around, in C order whatever the order of the mask.
    padded = np.zeros([side.stop - side.start + 2 for side in box], np.uint8)
    padded[(slice(1, -1),) * mask.ndim] = mask[box]
    thickness = max(1, _BLOCK // math.prod(padded.shape[1:]))
    points, codes = [], []
    for start in range(0, len(padded) - 1, thickness):
        found, code = _encode_cells(padded[start : start + thickness + 1])
        found[0] += start
        points.append(found)
        codes.append(code)
    # The first cell lies before the first element of the box, its last corner on it.
    origin = np.array([[side.start] for side in box])
    sizes = table.take(np.concatenate(codes))
    return Surface(np.concatenate(points, axis=1) + origin, sizes)


def _encode_cells(
    planes: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Cells that a surface passes: their indices (D, N) and corner codes (N,)."""
    codes = planes
    for bits, axis in enumerate(reversed(range(planes.ndim))):
        aligned = codes.swapaxes(0, axis)
        merged = aligned[:-1] | (aligned[1:] << np.uint8(1 << bits))
        codes = merged.swapaxes(0, axis)
    full = (1 << (1 << planes.ndim)) - 1
    flat = np.flatnonzero(codes - np.uint8(1) < full - 1)
    points = np.stack(np.unravel_index(flat, codes.shape))
    return points, codes.reshape(-1).take(flat)
