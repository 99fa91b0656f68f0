"""Drawing lesions of the spinal cord: random numbers become records.

Not here: what a record does to an image (``cord_applying``).
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmmed.synthesis.cord_geometry import CordGeometry
from mmmed.synthesis.cord_records import SEQUENCES, CordLesionRecord, Vector

_RATIOS: Mapping[str, tuple[float, float]] = {
    'T2w': (1.15, 2.0),
    'T1w': (0.6, 0.95),
    'T2starw': (1.1, 1.6),
}
# Half a voxel, blurred by as much as a scan is: standard deviation of a Gaussian
# whose full width at half maximum is a voxel, and half width of the ramp for it.
_FWHM_TO_RAMP = 0.4247 * 2.2
# A lesion that is thinner than this share of a voxel would be seen nowhere.
_LEAST_VOXELS = 0.6


@dataclass(frozen=True)
class CordLesionRecipe:
    """Which lesions to draw.

    Args:
        negative: Probability that there is none, in [0, 1].
        count: Least and largest number of lesions where there are some.
        across_mm: Range of the two semi-axes across the cord.
        along_mm: Range of the semi-axis along the cord, each ratio equally likely.
        ratios: Range of signal over that of the cord, by sequence; a sequence that is
            absent keeps the default.
        blur: Range of the width of the border over that of a voxel, before each
            voxel takes the mean over itself.
        texture: Range of the deviation of the contrast over its mean.
        texture_mm: Range of the size of texture and dents.
        dents: Range of the deviation of the border from an ellipsoid, over its least
            semi-axis.

    Raises:
        ValueError: A range is reversed or out of bounds, or a sequence unknown.
    """

    negative: float = 0.4
    count: tuple[int, int] = (1, 3)
    across_mm: tuple[float, float] = (0.5, 3.0)
    along_mm: tuple[float, float] = (2.0, 20.0)
    ratios: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    blur: tuple[float, float] = (0.5, 1.0)
    texture: tuple[float, float] = (0.0, 0.25)
    texture_mm: tuple[float, float] = (1.5, 4.0)
    dents: tuple[float, float] = (0.0, 0.2)

    def __post_init__(self) -> None:
        if not 0 <= self.negative <= 1:
            raise ValueError(f'negative is {self.negative}, expected a probability')
        if unknown := sorted(set(self.ratios) - set(SEQUENCES)):
            raise ValueError(
                f'ratios of {unknown[0]!r}, expected sequences {", ".join(SEQUENCES)}'
            )
        object.__setattr__(self, 'ratios', {**_RATIOS, **self.ratios})
        bounds = {
            'count': (1, 100), 'across_mm': (0.1, 50), 'along_mm': (0.1, 500),
            'blur': (0.1, 10), 'texture': (0, 0.45), 'texture_mm': (0.2, 100),
            'dents': (0, 0.4),
        }  # fmt: skip
        ranges = [(name, getattr(self, name), b) for name, b in bounds.items()]
        ranges += [(f'ratio of {n}', v, (0.01, 100)) for n, v in self.ratios.items()]
        for name, value, (low, high) in ranges:
            if len(value) != 2 or not low <= value[0] <= value[1] <= high:
                raise ValueError(
                    f'{name} is {value}, expected (least, largest) in [{low}, {high}]'
                )


@dataclass(frozen=True)
class CordLesionPlan:
    """What was drawn.

    Args:
        lesions: Records.
        outcome: ``'ok'``; or why there are none: ``'lesion-free'`` (as drawn),
            ``'no cord'``, ``'no sequence'`` (unknown, or one without a contrast),
            ``'no signal'`` (the cord is black).
    """

    lesions: tuple[CordLesionRecord, ...]
    outcome: str


def draw_cord_lesions(
    geometry: CordGeometry,
    sequence: str,
    rng: np.random.Generator,
    *,
    recipe: CordLesionRecipe | None = None,
    focus: tuple[str, int] | None = None,
) -> tuple[CordLesionRecord, ...]:
    """Lesions of :func:`plan_cord_lesions`."""
    plan = plan_cord_lesions(geometry, sequence, rng, recipe=recipe, focus=focus)
    return plan.lesions


def plan_cord_lesions(
    geometry: CordGeometry,
    sequence: str | None,
    rng: np.random.Generator,
    *,
    recipe: CordLesionRecipe | None = None,
    focus: tuple[str, int] | None = None,
) -> CordLesionPlan:
    """Draw the lesions of one cord.

    Args:
        geometry: Of :func:`~mmmed.synthesis.cord_geometry.measure_cord`.
        sequence: ``T1w``, ``T2w`` or ``T2starw``; any other name gives none.
        rng: Source of all random numbers.
        recipe: What to draw; None for the default.
        focus: Plane and number of a slice on which the first lesion has its centre,
            if there is cord: for training on slices, most of which lesions of a
            volume would miss.
    """
    recipe = recipe or CordLesionRecipe()
    if geometry.is_empty:
        return CordLesionPlan((), 'no cord')
    if sequence not in SEQUENCES:
        return CordLesionPlan((), 'no sequence')
    if not len(geometry.greys) or not (geometry.greys > 0).all():
        return CordLesionPlan((), 'no signal')
    if rng.random() < recipe.negative:
        return CordLesionPlan((), 'lesion-free')
    count = int(rng.integers(recipe.count[0], recipe.count[1] + 1))
    lesions = tuple(
        _draw_one(geometry, sequence, rng, recipe, focus if number == 0 else None)
        for number in range(count)
    )
    return CordLesionPlan(lesions, 'ok')


def count_voxels(
    lesions: Sequence[CordLesionRecord], voxels: Sequence[int], voxel_mm3: float
) -> tuple[CordLesionRecord, ...]:
    """Records with the size that each lesion got in its whole volume.

    Args:
        lesions: Records.
        voxels: Of :func:`~mmmed.synthesis.cord_applying.apply_cord_lesions`.
        voxel_mm3: Volume of a voxel.
    """
    return tuple(
        dataclasses.replace(one, voxels=count, volume_mm3=count * voxel_mm3)
        for one, count in zip(lesions, voxels, strict=True)
    )


def _draw_one(
    geometry: CordGeometry,
    sequence: str,
    rng: np.random.Generator,
    recipe: CordLesionRecipe,
    focus: tuple[str, int] | None,
) -> CordLesionRecord:
    mm = geometry.spacing
    index = geometry.draw_voxel(rng, focus)
    # Near the centre of its voxel: the least lesion still fills half of it.
    at = [(i + o) * s for i, o, s in zip(index, rng.uniform(-0.25, 0.25, 3), mm,
                                         strict=True)]  # fmt: skip
    center: Vector = (float(at[0]), float(at[1]), float(at[2]))
    low, high = recipe.along_mm
    along = low * (high / low) ** float(rng.random())
    across = rng.uniform(*recipe.across_mm, 2).tolist()
    least = [_LEAST_VOXELS * s for s in mm]
    radii: Vector = (
        max(along, least[0]), max(across[0], least[1]), max(across[1], least[2])
    )  # fmt: skip
    # The least radius is that across thick slices: no turn by more than a little then.
    most = 180.0 if max(mm[1:]) <= 2 * min(mm[1:]) else 20.0
    angle = math.radians(float(rng.uniform(-most, most)))
    grey, spread = geometry.find_grey(center[0])
    low, high = recipe.ratios[sequence]
    fine = math.sqrt(math.prod(sorted(mm)[:2]))
    return CordLesionRecord(
        sequence=sequence,
        center_mm=center,
        radii_mm=radii,
        rotation=build_rotation(geometry.find_direction(center[0]), angle),
        ratio=float(rng.uniform(low, high)),
        cord_grey=grey,
        cord_spread=spread,
        edge_mm=_FWHM_TO_RAMP * fine * float(rng.uniform(*recipe.blur)),
        texture_seed=int(rng.integers(2**32)),
        texture_mm=float(rng.uniform(*recipe.texture_mm)),
        texture=float(rng.uniform(*recipe.texture)),
        dents_mm=min(radii) * float(rng.uniform(*recipe.dents)),
    )


def build_rotation(direction: NDArray[np.float64], angle: float) -> tuple[float, ...]:
    """Matrix from the array axes to: along the cord, then across it, turned.

    Args:
        direction: Unit vector (z, y, x) along the cord, z > 0.
        angle: Turn about it in radians; 0 keeps the second axis in the sagittal plane.

    Returns:
        Nine numbers, row by row; each row is a unit vector (z, y, x).
    """
    front = np.array([0.0, 1.0, 0.0]) - direction[1] * direction
    front /= np.linalg.norm(front)
    side = np.cross(front, direction)
    cos, sin = math.cos(angle), math.sin(angle)
    rows = [direction, cos * front + sin * side, cos * side - sin * front]
    return tuple(float(value) for row in rows for value in row)
