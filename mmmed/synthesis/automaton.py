"""Tumors grown by a cellular automaton in liver, pancreas and kidney.

Drawing a plan (``automaton_plan``) and growing it are separate: a plan replays bit for
bit, on every device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.functional.masks import check_spacing
from mmmed.synthesis.automaton_growth import Colony, ColonyGrowth
from mmmed.synthesis.automaton_image import (
    average_cells,
    draw_modulation,
    paint_growth,
)
from mmmed.synthesis.automaton_plan import Cell, GrowthPlan
from mmmed.synthesis.automaton_tissue import (
    Tissue,
    classify_tissue,
    count_cells_per_voxel,
    find_reach,
)

# NumPy in, NumPy out; torch in, torch out.
_Image = Any
# A step leads one cell further; the published draw two, upwards.
_STRIDE, _STRIDE_PUBLISHED = 1, 2


@dataclass(frozen=True)
class GrownTumor:
    """An image with a tumor in it.

    Args:
        image: CT numbers, type and shape of the input's.
        label: 0 outside, 1 organ, 2 tumor, uint8, same shape.
        tumor_voxels: How many are tumor; 0 is a legal outcome.
        shift_hu: Mean change of the CT numbers there, None without tumor.
    """

    image: _Image
    label: _Image
    tumor_voxels: int
    shift_hu: float | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing grew."""
        return self.tumor_voxels == 0


def grow_tumor(
    image: _Image, organ: _Image, spacing: Sequence[float], plan: GrowthPlan
) -> GrownTumor:
    """Grow a planned tumor into an image.

    Args:
        image: CT numbers in HU, shape (Z, Y, X), array or tensor; computed where the
            tensor lies.
        organ: True or above 0 inside the organ, same shape and kind.
        spacing: (Z, Y, X) in mm.
        plan: From :func:`~mmmed.synthesis.automaton_plan.draw_growth` for this image.

    Returns:
        New image and label. Outside the organ no bit of the image changes.

    Raises:
        ValueError: Shapes differ, or spacing is not positive.

    Source:
        Rules: Pixel2Cancer (arXiv 2403.06459). Differs from its program: density
        decides about entering tissue, directions are unbiased, populations end at 10,
        vessels give way to pressure, dead cells stay tumor, cells measure a
        millimetre, and the mean darkening of the tumor is the drawn one; with
        ``as_published`` none of this.
    """
    spacing = check_spacing(spacing, 3)
    if image.ndim != 3 or image.shape != organ.shape:
        raise ValueError(
            f'image has shape {tuple(image.shape)} and organ {tuple(organ.shape)}, '
            'expected the same (Z, Y, X)'
        )
    hu, inside = _as_tensor(image), _as_tensor(organ) > 0
    label = inside.to(torch.uint8)
    tissue = _map_tissue(hu, inside, spacing, plan)
    if tissue is None:
        return GrownTumor(_clone(image), _like(label, image), 0, None)
    rng = np.random.default_rng(plan.seed)
    colony = _grow(tissue, plan, rng, hu.device)
    grown = average_cells(colony, tissue.cells_per_voxel)
    box = tissue.box
    texture = torch.from_numpy(draw_modulation(rng, tissue.codes.shape, spacing))
    codes = torch.from_numpy(tissue.codes).to(hu.device)
    before = hu[box].to(torch.float32)
    after = paint_growth(before, inside[box], codes, grown, plan, texture.to(hu.device))
    after = _round(after, hu.dtype, toward_zero=plan.recipe.as_published)
    tumor = grown.tumor & inside[box]
    painted = hu.clone()
    painted[box] = torch.where(inside[box], after, hu[box])
    label[box] += tumor.to(torch.uint8)
    if plan.recipe.as_published:  # its labels lose what died
        label[box][tumor & (grown.necrosis > 0)] = 0
    count = int(tumor.sum())
    change = (after.double() - before.double())[tumor]
    shift = float(change.mean()) if count else None
    return GrownTumor(_like(painted, image), _like(label, image), count, shift)


def _map_tissue(
    hu: Tensor, inside: Tensor, spacing: tuple[float, ...], plan: GrowthPlan
) -> Tissue | None:
    """Tissue that the tumor can reach, on the CPU: comparisons, no arithmetic."""
    recipe = plan.recipe
    cells = count_cells_per_voxel(
        spacing, 1e9 if recipe.as_published else recipe.cell_mm
    )
    organ = inside.cpu().numpy()
    stride = _STRIDE_PUBLISHED if recipe.as_published else _STRIDE
    starts = _read_cells(plan.cores) // np.array(cells)
    box = find_reach(organ, starts, stride * plan.steps, cells)
    if box is None:
        return None
    near = hu[box].cpu().numpy()
    return Tissue(classify_tissue(near, organ[box], recipe.window_hu), box, cells)


def _grow(
    tissue: Tissue, plan: GrowthPlan, rng: np.random.Generator, device: torch.device
) -> Colony:
    codes, cells = tissue.codes, tissue.cells_per_voxel
    origin = np.array(
        [side.start * n for side, n in zip(tissue.box, cells, strict=True)]
    )
    for axis, count in enumerate(cells):
        codes = codes.repeat(count, axis)
    starts = _read_cells(plan.cores) - origin
    growth = ColonyGrowth(
        codes, starts, rng, as_published=plan.recipe.as_published, device=device
    )
    growth.grow(plan.steps)
    if plan.deaths:
        growth.die(_read_cells(plan.deaths) - origin, plan.steps // 7 + 1)
    return growth.finish()


def _read_cells(cells: Sequence[Cell]) -> NDArray[np.int64]:
    return np.array(cells, np.int64).reshape(-1, 3)


def _as_tensor(values: NDArray | Tensor) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(values)


def _like(values: Tensor, image: NDArray | Tensor) -> NDArray | Tensor:
    return values if isinstance(image, Tensor) else values.numpy()


def _clone(image: NDArray | Tensor) -> NDArray | Tensor:
    return image.clone() if isinstance(image, Tensor) else image.copy()


def _round(values: Tensor, dtype: torch.dtype, *, toward_zero: bool) -> Tensor:
    if dtype.is_floating_point:
        return values.to(dtype)
    return (values.trunc() if toward_zero else values.round()).to(dtype)
