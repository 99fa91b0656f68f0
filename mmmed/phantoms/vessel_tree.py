"""Vessel trees that fill an organ, and how they are drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.phantoms.abdomen_grid import Array, BodyGrid

_MURRAY = 3.0
_REST_MM = 3.0


@dataclass(frozen=True)
class VesselTree:
    """Straight segments, each thinner than the one before.

    Args:
        starts: Shape (n, 3), (s, a, r) in mm.
        ends: Likewise.
        radii_mm: Shape (n,).
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    radii_mm: NDArray[np.float64]


def grow_vessel_tree(
    rng: np.random.Generator,
    root: NDArray[np.float64],
    targets: NDArray[np.float64],
    radius_mm: float,
) -> VesselTree:
    """Connect targets to a root: each by the shortest way to what is there.

    Args:
        rng: Source of the bends.
        root: (s, a, r) in mm.
        targets: Points in the organ, shape (n, 3); nearest to the root first.
        radius_mm: Of the stem; at a fork the cubes of the radii add up (Murray's law).
    """
    order = np.argsort(np.linalg.norm(targets - root, axis=1))
    points, parents = [np.asarray(root, float)], [-1]
    for target in targets[order]:
        places = np.array(points)
        nearest = int(np.argmin(np.linalg.norm(places - target, axis=1)))
        way = target - points[nearest]
        length = float(np.linalg.norm(way))
        pieces = max(1, round(length / 12))
        for piece in range(1, pieces + 1):
            bend = rng.normal(0, 0.08 * length, 3) * (piece < pieces)
            points.append(points[nearest] + way / (pieces - piece + 1) + bend)
            parents.append(nearest)
            nearest = len(points) - 1
            way = target - points[nearest]
    load = np.zeros(len(points))
    load[[k for k in range(len(points)) if k not in set(parents)]] = 1
    for child in range(len(points) - 1, 0, -1):
        load[parents[child]] += load[child]
    radii = radius_mm * (load / load[0]) ** (1 / _MURRAY)
    places = np.array(points)
    return VesselTree(places[parents[1:]], places[1:], np.maximum(radii[1:], 0.6))


def draw_vessels(grid: BodyGrid, tree: VesselTree) -> Array:
    """Share of each voxel in a vessel, [0, 1], shape (Z, Y, X)."""
    share = np.zeros(grid.shape, np.float32)
    for start, end, radius in zip(tree.starts, tree.ends, tree.radii_mm, strict=True):
        reach = radius + _REST_MM + max(grid.spacing)
        box = grid.find_box(np.minimum(start, end) - reach,
                            np.maximum(start, end) + reach)  # fmt: skip
        part = grid.crop(box)
        if 0 in part.shape:
            continue
        inside = radius - _measure_distance(part, start, end)
        # A vessel thinner than a voxel takes its share of it.
        thin = min(1.0, float(radius * 2 / np.cbrt(np.prod(grid.spacing))))
        np.maximum(share[box], part.soften(inside) * thin, out=share[box])
    return share


def _measure_distance(
    grid: BodyGrid, start: NDArray[np.float64], end: NDArray[np.float64]
) -> Array:
    """Distance of each voxel from a segment, in mm."""
    way = end - start
    ds, da, dr = grid.s - start[0], grid.a - start[1], grid.r - start[2]
    along = (ds * way[0] + da * way[1] + dr * way[2]) / max(float(way @ way), 1e-6)
    along = np.clip(along, 0, 1)
    squared = (ds - along * way[0]) ** 2
    squared = squared + (da - along * way[1]) ** 2 + (dr - along * way[2]) ** 2
    return np.sqrt(squared)
