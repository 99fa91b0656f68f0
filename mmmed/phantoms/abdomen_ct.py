"""Generated abdomen CT scans with organs, vessels and tumors, in Hounsfield units.

Plausible, not real: for tests, demonstrations and teaching, never for a claim about
patients. Its tumors are drawn here, not by ``mmmed.synthesis``, so that one can test
the other. Files are written by ``abdomen_raw``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mmmed.functional.masks import check_spacing
from mmmed.phantoms.abdomen_grid import Array, BodyGrid, make_body_grid
from mmmed.phantoms.abdomen_organs import (
    ORGAN_IDS,
    Organs,
    draw_labels,
    draw_organs,
)
from mmmed.phantoms.abdomen_tumors import TUMOR_ORGANS, draw_tumors
from mmmed.structures import Volume

# Unenhanced, and 70 s after contrast.
PHASES = ('native', 'portal')
_AIR, _LUNG, _FAT, _MUSCLE = -1000.0, -830.0, -98.0, 58.0
_LEVELS_HU = {
    'native': {
        'spleen': 48, 'right_kidney': 32, 'left_kidney': 32, 'gallbladder': 8,
        'liver': 56, 'stomach': 30, 'aorta': 40, 'inferior_vena_cava': 40,
        'pancreas': 38,
    },
    'portal': {
        'spleen': 122, 'right_kidney': 178, 'left_kidney': 178, 'gallbladder': 10,
        'liver': 108, 'stomach': 34, 'aorta': 152, 'inferior_vena_cava': 138,
        'pancreas': 96,
    },
}  # fmt: skip
_BLOOD_HU = {'native': 42.0, 'portal': 165.0}


@dataclass(frozen=True)
class AbdomenPhantom:
    """One generated patient.

    Args:
        number: Patient number, from 1.
        volume: CT numbers (Z, Y, X), int16 HU, canonical (superior, anterior, right).
        organs: Organ of each voxel as ``ORGAN_IDS`` has it, tumors included, uint8.
        tumors: Tumor of each voxel, from 1, 0 elsewhere, uint8, same shape.
        phase: ``'native'`` or ``'portal'``.
    """

    number: int
    volume: Volume
    organs: NDArray[np.uint8]
    tumors: NDArray[np.uint8]
    phase: str

    def label_organ(self, organ: str) -> NDArray[np.uint8]:
        """0 outside, 1 organ, 2 its tumors.

        Args:
            organ: ``'liver'``, ``'pancreas'`` or ``'kidney'`` (both).
        """
        inside = np.isin(self.organs, get_organ_ids(organ))
        return inside.astype(np.uint8) + (inside & (self.tumors > 0)).astype(np.uint8)


def get_organ_ids(organ: str) -> tuple[int, ...]:
    """Numbers of an organ in ``AbdomenPhantom.organs``.

    Raises:
        ValueError: It is none that tumors are drawn in.
    """
    if organ not in TUMOR_ORGANS:
        raise ValueError(
            f'organ is {organ!r}, expected one of {", ".join(TUMOR_ORGANS)}'
        )
    return tuple(ORGAN_IDS[name] for name in TUMOR_ORGANS[organ])


def make_abdomen_cohort(
    patients: int = 4,
    *,
    spacing: Sequence[float] = (3.0, 1.5, 1.5),
    organ: str = 'liver',
    tumors: int = 4,
    phase: str = 'portal',
    seed: int = 0,
) -> Iterator[AbdomenPhantom]:
    """Generate patients one by one; patient k does not depend on how many there are.

    Args:
        patients: How many, >= 1.
        spacing: (Z, Y, X) in mm.
        organ: Where tumors are.
        tumors: Largest number of a patient; 0 is a healthy cohort.
        phase: One of ``PHASES``.
        seed: >= 0.

    Raises:
        ValueError: A number is too small, or a name unknown.
    """
    if patients < 1:
        raise ValueError(f'patients is {patients}, expected 1 or more')
    for number in range(1, patients + 1):
        yield make_abdomen(
            number, spacing=spacing, organ=organ, tumors=tumors, phase=phase, seed=seed
        )


def make_abdomen(
    number: int = 1,
    *,
    spacing: Sequence[float] = (3.0, 1.5, 1.5),
    organ: str = 'liver',
    tumors: int = 4,
    phase: str = 'portal',
    seed: int = 0,
) -> AbdomenPhantom:
    """Generate one patient.

    Args:
        number: >= 1; with the seed it decides everything.
        spacing: (Z, Y, X) in mm, each at most 12. The field of view is 230 x 270 x
            390 mm.
        organ: Where tumors are.
        tumors: Largest number; at least one is drawn unless it is 0.
        phase: One of ``PHASES``.
        seed: >= 0.

    Raises:
        ValueError: As above.
    """
    get_organ_ids(organ)
    if phase not in PHASES:
        raise ValueError(f'phase is {phase!r}, expected one of {", ".join(PHASES)}')
    if min(number - 1, tumors, seed) < 0 or max(check_spacing(spacing, 3)) > 12:
        raise ValueError(
            f'number {number}, tumors {tumors}, seed {seed} or spacing {spacing} is '
            'out of range; expected number >= 1, others >= 0, spacing <= 12 mm'
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
    grid = make_body_grid(spacing)
    organs = draw_organs(rng, grid)
    labels = draw_labels(organs)
    hu = _draw_tissue(rng, grid, organs, phase)
    inside = np.isin(labels, get_organ_ids(organ))
    tumor_map = draw_tumors(rng, grid, hu, inside, tumors)
    scan = _scan(rng, grid, hu)
    volume = Volume(scan, grid.spacing, _make_affine(grid))
    return AbdomenPhantom(number, volume, labels, tumor_map, phase)


def _draw_tissue(
    rng: np.random.Generator, grid: BodyGrid, organs: Organs, phase: str
) -> Array:
    levels = _LEVELS_HU[phase]
    hu = np.full(grid.shape, _AIR, np.float32)
    _blend(hu, _FAT, grid.soften(organs.wall_mm))
    skin = grid.soften(2.2 - np.abs(organs.wall_mm - 1))
    _blend(hu, 10, skin)
    under = 18 + 5 * grid.draw_bumps(rng, 90)
    _blend(hu, _MUSCLE, grid.soften(5.5 - np.abs(organs.wall_mm - under - 5)))
    _draw_bowel(rng, grid, organs, hu)
    for side in (-1, 1):  # psoas and back muscles
        psoas = 19 - np.hypot(grid.a + 62, (grid.r - side * 42) * 1.1) + 0 * grid.s
        back = 24 - np.hypot((grid.a + 96) * 1.3, (grid.r - side * 42) * 0.7)
        both = np.maximum(psoas * (grid.s < 120), back + 0 * grid.s)
        _blend(hu, _MUSCLE, grid.soften(np.minimum(both, organs.wall_mm - 12)))
    for name, share in organs.shares.items():
        _blend(hu, float(levels[name]), share)
    _draw_details(rng, grid, organs, hu, phase)
    _blend(hu, _LUNG, organs.chest)
    _draw_bones(rng, grid, organs, hu)
    table = grid.soften(3 - np.abs(grid.a + 128 - (grid.r / 120) ** 2) + 0 * grid.s)
    _blend(hu, -250, table * (organs.wall_mm < 0))
    return hu


def _blend(hu: Array, value: Array | float, share: Array) -> None:
    hu += share * (value - hu)


def _draw_details(
    rng: np.random.Generator, grid: BodyGrid, organs: Organs, hu: Array, phase: str
) -> None:
    """What makes organs look like organs: veins, cortex, contents, lobules."""
    _blend(hu, _BLOOD_HU[phase], organs.vessels)
    shares = organs.shares
    if phase == 'portal':
        bumps = grid.draw_bumps(rng, 14)
        for name in ('left_kidney', 'right_kidney'):
            _blend(hu, 158, shares[name] * np.clip(bumps - 0.4, 0, 1))
    lobules = np.clip(grid.draw_bumps(rng, 7) - 1.0, 0, 1)
    _blend(hu, -20, 0.7 * lobules * shares['pancreas'])
    # Gas collects in front, food behind; the patient lies on the back.
    level = rng.uniform(38, 50)
    gas = shares['stomach'] * grid.soften(grid.a - level + 0 * grid.s)
    _blend(hu, -950, gas * (shares['stomach'] > 0.95))
    food = np.clip(0.5 + grid.draw_bumps(rng, 12), 0, 1) * 25
    hu += food * shares['stomach'] * (1 - gas)
    hu += 2 * grid.draw_bumps(rng, 40) * shares['liver']


def _draw_bowel(
    rng: np.random.Generator, grid: BodyGrid, organs: Organs, hu: Array
) -> None:
    """Loops with walls, fluid and some gas, in the lower and front part."""
    room = grid.soften(organs.wall_mm - 34) * np.clip((150 - grid.s) / 40, 0, 1)
    room = room * grid.soften(grid.a + 22 + 0 * grid.s)
    loops = grid.draw_bumps(rng, 16)
    _blend(hu, 42, room * grid.soften(6 * (loops + 0.1)))
    _blend(hu, 18, room * grid.soften(6 * (loops - 0.5)))
    gas = grid.soften(10 * (grid.draw_bumps(rng, 13) - 1.3)) * (loops > 0.7)
    _blend(hu, -900, room * gas)


def _draw_bones(
    rng: np.random.Generator, grid: BodyGrid, organs: Organs, hu: Array
) -> None:
    spine = organs.spine
    phase = (grid.s + rng.uniform(0, 34)) % 34
    disc = (phase < 7) & (spine > 0) & (grid.a > -92)
    trabecular = 170 + 35 * grid.draw_bumps(rng, 5)
    _blend(hu, trabecular, grid.soften(spine))
    _blend(hu, 520, grid.soften(1.6 - np.abs(spine - 1)) * 0.8)
    _blend(hu, 85, grid.soften(spine) * disc)
    canal = grid.soften(8.5 - np.hypot(grid.r, grid.a + 92) + 0 * grid.s)
    _blend(hu, 25, canal)
    # Ribs run down to the front around chest and upper abdomen.
    angle = np.arctan2(grid.a, np.abs(grid.r))
    slope = grid.s + 34 * angle - 95
    along = np.abs((slope + 13) % 26 - 13)
    rib = np.minimum(4.5 - 0.9 * along, 3.5 - np.abs(organs.wall_mm - 20.5))
    rib = np.minimum(rib, np.minimum(slope, 95 - grid.a))
    _blend(hu, 330 + 0 * grid.s, grid.soften(rib))


def _scan(rng: np.random.Generator, grid: BodyGrid, hu: Array) -> NDArray[np.int16]:
    """What a scanner adds: blur, and noise with a grain of its own."""
    blur = [0.45 * 1.0 / mm for mm in grid.spacing]
    hu = gaussian_filter(hu, blur)
    white = rng.standard_normal(hu.shape, dtype=np.float32)
    # Filtered back projection passes middle frequencies: neighbors go together,
    # voxels further apart slightly against each other.
    fine = gaussian_filter(white, [0.7 / mm for mm in grid.spacing], truncate=3)
    coarse = gaussian_filter(fine, [1.6 / mm for mm in grid.spacing], truncate=3)
    noise = fine - 0.6 * coarse
    hu += noise * np.float32(rng.uniform(10, 15) / noise.std())
    return np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)


def _make_affine(grid: BodyGrid) -> NDArray[np.float64]:
    """Array (z, y, x) to world: superior, anterior and right are positive steps."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = grid.spacing
    affine[:, 3] = grid.r.flat[0], grid.a.flat[0], grid.s.flat[0], 1
    return affine
