"""Anatomy of a generated spine: numbers of one person, and the curve of the cord.

Millimetres: ``s`` to superior, ``a`` to anterior and ``r`` to the right from the
middle of the field of view. Not here: images (``spine_image``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class _Region(NamedTuple):
    """What is typical of a region, in mm.

    Attributes:
        bow: How far the middle of 100 mm of cord lies in front of its ends.
        cord: Semi-axes (A, R) of the cord.
        canal: Likewise of the canal.
        body: Height, depth and width of a vertebral body.
        disc: Height of a disc.
        process: Length and slant (mm down for each mm back) of a spinous process.
        skin: Distance (back, front, side) from the cord to the skin.
        middle_level: Number of the vertebra at s = 0; C1 is 1, T1 is 8, L1 is 20.
    """

    bow: float
    cord: tuple[float, float]
    canal: tuple[float, float]
    body: tuple[float, float, float]
    disc: float
    process: tuple[float, float]
    skin: tuple[float, float, float]
    middle_level: int


REGIONS: Mapping[str, _Region] = MappingProxyType(
    {
        'cervical': _Region(
            4.0, (3.6, 5.8), (6.6, 10.5), (12.5, 16.0, 20.0), 4.5, (24.0, 0.25),
            (42.0, 46.0, 58.0), 5,
        ),
        'thoracic': _Region(
            -5.0, (3.2, 4.2), (7.0, 8.5), (19.0, 27.0, 29.0), 4.5, (32.0, 1.0),
            (50.0, 110.0, 150.0), 13,
        ),
        'lumbar': _Region(
            3.5, (3.7, 4.5), (8.5, 11.0), (26.5, 34.0, 46.0), 9.5, (30.0, 0.1),
            (52.0, 110.0, 140.0), 20,
        ),
    }
)  # fmt: skip
CONUS_MM = 28.0


@dataclass(frozen=True)
class SpineAnatomy:
    """One generated spine.

    Args:
        region: Name in ``REGIONS``.
        typical: Numbers of this person.
        center_mm: (a, r) of the cord at s = 0.
        tilt: Slopes (da/ds, dr/ds) at s = 0.
        bow_r_mm: Sideways bow, as ``bow`` is in the sagittal plane.
        level_phase_mm: s of the middle of the vertebral body that is nearest to 0.
        conus_mm: s of the end of the cord; minus infinity where it is not shown.
        seed: Of all that is random in its images.
    """

    region: str
    typical: _Region
    center_mm: tuple[float, float]
    tilt: tuple[float, float]
    bow_r_mm: float
    level_phase_mm: float
    conus_mm: float
    seed: tuple[int, ...]

    @property
    def period_mm(self) -> float:
        """Distance of two vertebrae."""
        return self.typical.body[0] + self.typical.disc

    def locate_cord(self, s: Array) -> tuple[Array, Array]:
        """Centre (a, r) of the cord at heights ``s``, any shape."""
        square = (s / 50) ** 2
        a = self.center_mm[0] + self.tilt[0] * s - self.typical.bow * square
        r = self.center_mm[1] + self.tilt[1] * s - self.bow_r_mm * square
        return a, r

    def scale_cord(self, s: Array) -> Array:
        """Radius of the cord as a share of the typical one; 0 below the conus."""
        enlargement = 1 + 0.1 * np.exp(-(((s - 10) / 30) ** 2))
        taper = np.clip((s - self.conus_mm) / CONUS_MM, 0, 1)
        return np.asarray(enlargement * np.sqrt(taper), np.float32)

    def count_level(self, s: Array) -> NDArray[np.int_]:
        """Number of the vertebra at heights along the column; C1 is 1, T1 is 8."""
        steps = np.rint((s - self.level_phase_mm) / self.period_mm)
        return (self.typical.middle_level - steps).astype(int)


def draw_anatomy(region: str, seed: tuple[int, ...]) -> SpineAnatomy:
    """A person; everything follows from the seed.

    Args:
        region: One of ``REGIONS``.
        seed: Numbers >= 0.

    Raises:
        ValueError: Unknown region.
    """
    if region not in REGIONS:
        raise ValueError(f'region is {region!r}, expected one of {", ".join(REGIONS)}')
    rng = np.random.default_rng(seed)
    typical = REGIONS[region]

    def vary(values: tuple[float, ...], share: float) -> Any:
        size = rng.normal(1, share)
        return tuple(float(v * size * rng.normal(1, share / 2)) for v in values)

    conus = float(rng.uniform(-25, 5)) if region == 'lumbar' else -np.inf
    return SpineAnatomy(
        region,
        typical._replace(
            bow=typical.bow * float(rng.uniform(0.4, 1.6)),
            cord=vary(typical.cord, 0.05),
            canal=vary(typical.canal, 0.04),
            body=vary(typical.body, 0.05),
            disc=typical.disc * float(rng.uniform(0.85, 1.15)),
            skin=vary(typical.skin, 0.05),
        ),
        (-4.0 + float(rng.normal(0, 2)), float(rng.normal(0, 1.5))),
        (float(rng.normal(0, 0.06)), float(rng.normal(0, 0.02))),
        float(rng.normal(0, 0.7)),
        float(rng.uniform(-0.4, 0.4)) * (typical.body[0] + typical.disc),
        conus,
        seed,
    )
