"""CordLesionRecord: everything about one synthetic lesion of the spinal cord.

A record is drawn once (``cord_drawing``) and applied any number of times
(``cord_applying``), to a volume or to a part of it, with the same result, bit for bit.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Vector = tuple[float, float, float]

SEQUENCES = ('T1w', 'T2w', 'T2starw')
_NUMBER_LIMIT = 1e9
_LENGTHS = {'center_mm': 3, 'radii_mm': 3, 'rotation': 9}


@dataclass(frozen=True)
class CordLesionRecord:
    """One lesion: an ellipsoid along the cord, of another signal than the cord.

    Positions count from the centre of the first voxel of the whole volume, along its
    array axes (Z, Y, X) = (S, A, R).

    Args:
        sequence: One of ``SEQUENCES``.
        center_mm: Centre.
        radii_mm: Semi-axes along the cord, from back to front and from side to side
            before the turn about the cord, > 0.
        rotation: Row-major 3x3 matrix from the array axes to the semi-axes.
        ratio: Signal of the lesion over that of the cord around it, > 0.
        cord_grey: Median grey value of the cord around it, in the volume, > 0.
        cord_spread: Standard deviation of the same, by the median of differences;
            grain beyond ``2.5`` of them does not stay in the lesion.
        edge_mm: Half width of the ramp at the border, > 0.
        texture_seed: Of texture and dents, in [0, 2**32).
        texture_mm: Distance of the knots of both, > 0.
        texture: Standard deviation of the contrast over its mean, in [0, 1].
        dents_mm: Standard deviation of the border from the ellipsoid, >= 0.
        voxels: Voxels labelled in the whole volume; None where nobody counted.
        volume_mm3: The same as a volume.
    """

    sequence: str
    center_mm: Vector
    radii_mm: Vector
    rotation: tuple[float, ...]
    ratio: float
    cord_grey: float
    cord_spread: float
    edge_mm: float
    texture_seed: int = 0
    texture_mm: float = 2.0
    texture: float = 0.0
    dents_mm: float = 0.0
    voxels: int | None = None
    volume_mm3: float | None = None

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            if len(getattr(self, name)) != length:
                raise ValueError(f'{name} of a cord lesion needs {length} numbers')
        numbers = [*self.center_mm, *self.radii_mm, *self.rotation, self.cord_grey]
        numbers += [self.ratio, self.cord_spread, self.edge_mm, self.texture_mm]
        numbers += [self.texture, self.dents_mm, self.volume_mm3 or 0.0]
        # Also false for what is not a number.
        if not all(abs(number) < _NUMBER_LIMIT for number in numbers):
            raise ValueError('a cord lesion holds a number that is not plausible')
        positive = (self.edge_mm, self.texture_mm, self.ratio, self.cord_grey)
        if min(*self.radii_mm, *positive) <= 0:
            raise ValueError('radii, edge, texture, ratio and grey must be > 0')
        if not 0 <= self.texture <= 1 or self.dents_mm < 0 or self.cord_spread < 0:
            raise ValueError('texture lies outside [0, 1], or dents or spread < 0')
        if self.sequence not in SEQUENCES or not 0 <= self.texture_seed < 2**32:
            raise ValueError(
                f'sequence is {self.sequence!r} and seed {self.texture_seed}, expected '
                f'one of {", ".join(SEQUENCES)} and a number below 2**32'
            )

    @property
    def nominal_volume_mm3(self) -> float:
        """Volume of the ellipsoid before clipping by the cord."""
        return 4 / 3 * math.pi * math.prod(self.radii_mm)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists; floats survive JSON exactly."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'CordLesionRecord':
        """Read :meth:`to_json` back, from a stranger too.

        Raises:
            ValueError: An unknown key, a missing one, or a value of another type.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f'a cord lesion record has no {unknown[0]!r}')
        try:
            return cls(**{key: _read(key, value) for key, value in values.items()})
        except TypeError as error:
            raise ValueError(f'not a cord lesion record: {error}') from error


def _read(key: str, value: Any) -> Any:
    """One field of JSON in its type.

    Raises:
        ValueError: It has another one.
    """
    if key == 'sequence':
        if not isinstance(value, str):
            raise ValueError(f'sequence of a cord lesion is {value!r}, expected a name')
        return value
    if key in _LENGTHS:
        if not isinstance(value, list | tuple):
            raise ValueError(f'{key} of a cord lesion is {value!r}, expected a list')
        return tuple(_read_number(key, one) for one in value)
    if value is None and key in ('voxels', 'volume_mm3'):
        return None
    if key in ('voxels', 'texture_seed'):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f'{key} of a cord lesion is {value!r}, expected >= 0')
        return value
    return _read_number(key, value)


def _read_number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{key} of a cord lesion holds {value!r}, expected a number')
    return float(value)
