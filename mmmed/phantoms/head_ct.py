"""Generated head CT scans with hemorrhage and exact masks, in Hounsfield units.

Plausible, not real: for tests, demonstrations and teaching, never for a claim about
patients. Files are written by ``ct_ich_raw``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mmmed.phantoms.head_anatomy import SKIN_HU, draw_anatomy
from mmmed.phantoms.head_grid import HeadGrid, make_grid
from mmmed.phantoms.hemorrhage import Bleeding, draw_bleeding, plan_bleeding
from mmmed.structures import Volume

_TOP_MM = 92.0
_BOTTOM_MM = 16.0
# Two of three patients bleed, every fourth of them twice.
_COHORT: tuple[tuple[str, ...], ...] = (
    ('epidural',),
    ('subdural',),
    (),
    ('intraparenchymal',),
    ('intraventricular', 'intraparenchymal'),
    (),
)


@dataclass(frozen=True)
class HeadPhantom:
    """One generated patient.

    Args:
        number: Patient number, from 1.
        volume: CT numbers (Z, Y, X), int16 HU, oriented superior, posterior, left.
        mask: Hemorrhage {0, 1}, uint8, same shape.
        subtypes: For each slice the subtypes seen in it.
        fracture: For each slice whether the skull is broken.
        age_years: Age.
        sex: ``'Male'`` or ``'Female'``.
    """

    number: int
    volume: Volume
    mask: NDArray[np.uint8]
    subtypes: tuple[frozenset[str], ...]
    fracture: tuple[bool, ...]
    age_years: int
    sex: str


def make_cohort(
    patients: int = 12, *, slices: int = 8, size: int = 256, seed: int = 0
) -> Iterator[HeadPhantom]:
    """Generate patients one by one: four of six with hemorrhage of all subtypes.

    Args:
        patients: How many, >= 1.
        slices: Axial slices a patient, >= 2.
        size: Rows and columns, >= 32.
        seed: The same seed gives the same patients, and patient k does not depend on
            how many there are.

    Raises:
        ValueError: A number is too small.
    """
    for name, value, least in (
        ('patients', patients, 1),
        ('slices', slices, 2),
        ('size', size, 32),
        ('seed', seed, 0),
    ):
        if value < least:
            raise ValueError(f'{name} is {value}, expected {least} or more')
    for index in range(patients):
        yield make_head(
            index + 1,
            subtypes=_COHORT[index % len(_COHORT)],
            slices=slices,
            size=size,
            seed=seed,
        )


def make_head(
    number: int,
    *,
    subtypes: Sequence[str] = (),
    slices: int = 8,
    size: int = 256,
    seed: int = 0,
) -> HeadPhantom:
    """Generate one patient.

    Args:
        number: Patient number, >= 1; with the seed it decides everything.
        subtypes: Bleedings to draw, of ``mmmed.phantoms.hemorrhage.SUBTYPES``.
        slices: Axial slices from skull base to vertex.
        size: Rows and columns of 240 mm.
        seed: >= 0.

    Returns:
        The patient. A small bleeding may fall between two slices.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
    spacing_mm = (_TOP_MM - _BOTTOM_MM) / (slices - 1)
    age = int(rng.integers(16, 85))
    sex = 'Male' if rng.random() < 0.56 else 'Female'
    grid = make_grid(rng, slices, size, spacing_mm)
    plans = [plan_bleeding(rng, subtype, _TOP_MM) for subtype in subtypes]
    broken = [p for p in plans if p.subtype == 'epidural' and rng.random() < 0.7]
    anatomy = draw_anatomy(
        rng,
        grid,
        age_years=age,
        shift_mm=sum(plan.shift_mm for plan in plans),
        swelling_at=broken[0].angle if broken else None,
    )
    mask = np.zeros(grid.x.shape, bool)
    seen: list[set[str]] = [set() for _ in range(slices)]
    for plan in plans:
        blood = draw_bleeding(rng, grid, anatomy, plan) > 0.5
        mask |= blood
        for index in np.flatnonzero(blood.any(axis=(1, 2))):
            seen[index].add(plan.subtype)
    fracture = np.zeros(slices, bool)
    for plan in broken:
        fracture |= _break_skull(grid, anatomy.hu, anatomy.skull_outer_mm, plan)
    hu = _scan(rng, grid, anatomy.hu)
    return HeadPhantom(
        number,
        Volume(
            hu,
            (spacing_mm, grid.pixel_mm, grid.pixel_mm),
            _make_affine(grid, spacing_mm),
        ),
        mask.astype(np.uint8),
        tuple(frozenset(names) for names in seen),
        tuple(bool(f) for f in fracture),
        age,
        sex,
    )


def _break_skull(
    grid: HeadGrid, hu: NDArray[np.float32], skull_mm: NDArray, plan: Bleeding
) -> NDArray[np.bool_]:
    """A thin gap in the bone over the bleeding; tells in which slices it is."""
    away = np.hypot(grid.x, grid.y) * np.sin(
        np.minimum(grid.measure_turn(plan.angle), 1.5)
    )
    level = np.abs(grid.z - plan.center_z) < 0.7 * plan.half_height_mm
    in_bone = (grid.depth < 0) & (grid.depth > -skull_mm)
    gap = (away < 0.8) & in_bone & level
    hu[gap] = SKIN_HU
    return gap.any(axis=(1, 2))


def _scan(
    rng: np.random.Generator, grid: HeadGrid, hu: NDArray[np.float32]
) -> NDArray[np.int16]:
    """What a scanner adds: blur, brightening under the bone, noise."""
    blur = 0.45 / grid.pixel_mm
    hu = gaussian_filter(hu, (0, blur, blur))
    hu += np.float32(4) * np.exp(-np.maximum(grid.depth, 0) / 7) * (grid.depth > 0)
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    grain = 0.4 / grid.pixel_mm
    noise = gaussian_filter(noise, (0, grain, grain))
    hu += noise * (rng.uniform(3.0, 4.5) / noise.std())
    return np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)


def _make_affine(grid: HeadGrid, spacing_mm: float) -> NDArray[np.float64]:
    """Array (z, y, x) to world: superior, posterior and left are positive steps."""
    half = grid.pixel_mm * (grid.x.shape[-1] - 1) / 2
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = (
        spacing_mm,
        -grid.pixel_mm,
        -grid.pixel_mm,
    )
    affine[:, 3] = half, half, _BOTTOM_MM, 1
    return affine
