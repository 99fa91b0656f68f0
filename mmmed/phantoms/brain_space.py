"""The MNI template as the space in which stroke phantoms live: anatomy and grid.

Not here: lesions (``stroke_lesions``) or how one subject differs (``stroke_head``).
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.geometry import make_affine
from mmmed.io import read_volume
from mmmed.structures import Volume

ATLAS_SHAPE = (189, 233, 197)
ATLAS_ORIGIN_MM = (-98.0, -134.0, -72.0)
_EMBEDDED = 'datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz'

# Grey values of the template (8 bit) by tissue; the head's shell is drawn in them.
CSF, GREY, WHITE = 45.0, 158.0, 212.0
_FLUID_MM, _SKULL_MM, _SCALP_MM = 2.5, 8.0, 14.0
_PARENCHYMA = 110.0


@dataclass(frozen=True, eq=False)
class BrainSpace:
    """Template anatomy and the grid of the images to be made from it.

    Args:
        head: Template with skull and scalp, (Z, Y, X) float32 in the template's grey
            values, on the grid.
        brain: Where the brain is.
        parenchyma: Where grey or white matter is: lesions begin there.
        affine: Index (z, y, x) to RAS+ mm.
        spacing_mm: Of all three axes.
    """

    head: NDArray[np.float32]
    brain: NDArray[np.bool_]
    parenchyma: NDArray[np.bool_]
    affine: NDArray[np.float64]
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X) of the grid."""
        depth, height, width = self.head.shape
        return depth, height, width


def find_template() -> Path:
    """The MNI 2009a T1 inside the nilearn wheel.

    Raises:
        FileNotFoundError: nilearn is not installed, or no longer brings it.
    """
    spec = find_spec('nilearn')
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / _EMBEDDED
        if path.is_file():
            return path
    raise FileNotFoundError(
        'no MNI 2009a template: pip install nilearn, whose wheel holds it, or name a '
        'file with --template'
    )


@lru_cache(maxsize=2)
def load_brain_space(template: str | None = None, spacing_mm: float = 1) -> BrainSpace:
    """Template on the ATLAS grid, or on a coarser one over the same field of view.

    Args:
        template: Skull-stripped T1 in MNI space; None takes that of nilearn.
        spacing_mm: Voxel size; 1 gives the true grid of 197 x 233 x 189.

    Raises:
        FileNotFoundError: No template.
        ValueError: It cannot be read, or the voxel size is not between 0.5 and 20.
    """
    if not 0.5 <= spacing_mm <= 20:
        raise ValueError(f'spacing is {spacing_mm} mm, expected 0.5 to 20')
    grid = make_grid(spacing_mm)
    source = read_volume(template or find_template(), ndim=3).reorient()
    values = source.array.astype(np.float32)
    values *= 255 / max(float(np.percentile(values, 99.99)), 1e-6)
    blur = 0.4 * (spacing_mm / np.asarray(source.spacing))
    if spacing_mm > 1:
        values = ndimage.gaussian_filter(values, blur)
    brain = source.replace_array((source.array > 0).astype(np.float32))
    t1 = source.replace_array(values).resample_to(grid).array
    inside = brain.resample_to(grid).array > 0.5
    head = _add_shell(t1, inside, grid)
    parenchyma = inside & (t1 > _PARENCHYMA)
    return BrainSpace(head, inside, parenchyma, grid.grid, float(spacing_mm))


def make_grid(spacing_mm: float) -> Volume:
    """The ATLAS grid at a voxel size: RAS+, first voxel where that of ATLAS is."""
    shape = tuple(max(1, round(n / spacing_mm)) for n in ATLAS_SHAPE)
    affine = make_affine((spacing_mm,) * 3)
    affine[:3, 3] = ATLAS_ORIGIN_MM
    hollow = np.broadcast_to(np.zeros((), np.uint8), shape)
    return Volume(hollow, (spacing_mm,) * 3, affine)


def _add_shell(
    t1: NDArray, brain: NDArray[np.bool_], grid: Volume
) -> NDArray[np.float32]:
    """Fluid, skull and scalp around the brain; the face is missing, as in ATLAS."""
    away = ndimage.distance_transform_edt(~brain, sampling=grid.spacing)
    away = away.astype(np.float32)
    marrow = np.exp(-(((away - 5.2) / 1.2) ** 2))
    shell = np.select(
        [away <= _FLUID_MM, away <= _SKULL_MM, away <= _SCALP_MM],
        [np.float32(CSF), 18 + 80 * marrow, np.float32(165)],
        np.float32(0),
    )
    z = grid.grid[2, 0] * np.arange(t1.shape[0]) + grid.grid[2, 3]
    y = grid.grid[1, 1] * np.arange(t1.shape[1]) + grid.grid[1, 3]
    # Below this line from forehead to neck nothing was kept.
    shell *= (z[:, None] > -55 + 0.55 * np.maximum(y, 0)[None, :])[..., None]
    head = np.where(brain, t1, shell)
    soft = ndimage.gaussian_filter(head, 0.6 / grid.spacing[0])
    return np.where(brain, t1, soft).astype(np.float32)
