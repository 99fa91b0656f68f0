"""LesionRecipe: which lesions to draw, how many, and what they look like.

Every constant of the generator has a name and a unit here. Not here: the presets
(``presets``), drawing itself (``drawing``).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

Range = tuple[float, float]

PLACEMENTS = ('central', 'uniform', 'depth', 'prior')


@dataclass(frozen=True)
class LesionKind:
    """A size class.

    Args:
        name: As in :class:`~mmmed.synthesis.LesionRecord`.
        radius_mm: Range of each semi-axis, uniform and independent.
        deformation_mm: Range of the standard deviation of the control displacements.
    """

    name: str
    radius_mm: Range
    deformation_mm: Range

    def __post_init__(self) -> None:
        _check_range(f'radius_mm of {self.name}', self.radius_mm, least=0.1)
        _check_range(f'deformation_mm of {self.name}', self.deformation_mm, least=0)


@dataclass(frozen=True)
class LesionLoad:
    """What one volume gets: kinds with the range of their counts, both ends included.

    Args:
        name: What ``lesion_type`` asks for; ``mix`` is several kinds in one volume.
        parts: (kind, fewest, most).
        weight: Relative frequency, >= 0.
    """

    name: str
    parts: tuple[tuple[LesionKind, int, int], ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        for kind, fewest, most in self.parts:
            if not 0 <= fewest <= most <= 1000:
                raise ValueError(
                    f'count of {kind.name} in {self.name} is {fewest}..{most}, '
                    'expected 0 <= fewest <= most <= 1000'
                )
        if not 0 <= self.weight < math.inf:
            raise ValueError(f'weight of {self.name} is {self.weight}, expected >= 0')


@dataclass(frozen=True)
class LesionRecipe:
    """How lesions are drawn. Ranges are uniform; ``share`` is a probability.

    Args:
        loads: What a volume may get; one is drawn by weight.
        placement: ``central``: the published rule (central band of slices, away from
            the organ's wall in the slice); ``uniform``: any voxel of the organ;
            ``depth``: any voxel whose distance to the wall is ``depth_share`` of the
            radius or more; ``prior``: as ``depth``, around a fitted prior.
        central_band: Of ``central``: part of the organ's extent along Z.
        wall_mm: Of ``central``: half side of the square that must lie in the organ.
        depth_share: Of ``depth`` and ``prior``: least distance of the centre to the
            wall, in mean radii.
        can_overlap: Whether lesions may overlap and merge.
        gap_mm: Where they may not: least distance of their enclosing balls.
        attempts: Centres tried for a lesion before it is given up.
        avoids_vessels: Whether centres with vessels around them are refused.
        vessel_contrast_hu: Smoothed voxels this much above the organ are vessels.
        max_vessel_share: Largest share of vessel voxels around a centre that is
            accepted when no attempt finds a place without.
        is_rotated: Whether the semi-axes get a uniform random direction.
        edge_mm: Standard deviation of the edge's blur.
        one_look: Whether contrast, edge and texture are drawn once for a volume
            (published) or for each lesion.
        contrast_hu: Published contrast, before ``contrast_scale``; lowers intensity.
        contrast_scale: Mean of the published texture, multiplies ``contrast_hu``.
        tissue_level_hu: If given, the level of a hypodense lesion itself: from the
            first number up to the organ's median plus the second (negative) one.
        hyperdense_share: Of lesions brighter than the organ.
        hyperdense_hu: Their contrast.
        is_calibrated: Whether the mean over the label is the drawn contrast. If not,
            it is lower by what the blur of the edge takes from a ball, as published:
            almost half of it in tiny lesions.
        composition: ``subtract`` or ``replace``, see ``LesionRecord``.
        texture_mm: Distance of the knots of the modulation.
        texture_deviation: Relative standard deviation of the modulation.
        grain_scale: Of ``replace``: grain over the organ's own noise.
        capsule_share: Of hypodense lesions of ``capsule_radius_mm`` and more with a
            capsule.
        capsule_hu: Brightness of the capsule; the published 80 is a bright ring in
            any organ whose vessels are not.
        capsule_radius_mm: Smallest mean radius with a capsule.
        mass_effect_share: Of lesions that push their surroundings.
        mass_effect: Strength of it.
        necrosis_share: Of lesions of ``necrosis_radius_mm`` and more with a necrosis.
        necrosis_hu: Change in the core.
        necrosis_extent: Radius of the core as a share of the lesion's.
        necrosis_radius_mm: Smallest mean radius with a necrosis.
        reference_ml: If given, counts hold for an organ of this volume, and a smaller
            one (a patch) gets its part of them, one lesion at least.

    Raises:
        ValueError: A range is reversed, or a value has no meaning.
    """

    loads: tuple[LesionLoad, ...]
    placement: str = 'depth'
    central_band: Range = (0.3, 0.7)
    wall_mm: float = 2.0
    depth_share: float = 0.5
    can_overlap: bool = False
    gap_mm: float = 2.0
    attempts: int = 32
    avoids_vessels: bool = False
    vessel_contrast_hu: float = 25.0
    max_vessel_share: float = 0.15
    is_rotated: bool = True
    edge_mm: Range = (0.6, 1.2)
    one_look: bool = False
    contrast_hu: Range = (65.0, 145.0)
    contrast_scale: Range = (0.5, 0.55)
    tissue_level_hu: Range | None = None
    hyperdense_share: float = 0.0
    hyperdense_hu: Range = (15.0, 45.0)
    is_calibrated: bool = True
    composition: str = 'subtract'
    texture_mm: Range = (7.0, 12.0)
    texture_deviation: Range = (0.065, 0.13)
    grain_scale: float = 0.9
    capsule_share: float = 0.0
    capsule_hu: Range = (15.0, 45.0)
    capsule_radius_mm: float = 9.0
    mass_effect_share: float = 0.0
    mass_effect: Range = (0.1, 0.3)
    necrosis_share: float = 0.0
    necrosis_hu: Range = (-35.0, -15.0)
    necrosis_extent: Range = (0.4, 0.65)
    necrosis_radius_mm: float = 9.0
    reference_ml: float | None = None

    def __post_init__(self) -> None:
        if not self.loads or sum(load.weight for load in self.loads) <= 0:
            raise ValueError('a recipe needs a load with a weight > 0')
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f'placement is {self.placement!r}, expected one of {PLACEMENTS}'
            )
        if self.composition not in ('subtract', 'replace'):
            raise ValueError(
                f"composition is {self.composition!r}, expected 'subtract' or 'replace'"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith('_share') and not 0 <= value <= 1:
                raise ValueError(f'{field.name} is {value}, expected a share in [0, 1]')
            if isinstance(value, tuple) and field.name != 'loads':
                least = _LEAST.get(field.name, -math.inf)
                if field.name == 'tissue_level_hu':
                    continue  # the second number is relative to the organ
                _check_range(field.name, value, least=least)
        if not 1 <= self.attempts <= 10_000:
            raise ValueError(f'attempts is {self.attempts}, expected 1..10000')
        if self.mass_effect[1] > 0.5 or self.necrosis_extent[1] >= 1:
            raise ValueError('mass_effect ends at 0.5, necrosis_extent before 1')
        if self.reference_ml is not None and not self.reference_ml > 0:
            raise ValueError(f'reference_ml is {self.reference_ml}, expected > 0')

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the loads: what ``lesion_type`` may ask for."""
        return tuple(load.name for load in self.loads)

    def get_load(self, name: str) -> LesionLoad:
        """A load by its name.

        Raises:
            ValueError: The recipe has no such load.
        """
        for load in self.loads:
            if load.name == name:
                return load
        raise ValueError(f'no lesion type {name!r}, expected one of {self.types}')


_LEAST = {
    'edge_mm': 0.01,
    'texture_mm': 0.5,
    'texture_deviation': 0.0,
    'central_band': 0.0,
    'mass_effect': 0.0,
    'necrosis_extent': 0.0,
}


def _check_range(name: str, value: Iterable[float], *, least: float) -> None:
    numbers = tuple(value)
    if len(numbers) != 2 or not least <= numbers[0] <= numbers[1] < math.inf:
        raise ValueError(
            f'{name} is {numbers}, expected (least, largest) from {least} upwards'
        )
