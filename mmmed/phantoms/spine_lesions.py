"""Lesions of generated cords: clumps of balls that stray along the cord.

They are made in another way than the lesions that networks are trained on
(``mmmed.synthesis``: ellipsoids and ratios), so that finding them means something: a
clump has dents, and its tissue is part water, whatever the sequence makes of that.
"""

from dataclasses import dataclass

import numpy as np

from mmmed.phantoms.abdomen_grid import BodyGrid
from mmmed.phantoms.spine_anatomy import Array, SpineAnatomy


@dataclass(frozen=True)
class Clump:
    """One lesion.

    Args:
        balls: One row a ball: offset (s, a, r) and radius in mm; a and r count from
            the centre of the cord at that height.
        water: Share of water in it, in (0, 1).
    """

    balls: Array
    water: float


def draw_clumps(
    anatomy: SpineAnatomy, rng: np.random.Generator, count: int, half_mm: float
) -> list[Clump]:
    """Lesions at any height within ``half_mm`` of the middle that has cord."""
    lowest = max(-half_mm, anatomy.conus_mm + 25)
    clumps = []
    for _ in range(count):
        semi = np.array(anatomy.typical.cord)
        # Off the middle, as most lesions of MS are.
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
        at = np.array(
            [rng.uniform(lowest, half_mm), *(away * semi * _turn(angle))], np.float64
        )
        rows = []
        for _ in range(int(rng.integers(3, 9))):
            rows.append([*at, rng.uniform(1.1, 2.4)])
            at = at + rng.normal(0, (1.8, 0.7, 0.7))
        clumps.append(Clump(np.array(rows), float(rng.uniform(0.3, 0.7))))
    return clumps


def measure_clump(
    clump: Clump, anatomy: SpineAnatomy, grid: BodyGrid, irregularity: Array
) -> Array:
    """About how far inside the lesion each voxel is, in mm, (Z, Y, X).

    Args:
        clump: The lesion.
        anatomy: Whose cord it is in.
        grid: Voxels.
        irregularity: Smooth noise that dents the surface, (Z, Y, X), in mm.
    """
    ac, rc = anatomy.locate_cord(grid.s)
    inside = np.full(grid.shape, -np.inf, np.float32)
    for s, a, r, radius in clump.balls:
        away = (grid.s - s) ** 2 + (grid.a - ac - a) ** 2 + (grid.r - rc - r) ** 2
        np.maximum(inside, radius - np.sqrt(away), out=inside, casting='unsafe')
    return inside + irregularity


def _turn(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle)])
