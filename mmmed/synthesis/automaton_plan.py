"""What is drawn before a cellular tumor grows: recipes by organ, plans, their JSON.

Not here: growth itself (``automaton_growth``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import check_spacing
from mmmed.synthesis.automaton_tissue import (
    VESSEL,
    classify_tissue,
    count_cells_per_voxel,
)

# Cell (Z, Y, X) on the grid of cells of the whole image.
Cell = tuple[int, int, int]


@dataclass(frozen=True)
class GrowthRecipe:
    """How tumors of an organ grow and look.

    Args:
        organ: Name.
        window_hu: Ends of the tissue levels; from the upper one on it is a vessel.
        steps: Least and largest number of steps, both included. A step advances the
            border by about a third of a cell.
        cores: Least and largest number of cores.
        satellite_chance: Chance of a core to have satellites around it.
        death_after: Tumors older than this many steps may have a dead core.
        death_chance: Chance that they have.
        contrast_hu: Range of the mean darkening inside the tumor.
        necrosis_hu: Range of the further darkening of dead cells.
        fat_hu: Voxels of the tumor at most this bright are filled up; None: none.
        smooth_dense: Whether dense tissue and vessels in the tumor lose detail.
        cell_mm: Size of a cell; voxels divide into whole cells of about it.
        as_published: Rules, units and labels of the published program, for study.

    Source:
        Pixel2Cancer (arXiv 2403.06459). Contrasts are its 65 to 145 and 90 to 110 HU
        times the mean of its texture: what arrives in the image.
    """

    organ: str
    window_hu: tuple[float, float] = (100, 160)
    steps: tuple[int, int] = (5, 149)
    cores: tuple[int, int] = (1, 9)
    satellite_chance: float = 1 / 3
    death_after: int = 50
    death_chance: float = 0.5
    contrast_hu: tuple[float, float] = (34, 77)
    necrosis_hu: tuple[float, float] = (48, 58)
    fat_hu: float | None = None
    smooth_dense: bool = True
    cell_mm: float = 1.0
    as_published: bool = False


# Level that the darkest tumors come down to when contrast follows the scan.
_SOFTEST_HU = 20.0
# Full cells are darkened about this much more than the mean of the tumor.
_PEAK = 1.4
_SMALLER: dict[str, Any] = {'steps': (5, 79), 'death_after': 30}
GROWTH_RECIPES = {
    'liver': GrowthRecipe('liver'),
    'pancreas': GrowthRecipe('pancreas', fat_hu=65, **_SMALLER),
    'kidney': GrowthRecipe(
        'kidney', window_hu=(140, 200), smooth_dense=False, **_SMALLER
    ),
}


@dataclass(frozen=True)
class GrowthPlan:
    """Everything that decides a tumor but the image; JSON-able, replays bit for bit.

    Args:
        recipe: How it grows and looks.
        steps: Of growth.
        cores: Cells it starts from, satellites among them.
        deaths: Cells that death starts from; none if it does not die.
        contrast_hu: Mean darkening inside the tumor.
        necrosis_hu: Further darkening of dead cells.
        fat_factor: Filling of fat, in units of the tumor's mean.
        seed: Of growth and texture.
    """

    recipe: GrowthRecipe
    steps: int
    cores: tuple[Cell, ...]
    deaths: tuple[Cell, ...]
    contrast_hu: float
    necrosis_hu: float
    fat_factor: float
    seed: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing will grow, for want of tissue."""
        return not self.cores

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> 'GrowthPlan':
        """The plan again.

        Raises:
            ValueError: A field is missing, unknown or of the wrong form.
        """
        try:
            fields = dict(value)
            recipe: dict[str, Any] = {
                key: tuple(item) if isinstance(item, list | tuple) else item
                for key, item in dict(fields.pop('recipe')).items()
            }
            for name in ('cores', 'deaths'):
                fields[name] = tuple(_read_cell(cell) for cell in fields[name])
            return cls(recipe=GrowthRecipe(**recipe), **fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'not a plan of cellular growth ({error}); expected what to_json gave'
            ) from error


