"""The healthy part of a generated head in Hounsfield units, decoys included."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mmmed.phantoms.head_grid import Array, HeadGrid, make_noise

AIR_HU, FAT_HU, SKIN_HU, BONE_HU = -1000.0, -70.0, 35.0, 1050.0
CSF_HU, GREY_HU, WHITE_HU = 9.0, 38.0, 28.0


@dataclass
class Anatomy:
    """A head while it is drawn.

    Args:
        hu: CT numbers, changed in place.
        ventricles: Share of each voxel in the ventricles, [0, 1].
        skull_outer_mm: Thickness of the skull at each voxel's direction.
    """

    hu: Array
    ventricles: Array
    skull_outer_mm: Array

    def blend(self, value: Array | float, share: Array) -> None:
        """Replace a share of each voxel."""
        self.hu += share * (value - self.hu)


def draw_anatomy(
    rng: np.random.Generator,
    grid: HeadGrid,
    *,
    age_years: float,
    shift_mm: float = 0,
    swelling_at: float | None = None,
) -> Anatomy:
    """Draw air, scalp, skull, brain, ventricles and what may be taken for blood.

    Args:
        rng: Source of randomness.
        grid: Where to draw.
        age_years: Sulci and ventricles widen with age.
        shift_mm: How far the midline is pushed to the patient's left.
        swelling_at: Angle under a swollen scalp, if any.
    """
    atrophy = np.clip((age_years - 20) / 60, 0, 1)
    brain = grid.warp(shift_mm)
    skull_mm = _draw_thickness(rng, grid)
    anatomy = Anatomy(
        np.full(grid.x.shape, AIR_HU, np.float32), np.zeros_like(grid.x), skull_mm
    )
    _draw_scalp(rng, grid, anatomy, swelling_at)
    _draw_skull(rng, grid, anatomy)
    inside = grid.soften(grid.depth)
    anatomy.blend(_draw_tissue(rng, brain, atrophy), inside)
    _draw_ventricles(rng, brain, anatomy, atrophy)
    _draw_cisterns(rng, brain, anatomy)
    _draw_base(rng, grid, anatomy)
    _draw_decoys(rng, brain, anatomy)
    _draw_headrest(rng, grid, anatomy)
    return anatomy


def _draw_thickness(rng: np.random.Generator, grid: HeadGrid) -> Array:
    """Skull thickness by direction: thicker in front and behind, and when cut flat."""
    base = rng.uniform(4.5, 7)
    front_back = 1 + rng.uniform(0.2, 0.5) * np.sin(grid.angle) ** 4
    slant = 1 / np.sqrt(np.maximum(1 - ((grid.z - 42) / 66) ** 2, 0.25))
    return (base * front_back * slant).astype(np.float32)


def _draw_scalp(
    rng: np.random.Generator,
    grid: HeadGrid,
    anatomy: Anatomy,
    swelling_at: float | None,
) -> None:
    scalp_mm = rng.uniform(3.5, 6) * (1 + 0.3 * np.sin(grid.angle))
    if swelling_at is not None:
        turn = grid.measure_turn(swelling_at)
        scalp_mm = scalp_mm + rng.uniform(4, 9) * np.exp(-((turn / 0.35) ** 2))
    outside = -grid.depth - anatomy.skull_outer_mm
    anatomy.blend(SKIN_HU, grid.soften(scalp_mm - outside))
    fat = grid.soften(0.62 * scalp_mm - outside) * grid.soften(outside - 0.2 * scalp_mm)
    if swelling_at is not None:
        fat = fat * np.clip(turn / 0.4, 0, 1)
    anatomy.blend(FAT_HU, fat)


def _draw_skull(rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy) -> None:
    outside, thickness = -grid.depth, anatomy.skull_outer_mm
    anatomy.blend(BONE_HU, grid.soften(thickness - outside))
    # Spongy bone between the tables.
    spongy = grid.soften(0.7 * thickness - outside) * grid.soften(
        outside - 0.3 * thickness
    )
    texture = 520 + 120 * make_noise(rng, grid, 4)
    anatomy.blend(texture, 0.8 * spongy)


def _draw_tissue(rng: np.random.Generator, grid: HeadGrid, atrophy: float) -> Array:
    """Grey cortex folded around white matter, sulci, deep grey nuclei."""
    folds = make_noise(rng, grid, 8)
    white = expit((grid.depth - 8 + 5 * folds) / 1.5)
    hu = GREY_HU + (WHITE_HU - GREY_HU) * white
    for side in (-1, 1):
        for center, radii, tilt in (
            ((side * 13, 4, 40), (9, 15, 11), side * -20),  # thalamus
            ((side * 25, -8, 40), (5.5, 17, 13), side * 14),  # lentiform nucleus
            ((side * 12, -24, 46), (4.5, 9, 13), side * 14),  # caudate head
        ):
            share = grid.draw_ellipsoid(center, radii, tilt_deg=tilt)
            hu = hu + 0.85 * share * (GREY_HU - hu)
    paths = make_noise(rng, grid, 12)
    width = 0.09 + 0.13 * atrophy
    sulci = np.exp(-((paths / width) ** 2)) * np.clip((17 - grid.depth) / 10, 0, 1)
    hu = hu + (0.55 + 0.35 * atrophy) * sulci * (CSF_HU - hu)
    rim = grid.soften(0.6 + 1.8 * atrophy + 0.5 * folds - grid.depth)
    hu = hu + rim * (CSF_HU - hu)
    fissure = np.exp(-((grid.x / (0.9 + atrophy)) ** 2))
    fissure = fissure * np.clip((np.abs(grid.y) - 30) / 20, 0, 1) * (grid.depth > 0)
    hu = hu + 0.6 * fissure * (CSF_HU - hu)
    # The sylvian fissures, between frontal and temporal lobes.
    for side in (-1, 1):
        share = grid.draw_ellipsoid(
            (side * 47, -20, 30), (12, 1.6 + 1.5 * atrophy, 12), tilt_deg=side * 35
        )
        hu = hu + 0.8 * share * (CSF_HU - hu)
    return hu + 1.2 * make_noise(rng, grid, 30)


def _draw_ventricles(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, atrophy: float
) -> None:
    wide = rng.uniform(0.75, 1.05) * (1 + 0.7 * atrophy)
    share = grid.draw_ellipsoid((0, 2, 36), (1.7 * wide, 11, 9))  # third
    for side in (-1, 1):
        for center, radii, tilt in (
            ((side * 9, -27, 47), (3.6, 13, 14), side * 18),  # frontal horn
            ((side * 12, -2, 60), (5, 27, 10), side * -6),  # body
            ((side * 24, 31, 45), (4.6, 15, 13), side * -20),  # atrium
        ):
            radii = (radii[0] * wide, radii[1], radii[2])
            share = np.maximum(share, grid.draw_ellipsoid(center, radii, tilt_deg=tilt))
    anatomy.ventricles = share
    anatomy.blend(CSF_HU - 3, share)


def _draw_cisterns(rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy) -> None:
    """A star around the midbrain, and the fourth ventricle."""
    dx, dy = grid.x, grid.y + 6
    angle = np.arctan2(dy, dx)
    reach = rng.uniform(9, 12) * (1 + 0.45 * np.cos(5 * (angle + np.pi / 2)))
    reach = reach * np.sqrt(np.clip(1 - ((grid.z - 21) / 12) ** 2, 0, 1))
    share = grid.soften(reach - np.hypot(dx, dy)) * (reach > 1)
    anatomy.blend(CSF_HU, 0.85 * share)
    fourth = grid.draw_ellipsoid((0, 34, 14), (6, 5, 10))
    anatomy.blend(CSF_HU, 0.9 * fourth)


def _draw_base(rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy) -> None:
    """Petrous bones and sphenoid wings in the lowest slices, streaks between them."""
    for side in (-1, 1):
        for center, radii, tilt in (
            ((side * 44, 24, 8), (24, 6, 15), side * -32),
            ((side * 42, -38, 10), (26, 4, 12), side * 24),
        ):
            share = grid.draw_ellipsoid(center, radii, tilt_deg=tilt)
            anatomy.blend(BONE_HU - 150, share * (grid.depth > -2))
    sinus = grid.draw_ellipsoid((0, -86, 14), (rng.uniform(8, 15), 5, 12))
    anatomy.blend(AIR_HU, sinus * (anatomy.hu > 150))
    streak = np.exp(-(((grid.y - 26) / 9) ** 2)) * np.exp(-(((grid.z - 8) / 9) ** 2))
    streak = streak * (np.abs(grid.x) < 30) * (grid.depth > 3)
    anatomy.hu -= 14 * streak.astype(np.float32) * rng.uniform(0.5, 1.2)


def _draw_decoys(rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy) -> None:
    """Bright things that are no hemorrhage: falx, sinus, calcifications."""
    falx = np.exp(-((grid.x / 0.8) ** 2)) * (grid.depth > 0)
    above = np.clip((grid.z - 56) / 12, 0, 1)
    falx = falx * np.maximum(above, np.clip((np.abs(grid.y) - 38) / 8, 0, 1))
    anatomy.blend(rng.uniform(46, 54), 0.8 * falx)
    for back in (-1, 1):
        turn = grid.measure_turn(back * np.pi / 2)
        reach = rng.uniform(3.5, 6) * np.clip(1 - turn / 0.09, 0, 1)
        share = grid.soften(reach - grid.depth) * (grid.depth > 0) * (reach > 0)
        anatomy.blend(rng.uniform(50, 60), 0.9 * share)
    calcifications = [((0, 24, 42), 0.65)]  # pineal gland
    calcifications += [((side * 22, 27, 46), 0.6) for side in (-1, 1)]  # choroid plexus
    calcifications += [((side * 24, -8, 40), 0.15) for side in (-1, 1)]  # basal ganglia
    for center, chance in calcifications:
        radii = rng.uniform(1.4, 3.4, 2)
        place = [at + rng.normal(0, 1.5) for at in center]
        value = rng.uniform(75, 190)
        if rng.random() < chance:
            share = grid.draw_ellipsoid(place, (*radii, 7))
            anatomy.blend(value, share)


def _draw_headrest(rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy) -> None:
    """A thin curved shell below the head."""
    radius = np.hypot(grid.x, grid.y - rng.uniform(-2, 2))
    shell = grid.soften(1.2 - np.abs(radius - rng.uniform(109, 114)))
    shell = shell * (grid.y > rng.uniform(10, 40)) * (grid.depth < -18)
    anatomy.blend(160, shell)
