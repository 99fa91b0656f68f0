"""The ground that a cellular tumor grows in: tissue levels, barriers, and its box.

Not here: growth (``automaton_growth``), Hounsfield units of the tumor
(``automaton_image``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import Box, find_box

# Codes of a voxel. Tissue of level k is invaded with the probability of level k.
LEVELS = (1, 2, 3)
VESSEL, OUTSIDE = 4, 5


@dataclass(frozen=True)
class Tissue:
    """Codes of the voxels around the tumor to be, and how they divide into cells.

    Args:
        codes: 1 to 3 tissue, ``VESSEL`` or ``OUTSIDE``; uint8, shape (Z, Y, X) of
            ``box``.
        box: Part of the image that growth can reach.
        cells_per_voxel: Cells along Z, Y and X of a voxel, so that a cell measures
            about one millimetre whatever the spacing.
    """

    codes: NDArray[np.uint8]
    box: Box
    cells_per_voxel: tuple[int, int, int]


def classify_tissue(
    hu: NDArray, organ: NDArray[np.bool_], window_hu: tuple[float, float]
) -> NDArray[np.uint8]:
    """Level of every voxel: thirds of the window, brighter is denser.

    Args:
        hu: CT numbers, any shape.
        organ: Same shape.
        window_hu: Lower and upper end; at and above the upper one is a vessel, below
            the lower one counts as level 1.

    Source:
        Pixel2Cancer (arXiv 2403.06459), its density map.
    """
    low, high = window_hu
    third = (high - low) / 3
    edges = np.array([low + third, low + 2 * third, high], np.float32)
    codes = (np.searchsorted(edges, hu, side='right') + 1).astype(np.uint8)
    codes[~organ] = OUTSIDE
    return codes


def count_cells_per_voxel(
    spacing: Sequence[float], cell_mm: float
) -> tuple[int, int, int]:
    """Cells along each axis of a voxel: whole, at least one."""
    z, y, x = (max(1, round(step / cell_mm)) for step in spacing)
    return z, y, x


def find_reach(
    organ: NDArray[np.bool_],
    seeds: NDArray[np.int64],
    steps: int,
    cells_per_voxel: tuple[int, int, int],
) -> Box | None:
    """The part of the organ's box that growth from the seeds can reach.

    Args:
        organ: Shape (Z, Y, X).
        seeds: Voxel indices, shape (n, 3).
        steps: Cells that growth may advance along an axis.
        cells_per_voxel: From :func:`count_cells_per_voxel`.

    Returns:
        A box, or None without organ or seeds.
    """
    whole = find_box(organ)
    if whole is None or not len(seeds):
        return None
    reach = [-(-steps // cells) for cells in cells_per_voxel]
    low, high = seeds.min(0), seeds.max(0)
    z, y, x = (
        slice(
            max(side.start, int(low[axis]) - reach[axis]),
            min(side.stop, int(high[axis]) + reach[axis] + 1),
        )
        for axis, side in enumerate(whole)
    )
    return z, y, x