def get_growth_recipe(organ: str, *, as_published: bool = False) -> GrowthRecipe:
    """The recipe of an organ.

    Args:
        organ: ``'liver'``, ``'pancreas'`` or ``'kidney'``.
        as_published: For the rules of the published program.

    Raises:
        ValueError: Another organ.
    """
    if organ not in GROWTH_RECIPES:
        raise ValueError(
            f'no growth recipe for {organ!r}, expected one of '
            f'{", ".join(GROWTH_RECIPES)}, or make a GrowthRecipe'
        )
    return replace(GROWTH_RECIPES[organ], as_published=as_published)


def adapt_recipe(
    recipe: GrowthRecipe, hu: NDArray, organ: NDArray[np.bool_]
) -> GrowthRecipe:
    """The recipe for a scan of another contrast phase than the published ones.

    Tissue levels follow the organ's own distribution, and contrasts shrink so that a
    tumor stays soft tissue and necrosis fluid, in an unenhanced organ too.

    Args:
        recipe: To change.
        hu: CT numbers.
        organ: Same shape.

    Returns:
        The recipe with a window from one deviation below to two above the median
        (robust deviation, from quartiles), or as it was without organ.
    """
    values = hu[organ]
    if not values.size:
        return recipe
    low, middle, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    deviation = max((high - low) / 1.349, 1.0)
    largest = recipe.contrast_hu[1]
    scale = min(1.0, max(middle - _SOFTEST_HU, 10.0) / (_PEAK * largest))
    return replace(
        recipe,
        window_hu=(middle - deviation, middle + 2 * deviation),
        contrast_hu=_scale(recipe.contrast_hu, scale),
        necrosis_hu=_scale(recipe.necrosis_hu, scale / 2),
    )


def draw_growth(
    hu: NDArray,
    organ: NDArray[np.bool_],
    spacing: Sequence[float],
    recipe: GrowthRecipe,
    rng: np.random.Generator,
) -> GrowthPlan:
    """Draw where a tumor starts, how long it grows and how it will look.

    Args:
        hu: CT numbers, shape (Z, Y, X).
        organ: Same shape.
        spacing: (Z, Y, X) in mm.
        recipe: Of the organ.
        rng: Source of all randomness.

    Returns:
        The plan; without any tissue to start from it has no cores.
    """
    cells_per_voxel = count_cells_per_voxel(
        check_spacing(spacing, 3), 1e9 if recipe.as_published else recipe.cell_mm
    )
    codes = classify_tissue(hu, organ, recipe.window_hu)
    tissue = np.flatnonzero(codes < VESSEL)
    steps = int(rng.integers(recipe.steps[0], recipe.steps[1] + 1))
    count = int(rng.integers(recipe.cores[0], recipe.cores[1] + 1))
    main: list[NDArray] = []
    satellites: list[NDArray] = []
    for _ in range(count if tissue.size else 0):
        voxel = np.unravel_index(tissue[rng.integers(tissue.size)], codes.shape)
        core = np.array(voxel) * cells_per_voxel + rng.integers(0, cells_per_voxel)
        main.append(core)
        if rng.random() < recipe.satellite_chance:
            offsets = rng.integers(-10, 10, (int(rng.integers(3, 10)), 3))
            satellites.extend(core + offsets)
    deaths = []
    if steps > recipe.death_after and rng.random() < recipe.death_chance:
        deaths = _draw_deaths(rng, main, steps // 10 - 2)
    return GrowthPlan(
        recipe,
        steps,
        tuple(_read_cell(cell) for cell in main + satellites),
        tuple(_read_cell(cell) for cell in deaths),
        float(rng.uniform(*recipe.contrast_hu)),
        float(rng.uniform(*recipe.necrosis_hu)),
        float(rng.uniform(1, 2)),
        int(rng.integers(2**53)),
    )


def _scale(values: tuple[float, float], factor: float) -> tuple[float, float]:
    return values[0] * factor, values[1] * factor


def _draw_deaths(
    rng: np.random.Generator, cores: Sequence[NDArray], reach: int
) -> list[NDArray]:
    """Each core, and 5 to 19 places around it."""
    deaths = []
    for core in cores:
        count = int(rng.integers(5, 20))
        offsets = rng.integers(-reach, reach + 1, (count, 3))
        deaths += [core, *(core + offsets)]
    return deaths


def _read_cell(cell: Any) -> Cell:
    z, y, x = (int(value) for value in cell)
    return z, y, x
