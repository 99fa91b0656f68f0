"""LesionRecord: everything about one synthetic lesion, enough to make it again.

A record is drawn once (``drawing``) and applied any number of times (``applying``)
with the same result, bit for bit. Not here: drawing or applying it.
"""

import copy
import dataclasses
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Vector = tuple[float, float, float]

COMPOSITIONS = ('subtract', 'replace')
_NUMBER_LIMIT = 1e7


@dataclass(frozen=True)
class LesionRecord:
    """One lesion: a deformed ellipsoid with a texture, in mm along the array axes.

    Positions count from the centre of the first voxel of the whole volume, along its
    array axes (Z, Y, X); the volume's affine makes patient coordinates of them.

    Args:
        kind: Size class, as ``tiny``, ``small``, ``medium``, ``large``.
        center_mm: Centre.
        radii_mm: Semi-axes, > 0, before rotation and deformation.
        rotation: Row-major 3x3 matrix from the array axes to the semi-axes.
        displacement_mm: 81 numbers, index (component, z, y, x) of shape
            (3, 3, 3, 3): displacement at the control points, which lie at -2, 0 and 2
            half extents of the ellipsoid around the centre.
        edge_mm: Standard deviation of the edge's blur, > 0.
        delta_hu: Mean change of intensity over the lesion's label, texture, capsule
            and necrosis included.
        composition: ``subtract`` keeps the organ's grain below a change of level,
            ``replace`` blends a tissue of its own in.
        texture_seed: Of the lesion's texture and grain.
        texture_mm: Distance of the knots of the smooth modulation, > 0.
        texture_deviation: Standard deviation of the modulation, whose mean is 1.
        tissue_hu: Level of the organ, to which ``delta_hu`` is added in ``replace``.
        grain_hu: Standard deviation of the grain of ``replace``.
        grain_correlation: Correlation of neighbouring voxels of the grain, per axis.
        capsule_hu: Added in a shell around the edge; 0 is no capsule.
        mass_effect: Strength of the warp of the surroundings, in [0, 0.5].
        necrosis_hu: Added in the core; 0 is no necrosis.
        necrosis_share: Radius of the core as a share of the lesion's, in [0, 1).
        vessel_share: Share of vessel voxels around the centre where it was placed.
        voxels: Voxels labelled when applied; ``None`` before.
        volume_mm3: The same as a volume.
    """

    kind: str
    center_mm: Vector
    radii_mm: Vector
    rotation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    displacement_mm: tuple[float, ...] = (0.0,) * 81
    edge_mm: float = 1.0
    delta_hu: float = -50.0
    composition: str = 'subtract'
    texture_seed: int = 0
    texture_mm: float = 7.0
    texture_deviation: float = 0.0
    tissue_hu: float = 0.0
    grain_hu: float = 0.0
    grain_correlation: Vector = (0.0, 0.0, 0.0)
    capsule_hu: float = 0.0
    mass_effect: float = 0.0
    necrosis_hu: float = 0.0
    necrosis_share: float = 0.0
    vessel_share: float = 0.0
    voxels: int | None = None
    volume_mm3: float | None = None

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            if len(getattr(self, name)) != length:
                raise ValueError(f'{name} of a lesion needs {length} numbers')
        # Also false for what is not a number.
        if not max(map(abs, _list_numbers(self))) < _NUMBER_LIMIT:
            raise ValueError('a lesion record holds a number that is not plausible')
        if min(*self.radii_mm, self.edge_mm, self.texture_mm) <= 0:
            raise ValueError('radii, edge and texture of a lesion must be > 0 mm')
        if self.composition not in COMPOSITIONS:
            raise ValueError(
                f'composition is {self.composition!r}, expected one of {COMPOSITIONS}'
            )
        if not 0 <= self.mass_effect <= 0.5 or not 0 <= self.necrosis_share < 1:
            raise ValueError('mass_effect lies outside [0, 0.5] or necrosis in [0, 1)')

    @property
    def nominal_volume_mm3(self) -> float:
        """Volume of the ellipsoid before deformation and clipping by the organ."""
        return 4 / 3 * math.pi * math.prod(self.radii_mm)

    @property
    def radius_mm(self) -> float:
        """Radius of the ball of the nominal volume."""
        return math.prod(self.radii_mm) ** (1 / 3)

    def with_size(self, voxels: int, volume_mm3: float) -> 'LesionRecord':
        """The record with what it got when applied, >= 0."""
        # replace() would check and order a hundred numbers that have not changed.
        other = copy.copy(self)
        object.__setattr__(other, 'voxels', voxels)
        object.__setattr__(other, 'volume_mm3', volume_mm3)
        return other

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists; floats survive JSON exactly."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'LesionRecord':
        """Read :meth:`to_json` back, from a stranger too.

        Raises:
            ValueError: An unknown key, a missing one, or a value of another type.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ValueError(f'a lesion record has no {unknown[0]!r}')
        try:
            return cls(**{key: _read(key, value) for key, value in values.items()})
        except TypeError as error:
            raise ValueError(f'not a lesion record: {error}') from error


_LENGTHS = {
    'center_mm': 3,
    'radii_mm': 3,
    'rotation': 9,
    'displacement_mm': 81,
    'grain_correlation': 3,
}
_get_numbers = operator.attrgetter(
    'edge_mm',
    'delta_hu',
    'texture_mm',
    'texture_deviation',
    'tissue_hu',
    'grain_hu',
    'capsule_hu',
    'mass_effect',
    'necrosis_hu',
    'necrosis_share',
    'vessel_share',
)
_TEXTS = {'kind', 'composition'}
_WHOLE = {'texture_seed', 'voxels'}


def _list_numbers(record: LesionRecord) -> list[float]:
    """Every number but the seed, the sum of all included: max() passes over NaN."""
    numbers = [
        *record.center_mm,
        *record.radii_mm,
        *record.rotation,
        *record.displacement_mm,
        *record.grain_correlation,
        *_get_numbers(record),
        record.voxels or 0,
        record.volume_mm3 or 0,
    ]
    return [sum(numbers), *numbers]


def _read(key: str, value: Any) -> Any:
    """One field of JSON in its type.

    Raises:
        ValueError: It has another one.
    """
    if key in _LENGTHS:
        if not isinstance(value, list | tuple):
            raise ValueError(f'{key} of a lesion is no list')
        return tuple(_read_number(key, v) for v in value)
    if key in _TEXTS:
        if not isinstance(value, str) or not value.isidentifier() or len(value) > 40:
            raise ValueError(f'{key} of a lesion is no short name')
        return value
    if value is None and key in ('voxels', 'volume_mm3'):
        return None
    if key in _WHOLE:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f'{key} of a lesion is no whole number >= 0')
        return value
    return _read_number(key, value)


def _read_number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{key} of a lesion holds {value!r}, expected a number')
    return float(value)
