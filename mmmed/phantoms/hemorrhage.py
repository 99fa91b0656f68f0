"""Bleedings of a generated head: where each subtype lies and how dense it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmmed.phantoms.head_anatomy import Anatomy
from mmmed.phantoms.head_grid import Array, HeadGrid, make_noise


@dataclass(frozen=True)
class Bleeding:
    """Place of one bleeding, drawn before the anatomy that it displaces.

    Args:
        subtype: One of ``SUBTYPES``.
        angle: Direction from the middle of the head, rad.
        center_z: Middle, mm above the skull base.
        half_height_mm: Reach along z.
        thickness_mm: Across; for a clot in the brain its in-plane radius.
        half_turn: Reach along the skull, rad.
        density_hu: Mean CT number of the clot.
    """

    subtype: str
    angle: float
    center_z: float
    half_height_mm: float
    thickness_mm: float
    half_turn: float
    density_hu: float

    @property
    def shift_mm(self) -> float:
        """How far the midline is pushed to the patient's left."""
        if self.subtype == 'intraventricular':
            return 0
        return float(-np.cos(self.angle) * min(0.4 * self.thickness_mm, 6))


_RANGES = {  # thickness mm, half turn rad, half height mm
    'epidural': ((11, 24), (0.3, 0.52), (18, 34)),
    'subdural': ((5, 11), (0.65, 1.25), (26, 45)),
    'intraparenchymal': ((8, 20), (0, 0), (11, 24)),
    'intraventricular': ((0, 0), (0, 0), (14, 24)),
}
SUBTYPES = tuple(_RANGES)


def plan_bleeding(rng: np.random.Generator, subtype: str, top_z: float) -> Bleeding:
    """Draw place, size and density of a bleeding.

    Raises:
        ValueError: Unknown subtype.
    """
    if subtype not in _RANGES:
        raise ValueError(f'subtype is {subtype!r}, expected one of {SUBTYPES}')
    thickness, half_turn, half_height = _RANGES[subtype]
    # Temples and sides; not the midline, where nothing of this kind lies.
    angle = rng.uniform(-0.75, 0.75) + (np.pi if rng.random() < 0.5 else 0)
    low, high = (40, 52) if subtype == 'intraventricular' else (30, max(top_z - 30, 31))
    return Bleeding(
        subtype,
        angle,
        rng.uniform(low, high),
        rng.uniform(*half_height),
        rng.uniform(*thickness),
        rng.uniform(*half_turn),
        rng.uniform(57, 76),
    )


def draw_bleeding(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, plan: Bleeding
) -> Array:
    """Draw a bleeding into the anatomy.

    Returns:
        Share of each voxel that is blood, [0, 1]; the truth is where it is above 0.5.
    """
    share = _SHAPES[plan.subtype](rng, grid, anatomy, plan).astype(np.float32)
    texture = plan.density_hu + 3.5 * make_noise(rng, grid, 8)
    anatomy.blend(np.maximum(texture, 48), share)
    return share


def _compute_level(grid: HeadGrid, plan: Bleeding) -> Array:
    """1 in the middle slice of the bleeding, falling to 0 at its ends."""
    height = (grid.z - plan.center_z) / plan.half_height_mm
    return np.sqrt(np.clip(1 - height**2, 0, 1))


def _draw_crescent(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, plan: Bleeding
) -> Array:
    """Subdural: along the skull, of even thickness, with pointed ends."""
    turn = grid.measure_turn(plan.angle) / plan.half_turn
    profile = np.sqrt(np.clip(1 - turn**2, 0, 1)) * _compute_level(grid, plan)
    ripple = 1 + 0.12 * make_noise(rng, grid, 14)
    inner = plan.thickness_mm * profile * ripple - grid.depth
    return grid.soften(inner) * grid.soften(grid.depth) * (profile > 0.05)


def _draw_lens(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, plan: Bleeding
) -> Array:
    """Epidural: a lens between skull and dura, bulging into the brain."""
    turn = grid.measure_turn(plan.angle) / plan.half_turn
    profile = np.clip(1 - turn**2, 0, 1) * _compute_level(grid, plan)
    ripple = 1 + 0.05 * make_noise(rng, grid, 18)
    inner = plan.thickness_mm * profile * ripple - grid.depth
    return grid.soften(inner) * grid.soften(grid.depth) * (profile > 0.05)


def _draw_clot(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, plan: Bleeding
) -> Array:
    """Intraparenchymal: an irregular ball in the brain with a rim of edema."""
    radius = plan.thickness_mm
    away = rng.uniform(22, 36)
    center = (away * np.cos(plan.angle), 1.3 * away * np.sin(plan.angle), plan.center_z)
    radii = (radius, radius * rng.uniform(0.8, 1.5), plan.half_height_mm)
    tilt = rng.uniform(-40, 40)
    bumps = 0.17 * radius * make_noise(rng, grid, 0.9 * radius)
    bumps += 0.06 * radius * make_noise(rng, grid, 0.4 * radius)
    inside = grid.depth > 2
    edema_mm = rng.uniform(3, 6)
    edema = grid.draw_ellipsoid(
        center,
        [r + edema_mm for r in radii],
        tilt_deg=tilt,
        bumps_mm=bumps,
    )
    anatomy.blend(20, 0.75 * edema * inside)
    clot = grid.draw_ellipsoid(center, radii, tilt_deg=tilt, bumps_mm=bumps)
    return clot * inside


def _draw_level(
    rng: np.random.Generator, grid: HeadGrid, anatomy: Anatomy, plan: Bleeding
) -> Array:
    """Intraventricular: blood settles in the posterior part of the ventricles."""
    surface = rng.uniform(-8, 26) + 2.5 * make_noise(rng, grid, 10)
    settled = grid.soften(grid.y - surface)
    if rng.random() < 0.5:  # one side only
        settled = settled * grid.soften(grid.x * np.sign(np.cos(plan.angle)))
    within = np.abs(grid.z - plan.center_z) < plan.half_height_mm
    return anatomy.ventricles * settled * within


_SHAPES: dict[
    str, Callable[[np.random.Generator, HeadGrid, Anatomy, Bleeding], Array]
] = {
    'epidural': _draw_lens,
    'subdural': _draw_crescent,
    'intraparenchymal': _draw_clot,
    'intraventricular': _draw_level,
}
