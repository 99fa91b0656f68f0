"""Shapes of the organs of a generated abdomen, and the body around them.

Places and sizes vary between patients. Not here: Hounsfield units (``abdomen_ct``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.phantoms.abdomen_grid import Array, BodyGrid
from mmmed.phantoms.vessel_tree import VesselTree, draw_vessels, grow_vessel_tree

# Numbers of the multi-atlas labelling challenge (BTCV).
ORGAN_IDS = {
    'spleen': 1, 'right_kidney': 2, 'left_kidney': 3, 'gallbladder': 4, 'liver': 6,
    'stomach': 7, 'aorta': 8, 'inferior_vena_cava': 9, 'pancreas': 11,
}  # fmt: skip


@dataclass(frozen=True)
class Organs:
    """Shares of the voxels, [0, 1], shape (Z, Y, X).

    Args:
        wall_mm: Distance inside the skin.
        chest: Lung above the diaphragm.
        shares: By organ, of ``ORGAN_IDS``.
        vessels: Veins inside the liver.
        spine: Distance inside the vertebral column, in mm.
    """

    wall_mm: Array
    chest: Array
    shares: dict[str, Array]
    vessels: Array
    spine: Array


def draw_organs(rng: np.random.Generator, grid: BodyGrid) -> Organs:
    """Draw a patient."""
    wall = _draw_body(rng, grid)
    spine = _draw_spine(rng, grid)
    bumps = grid.draw_bumps(rng, 45)
    dome = _draw_dome(rng, grid)
    room = np.minimum(wall - 26, dome)  # inside ribs and muscles, below the lung
    shift = rng.normal(0, 4, (9, 3))
    depths = {
        'aorta': _measure_tube(grid, (-34, -14), 10.5, rng),
        'inferior_vena_cava': _measure_tube(grid, (-28, 17), 11.5, rng),
        'left_kidney': _measure_kidney(
            grid, np.add((88, -42, -64), shift[0]), -35, bumps
        ),
        'right_kidney': _measure_kidney(
            grid, np.add((72, -42, 66), shift[1]), 35, bumps
        ),
        'pancreas': _measure_pancreas(rng, grid, shift[2]),
        'gallbladder': grid.measure_ellipsoid(
            np.add((92, 34, 52), shift[3]), (22, 14, 14), 20
        ),
        'spleen': grid.measure_ellipsoid(
            np.add((142, -34, -106), shift[4]), (50, 50, 26), -30
        ) + 2.5 * bumps,
        'stomach': grid.measure_ellipsoid(
            np.add((140, 34, -62), shift[5]), (48, 36, 40), -25
        ) + 4 * bumps,
        'liver': _measure_liver(rng, grid, shift[6]) + 3 * bumps,
    }  # fmt: skip
    shares: dict[str, Array] = {}
    taken = spine + 3
    # The first comes first: later organs give way.
    for name, depth in depths.items():
        depth = np.minimum(np.minimum(depth, room), -taken - 0.5)
        shares[name] = grid.soften(depth)
        taken = np.maximum(taken, depth)
    vessels = _draw_liver_vessels(rng, grid, shares['liver'])
    chest = grid.soften(np.minimum(-dome - 3, wall - 30)) * (spine < -8)
    return Organs(wall, chest, shares, vessels, spine)


def draw_labels(organs: Organs) -> NDArray[np.uint8]:
    """Organ of each voxel by its number, 0 elsewhere."""
    label = np.zeros(organs.wall_mm.shape, np.uint8)
    for name, number in ORGAN_IDS.items():
        label[organs.shares[name] > 0.5] = number
    return label


def _draw_body(rng: np.random.Generator, grid: BodyGrid) -> Array:
    """Distance inside the skin: an ellipse, flatter at the back, wider at the hips."""
    half_r, half_a = rng.uniform(148, 168), rng.uniform(103, 118)
    taper = 1 + 0.04 * np.cos((grid.s - 20) / 75)
    q = np.abs(grid.r / (half_r * taper)) ** 2.3
    q = q + np.abs((grid.a + 4) / (half_a * taper)) ** np.where(grid.a < 0, 2.8, 2.1)
    return ((1 - q ** (1 / 2.3)) * half_a).astype(np.float32)


def _draw_spine(rng: np.random.Generator, grid: BodyGrid) -> Array:
    curve = -66 + 5 * np.sin((grid.s - 60) / 70 + rng.uniform(-0.3, 0.3))
    body = 21 - np.hypot(grid.r, (grid.a - curve) * 1.25)
    spinous = 9 - np.maximum(np.abs(grid.r) * 1.8, np.abs(grid.a - curve + 44) * 0.4)
    arch = 5 - np.abs(np.hypot(grid.r, grid.a - curve + 26) - 12)
    return np.maximum(np.maximum(body, spinous), arch).astype(np.float32)


def _draw_dome(rng: np.random.Generator, grid: BodyGrid) -> Array:
    """Distance below the diaphragm: higher on the right, dropping to the walls."""
    top = rng.uniform(200, 212)
    right = 58 * ((grid.r - 62) / 95) ** 2
    left = 58 * ((grid.r + 68) / 88) ** 2 + 8
    depth = top - np.minimum(right, left) - 52 * ((grid.a + 2) / 88) ** 2 - grid.s
    return (0.7 * depth).astype(np.float32)


def _measure_tube(
    grid: BodyGrid, place: tuple[float, float], radius: float, rng: np.random.Generator
) -> Array:
    """A vessel along the spine, at (a, r)."""
    bend = 3 * np.sin(grid.s / 45 + rng.uniform(0, 6))
    inside = radius - np.hypot(grid.a - place[0], grid.r - place[1] - bend)
    return inside.astype(np.float32) * np.ones(grid.shape, np.float32)


def _measure_kidney(
    grid: BodyGrid, center: NDArray[np.float64], tilt_deg: float, bumps: Array
) -> Array:
    body = grid.measure_ellipsoid(center, (56, 27, 31), tilt_deg) + bumps
    toward = center + np.array([0, 12, -np.sign(center[2]) * 24])
    hilum = grid.measure_ellipsoid(toward, (17, 11, 17), 0)
    return np.minimum(body, -hilum)


def _measure_pancreas(
    rng: np.random.Generator, grid: BodyGrid, shift: NDArray[np.float64]
) -> Array:
    """A bent cord from the head, right of the middle, to the tail at the spleen."""
    way = np.add([(82, 8, 36), (92, 12, 24), (104, 20, 2), (112, 12, -26),
                  (122, -6, -56), (128, -22, -76)], shift)  # fmt: skip
    radii = (15, 14, 10, 10.5, 10.5, 8.5)
    inside = np.full(grid.shape, -99, np.float32)
    for t in np.linspace(0, len(way) - 1.001, 26):
        first, rest = int(t), t - int(t)
        center = way[first] + rest * (way[first + 1] - way[first])
        radius = radii[first] + rest * (radii[first + 1] - radii[first])
        box = grid.find_box(center - 3 * radius, center + 3 * radius)
        part = grid.crop(box).measure_ellipsoid(center, (radius,) * 3)
        np.maximum(inside[box], part, out=inside[box])
    return inside + 1.2 * grid.draw_bumps(rng, 9)


def _measure_liver(
    rng: np.random.Generator, grid: BodyGrid, shift: NDArray[np.float64]
) -> Array:
    """Right and left lobe, hollow where kidney, gallbladder and stomach press."""
    scale = rng.uniform(0.94, 1.08)
    right = grid.measure_ellipsoid(
        np.add((138, 0, 78), shift), (78 * scale, 82, 62 * scale), -12
    )
    left = grid.measure_ellipsoid(
        np.add((150, 46, 8), shift), (40, 34, 84 * scale), rng.uniform(-14, -4)
    )
    tail = grid.measure_ellipsoid(np.add((92, -2, 104), shift), (56, 48, 30), 0)
    whole = np.maximum(np.maximum(right, left), tail)
    hollow = grid.measure_ellipsoid(np.add((74, 6, 20), shift), (58, 52, 48), 0)
    porta = grid.measure_ellipsoid(np.add((112, 8, 22), shift), (18, 15, 22), 0)
    return np.minimum(whole, -np.maximum(hollow, porta))


def _draw_liver_vessels(
    rng: np.random.Generator, grid: BodyGrid, liver: Array
) -> Array:
    """Portal tree from the hilum, hepatic veins to the vena cava."""
    places = np.argwhere(liver > 0.9)
    share = np.zeros(grid.shape, np.float32)
    if len(places) < 200:
        return share
    step, origin = np.array(grid.spacing), np.array(
        [grid.s.flat[0], grid.a.flat[0], grid.r.flat[0]]
    )  # fmt: skip
    roots = (((112, 4, 30), 6.5, 90), ((186, -26, 20), 6.0, 70))
    for root, radius, count in roots:
        targets = places[rng.choice(len(places), count)] * step + origin
        tree: VesselTree = grow_vessel_tree(rng, np.array(root, float), targets, radius)
        share = np.maximum(share, draw_vessels(grid, tree))
    return share * liver
