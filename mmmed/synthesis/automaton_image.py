"""From a grown colony to Hounsfield units and labels.

Not here: growth (``automaton_growth``).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.synthesis.automaton_growth import MAX_POPULATION, Colony
from mmmed.synthesis.automaton_plan import GrowthPlan
from mmmed.synthesis.automaton_tissue import VESSEL

_DENSE = 3
_HALF_FULL = MAX_POPULATION / 2
# Size and relative deviation of the modulation of the contrast.
_TEXTURE_MM, _TEXTURE_DEVIATION = 5.0, 0.1


@dataclass(frozen=True)
class GrownVoxels:
    """A colony on the voxels of the image.

    Args:
        population: Mean over the cells of a voxel, [0, 10], float32, (Z, Y, X).
        necrosis: Share of dead cells, [0, 1], float32.
        tumor: Where it is labelled, bool.
    """

    population: Tensor
    necrosis: Tensor
    tumor: Tensor


def average_cells(colony: Colony, cells_per_voxel: tuple[int, int, int]) -> GrownVoxels:
    """From cells to voxels; a voxel is tumor from a mean population of one."""
    population = _average(colony.population.clamp(max=MAX_POPULATION), cells_per_voxel)
    necrosis = _average(colony.necrotic, cells_per_voxel)
    return GrownVoxels(population, necrosis, population >= 1)


def paint_growth(
    hu: Tensor, organ: Tensor, codes: Tensor, grown: GrownVoxels, plan: GrowthPlan,
    texture: Tensor,
) -> Tensor:  # fmt: skip
    """CT numbers with the tumor in them.

    Args:
        hu: float32, shape (Z, Y, X); not changed.
        organ: bool; outside it nothing changes.
        codes: Tissue of the voxels, uint8.
        grown: The tumor.
        plan: Its contrasts.
        texture: Modulation about 1, float32.

    Returns:
        float32, same shape.
    """
    recipe = plan.recipe
    low, high = recipe.window_hu
    third = (high - low) / 3
    share = smooth_box(grown.population, in_plane=recipe.as_published) / MAX_POPULATION
    dead = smooth_box(grown.necrosis, in_plane=recipe.as_published)
    touched = grown.population > 0
    full = grown.population >= _HALF_FULL
    painted = hu.clone()
    # Blood and dense tissue are displaced: what is left of them is less bright.
    painted[(codes == VESSEL) & full] *= (low + third / 2) / high
    painted[(codes == _DENSE) & touched] *= (low + 2 * third) / high
    weight = texture * share
    painted -= weight * find_scale(weight, grown.tumor, plan)
    painted -= texture * dead * plan.necrosis_hu
    if recipe.fat_hu is not None and bool(touched.any()):
        mean = hu[touched].mean().clamp(min=0)
        fat = touched & (painted <= recipe.fat_hu)
        painted += fat * weight * plan.fat_factor * mean
    if recipe.smooth_dense:
        dense = full & (codes >= _DENSE)
        blurred = smooth_box(painted, in_plane=recipe.as_published)
        painted = torch.where(dense, blurred, painted)
    return torch.where(organ, painted, hu)


def find_scale(weight: Tensor, tumor: Tensor, plan: GrowthPlan) -> float:
    """Darkening for a weight of one, so that the tumor's mean is the drawn contrast."""
    if plan.recipe.as_published or not bool(tumor.any()):
        return plan.contrast_hu
    # Summed in double precision: devices add in another order.
    mean = float(weight[tumor].double().mean())
    return plan.contrast_hu / max(mean, 0.05)


def draw_modulation(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> NDArray[np.float32]:
    """Smooth noise of mean 1: the contrast of a tumor varies over millimetres."""
    steps = [max(_TEXTURE_MM / mm, 1.0) for mm in spacing]
    knots = [
        int(np.ceil(size / step)) + 2 for size, step in zip(shape, steps, strict=True)
    ]
    field = rng.standard_normal(knots, dtype=np.float32)
    for axis, (size, step) in enumerate(zip(shape, steps, strict=True)):
        at = np.arange(size) / step
        first = at.astype(np.intp)
        rest = (at - first).astype(np.float32)
        rest = rest.reshape([-1 if k == axis else 1 for k in range(3)])
        left, right = field.take(first, axis), field.take(first + 1, axis)
        field = left + rest * (right - left)
    # Linear blending of independent knots leaves 8/27 of their variance on average.
    return (1 + field * np.float32(_TEXTURE_DEVIATION / 0.54)).clip(0.5, 1.5)


def smooth_box(values: Tensor, *, in_plane: bool = False) -> Tensor:
    """Blur by 1/4, 1/2, 1/4 along every axis, or along the last two; float32."""
    for axis in (1, 2) if in_plane else (0, 1, 2):
        inner = values.shape[axis] - 1
        first, last = values.narrow(axis, 0, 1), values.narrow(axis, inner, 1)
        before = torch.cat([first, values.narrow(axis, 0, inner)], axis)
        after = torch.cat([values.narrow(axis, 1, inner), last], axis)
        values = values * 0.5 + (before + after) * 0.25
    return values


def _average(values: Tensor, cells: tuple[int, int, int]) -> Tensor:
    z, y, x = (size // count for size, count in zip(values.shape, cells, strict=True))
    blocks = values.reshape(z, cells[0], y, cells[1], x, cells[2])
    total = blocks.to(torch.int32).sum((1, 3, 5))
    return total.to(torch.float32) / (cells[0] * cells[1] * cells[2])
