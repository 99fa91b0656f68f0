"""Real lesion masks as raw material: read once, moved, scaled and mirrored later.

Not here: which mask goes to whom (``stroke_plan``), its looks in the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.geometry import compute_index_map
from mmmed.functional.masks import find_box
from mmmed.io import VOLUME_SUFFIXES, read_volume

_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class LesionMask:
    """One real lesion, cut out of its volume.

    Args:
        name: File name, to say where a lesion comes from.
        mask: (Z, Y, X), the box around it.
        affine: Index (z, y, x) of the box to RAS+ mm.
        volume_mm3: Of the lesion.
    """

    name: str
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    volume_mm3: float

    @property
    def center_mm(self) -> NDArray[np.float64]:
        """Center of mass in RAS+ mm."""
        index = [*np.argwhere(self.mask).mean(axis=0), 1.0]
        return np.asarray(self.affine @ index)[:3]


def list_masks(folder: str | Path) -> list[Path]:
    """Volume files below a folder, in the order of their names.

    Raises:
        ValueError: No such folder, or no volume in it.
    """
    folder = Path(folder)
    paths = sorted(
        path
        for path in folder.rglob('*')
        if path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES)
    )
    if not paths:
        raise ValueError(
            f'{folder}: holds no lesion masks; name a folder of NIfTI files or leave '
            '--masks away for generated lesions'
        )
    return paths


def read_mask(path: Path) -> LesionMask | None:
    """One mask, binarized at one half; None for what is no mask.

    An image is told from a mask by its values: a mask has at most two.
    """
    volume = read_volume(path, ndim=3, nonfinite=0).reorient()
    mask = volume.array > _THRESHOLD
    top = volume.array.max()
    if not mask.any() or ((volume.array != 0) & (volume.array != top)).any():
        return None
    box = find_box(mask)
    assert box is not None
    affine = volume.grid.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    voxel_mm3 = float(np.prod(volume.spacing))
    return LesionMask(path.name, mask[box].copy(), affine, mask.sum() * voxel_mm3)


def place_mask(
    lesion: LesionMask,
    move: NDArray[np.float64],
    affine: NDArray[np.float64],
    shape: Sequence[int],
) -> NDArray[np.bool_]:
    """A mask after a movement, on another grid.

    Args:
        lesion: Raw material.
        move: Shape (4, 4), RAS+ mm to RAS+ mm.
        affine: Of the wanted grid, index (z, y, x) to mm.
        shape: (Z, Y, X) of the wanted grid.

    Returns:
        Shape ``shape``; what leaves the grid is lost.
    """
    forward = compute_index_map(move @ lesion.affine, affine)
    corners = np.array(np.meshgrid(*[(-1, n) for n in lesion.mask.shape]))
    corners = np.vstack([corners.reshape(3, -1), np.ones(8)])
    reached = (forward @ corners)[:3]
    low = np.clip(np.floor(reached.min(axis=1)), 0, shape).astype(int)
    high = np.clip(np.ceil(reached.max(axis=1)) + 1, low, shape).astype(int)
    placed = np.zeros(shape, bool)
    size = tuple(high - low)
    if 0 in size:
        return placed
    back = np.linalg.inv(forward)
    soft = ndimage.affine_transform(
        lesion.mask.astype(np.float32),
        back[:3, :3],
        back[:3, 3] + back[:3, :3] @ low,
        output_shape=size,
        order=1,
        mode='grid-constant',  # fades out over one voxel instead of half
    )
    placed[tuple(map(slice, low, high))] = soft > _THRESHOLD
    return placed
