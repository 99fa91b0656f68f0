"""Images and masks of a generated spine, on any grid, in three sequences.

Shapes are drawn in the frame of the cord: ``u`` in front of its centre, ``v`` to the
right of it, ``level`` along the column, at right angles to the cord. Not here: the
numbers of a person (``spine_anatomy``), files (``spine_raw``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmmed.phantoms.abdomen_grid import BodyGrid
from mmmed.phantoms.spine_anatomy import Array, SpineAnatomy
from mmmed.phantoms.spine_lesions import Clump, measure_clump

# Signal of each tissue; what is bright in one sequence is not in another.
_SIGNALS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        'T2w': {
            'air': 8, 'muscle': 170, 'fat': 620, 'marrow': 300, 'bone': 60,
            'disc': 200, 'nucleus': 520, 'csf': 1000, 'cord': 380, 'grey': 440,
            'vessel': 40, 'organ': 330,
        },
        'T1w': {
            'air': 8, 'muscle': 330, 'fat': 850, 'marrow': 480, 'bone': 70,
            'disc': 300, 'nucleus': 270, 'csf': 150, 'cord': 500, 'grey': 450,
            'vessel': 60, 'organ': 380,
        },
        'T2star': {
            'air': 8, 'muscle': 420, 'fat': 330, 'marrow': 150, 'bone': 50,
            'disc': 480, 'nucleus': 620, 'csf': 800, 'cord': 540, 'grey': 660,
            'vessel': 520, 'organ': 430,
        },
    }
)  # fmt: skip
SEQUENCES = tuple(_SIGNALS)


@dataclass
class SpineImage:
    """One rendered sequence.

    Args:
        image: (Z, Y, X), axes (S, A, R), grey values from 0.
        masks: By name: ``cord``, ``canal``, ``grey``, ``lesion`` (all lesions),
            ``levels`` (number of the vertebra in the cord, else 0).
    """

    image: NDArray[np.int16]
    masks: dict[str, NDArray[np.uint8]] = field(default_factory=dict)


class _Frame:
    """Coordinates of the voxels in the frame of the cord, and distances in it."""

    def __init__(self, anatomy: SpineAnatomy, grid: BodyGrid) -> None:
        self.anatomy, self.typical, self.grid = anatomy, anatomy.typical, grid
        a, r = anatomy.locate_cord(grid.s)
        self.u = (grid.a - a).astype(np.float32)
        self.v = (grid.r - r).astype(np.float32)
        slope = anatomy.tilt[0] - 2 * self.typical.bow * grid.s / 2500
        self.level = (grid.s + slope * self.u).astype(np.float32)  # (Z, Y, 1)
        self.column = self.typical.canal[0] + 2 + self.typical.body[1] / 2
        self.bodies = self._away_from_bodies(self.level)

    def _away_from_bodies(self, level: Array) -> Array:
        """Distance along the column to the middle of the nearest body."""
        period = self.anatomy.period_mm
        shifted = level - self.anatomy.level_phase_mm + period / 2
        return np.asarray(np.abs(np.mod(shifted, period) - period / 2), np.float32)

    def measure_tube(self, u: float, v: float, semi: Sequence[float]) -> Array:
        q = ((self.u - u) / semi[0]) ** 2 + ((self.v - v) / semi[1]) ** 2
        return np.asarray((1 - np.sqrt(q)) * min(semi), np.float32)

    def measure_cord(self) -> Array:
        scale = np.maximum(self.anatomy.scale_cord(self.grid.s), 1e-3)
        a, r = self.typical.cord
        q = (self.u / (a * scale)) ** 2 + (self.v / (r * scale)) ** 2
        return np.asarray((1 - np.sqrt(q)) * (min(a, r) * scale), np.float32)

    def measure_block(self, half_mm: float) -> Array:
        """Inside of bodies (or of the gaps between them) of half a height."""
        _, depth, width = self.typical.body
        forward = np.abs(self.u - self.column)
        waist = 0.8 * np.minimum(forward / (depth / 2), 1) ** 2
        inside = np.minimum(depth / 2 - forward, half_mm - 0.8 + waist - self.bodies)
        oval = np.sqrt(forward**2 + (self.v * depth / width) ** 2)
        return np.minimum(inside, depth / 2 - oval)

    def measure_arch(self) -> Array:
        """Spinous processes and pedicles."""
        height = self.typical.body[0]
        back = -self.u - self.typical.canal[0] - 1.5
        length, slant = self.typical.process
        lower = self._away_from_bodies(self.level + slant * np.maximum(back, 0))
        spine = np.minimum(np.minimum(back, length - back), 0.28 * height - lower)
        spine = np.minimum(spine, 2.5 + 0.04 * length - np.abs(self.v))
        aside = np.abs(self.v) - self.typical.canal[1] - 1
        pedicle = np.minimum(np.minimum(aside, 7 - aside), 0.3 * height - self.bodies)
        pedicle = np.minimum(pedicle, 6 - np.abs(self.u - 1.5))
        return np.maximum(spine, pedicle)

    def measure_grey(self) -> Array:
        """Horns left and right of a bridge: the butterfly of the grey matter."""
        a, r = self.typical.cord
        scale = np.maximum(self.anatomy.scale_cord(self.grid.s), 1e-3)
        forward, aside = self.u / (a * scale), np.abs(self.v) / (r * scale)
        width = 0.12 + 0.08 * forward  # the front horns are the thicker ones
        horn = width - np.abs(aside - 0.33 + 0.1 * forward)
        horn = np.minimum(horn, 0.62 - np.abs(forward))
        bridge = np.minimum(0.1 - np.abs(forward), 0.35 - aside)
        return np.asarray(np.maximum(horn, bridge) * (min(a, r) * scale), np.float32)

    def measure_body(self) -> Array:
        back, front, side = self.typical.skin
        a, r = self.anatomy.center_mm
        middle, half = a + (front - back) / 2, (front + back) / 2
        q = ((self.grid.a - middle) / half) ** 2 + ((self.grid.r - r) / side) ** 2
        return np.asarray((1 - np.sqrt(q)) * half, np.float32)


def render_spine(
    anatomy: SpineAnatomy,
    grid: BodyGrid,
    sequence: str,
    *,
    clumps: Sequence[Clump] = (),
    noise: float = 0.04,
) -> SpineImage:
    """Draw one sequence.

    Args:
        anatomy: The person.
        grid: Voxels; ``s`` counts from the middle of the field of view.
        sequence: One of ``SEQUENCES``.
        clumps: Lesions, the same in every sequence.
        noise: Standard deviation as a share of the signal of CSF or fat, >= 0.

    Raises:
        ValueError: Unknown sequence or negative noise.
    """
    if sequence not in _SIGNALS or noise < 0:
        raise ValueError(
            f'sequence is {sequence!r} and noise {noise}, expected one of '
            f'{", ".join(SEQUENCES)} and >= 0'
        )
    signal = _SIGNALS[sequence]
    rng = np.random.default_rng((*anatomy.seed, 1 + SEQUENCES.index(sequence)))
    frame = _Frame(anatomy, grid)
    bumps = grid.draw_bumps(rng, 14)
    img = np.full(grid.shape, signal['air'], np.float32)

    def fill(inside_mm: Array, tissue: str) -> Array:
        share = grid.soften(inside_mm)
        np.add(img, share * (signal[tissue] - img), out=img)
        return share

    inside = frame.measure_body()
    fill(inside, 'fat')
    fill(inside - 4, 'muscle')
    # Sheets of fat between the muscles.
    fill(np.where(inside > 6, 1.2 - 5 * np.abs(bumps - 0.2), -9), 'fat')
    _fill_organs(frame, fill)
    half, disc = anatomy.typical.body[0] / 2, anatomy.typical.disc / 2
    column = anatomy.period_mm / 2 - frame.bodies
    gap = np.minimum(disc - column, frame.measure_block(9e3))
    fill(gap + 0.5, 'disc')
    fill(np.minimum(gap - 1, frame.measure_block(9e3) - 5), 'nucleus')
    for grown, tissue in ((1.0, 'bone'), (0.0, 'marrow')):
        fill(frame.measure_block(half) + grown, tissue)
        fill(frame.measure_arch() + grown - 1, tissue)
    canal = frame.measure_tube(0.3, 0, anatomy.typical.canal)
    fill(frame.measure_tube(-1, 0, [x + 1.2 for x in anatomy.typical.canal]), 'bone')
    fill(np.minimum(canal + 0.3, -frame.u - anatomy.typical.canal[0] + 2.5), 'fat')
    canal_share = fill(canal, 'csf')
    _fill_roots(frame, fill, rng)
    cord = fill(frame.measure_cord(), 'cord')
    grey = fill(np.minimum(frame.measure_grey(), frame.measure_cord() - 0.5), 'grey')
    wet = _mix_water(clumps, frame, rng, img, cord, signal['csf'])
    image = _finish(img, grid, rng, noise * max(signal['csf'], signal['fat']))
    has_cord = cord >= 0.5
    level = anatomy.count_level(frame.level)
    return SpineImage(
        image,
        {
            'cord': has_cord.astype(np.uint8),
            'canal': (canal_share >= 0.5).astype(np.uint8),
            'grey': ((grey >= 0.5) & has_cord).astype(np.uint8),
            'lesion': (wet & has_cord).astype(np.uint8),
            'levels': np.where(has_cord, np.clip(level, 1, 255), 0).astype(np.uint8),
        },
    )


def _fill_organs(frame: _Frame, fill) -> None:  # type: ignore[no-untyped-def]
    """What lies in front of the column: airway, lungs, vessels, bowel."""
    front = frame.column + frame.typical.body[1] / 2
    region = frame.anatomy.region
    if region == 'cervical':
        fill(frame.measure_tube(front + 10, 0, (6, 8)), 'air')
        for side in (-1, 1):
            fill(frame.measure_tube(front + 4, side * 20, (4, 4)), 'vessel')
    elif region == 'thoracic':
        lungs = np.minimum(np.abs(frame.v) - 22, frame.u + 6)
        lungs = np.maximum(lungs, frame.u - front - 24)
        fill(np.minimum(lungs, frame.measure_body() - 14), 'air')
        fill(frame.measure_tube(front + 9, -9, (9, 9)), 'vessel')
    else:
        fill(np.minimum(frame.u - front - 4, frame.measure_body() - 14), 'organ')
        for side, size in ((-8, 8.0), (12, 9.0)):
            fill(frame.measure_tube(front + 9, side, (size, size)), 'vessel')


def _fill_roots(frame: _Frame, fill, rng) -> None:  # type: ignore[no-untyped-def]
    """Roots of the cauda equina, below and beside the end of the cord."""
    if not np.isfinite(frame.anatomy.conus_mm):
        return
    below = (frame.anatomy.conus_mm + 20 - frame.grid.s).astype(np.float32)
    a, r = frame.typical.canal
    for _ in range(8):
        u, v = rng.uniform(-0.75, -0.1) * a, rng.uniform(-0.75, 0.75) * r
        fill(np.minimum(frame.measure_tube(u, v, (0.8, 0.8)), below), 'cord')


def _mix_water(
    clumps: Sequence[Clump],
    frame: _Frame,
    rng: np.random.Generator,
    img: Array,
    cord: Array,
    water: float,
) -> NDArray[np.bool_]:
    """Make lesions in place; returns where at least half a voxel is lesion."""
    lesion = np.zeros(img.shape, bool)
    if not clumps:
        return lesion
    dents = 0.35 * frame.grid.draw_bumps(rng, 3.5)
    for clump in clumps:
        inside = measure_clump(clump, frame.anatomy, frame.grid, dents)
        share = frame.grid.soften(inside) * cord
        img += share * clump.water * (water - img)
        lesion |= share >= 0.5
    return lesion


def _finish(
    img: Array, grid: BodyGrid, rng: np.random.Generator, deviation: float
) -> NDArray[np.int16]:
    """Coil behind the back, texture of tissue, noise of a magnitude image."""
    field = -0.007 * grid.a + 0.08 * grid.draw_bumps(rng, 120)
    img = img * np.exp(field) * (1 + 0.03 * grid.draw_bumps(rng, 5))
    real = img + deviation * rng.standard_normal(img.shape, np.float32)
    other = deviation * rng.standard_normal(img.shape, np.float32)
    return np.rint(np.clip(np.hypot(real, other), 0, 32000)).astype(np.int16)
