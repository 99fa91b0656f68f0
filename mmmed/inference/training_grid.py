"""The grid on which slices were learned, and whether a scan lies on it.

Slices of another grid look unlike those that a network saw (size, place, angle), and
nothing in its answer would say so. Not here: bringing a scan there (``registration``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_grid_difference, compute_spacing
from mmmed.structures import Volume
from mmmed.structures.volume import CANONICAL

# Places of voxels that differ by less than this mean the same voxel.
TOLERANCE_MM = 0.5
_REMEDY = 'bring it there with --register'


@dataclass(frozen=True)
class TrainingGrid:
    """Shape and place of the volumes of a training.

    Args:
        shape: (Z, Y, X) of canonical arrays (``'SAR'``).
        affine: 4x4 rows, array index (z, y, x, 1) to RAS+ mm.
        name: For messages.

    Raises:
        ValueError: Not a shape, or not an affine.
    """

    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    name: str = 'training grid'

    def __post_init__(self) -> None:
        matrix = np.asarray(self.affine, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError(f'grid has affine {self.affine}, expected 4x4 numbers')
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f'grid has shape {self.shape}, expected (Z, Y, X)')
        object.__setattr__(self, 'shape', shape)
        rows = tuple(tuple(float(v) for v in row) for row in matrix)
        object.__setattr__(self, 'affine', rows)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine as an array."""
        return np.array(self.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (Z, Y, X) in mm."""
        return compute_spacing(self.matrix)

    def to_dict(self) -> dict[str, Any]:
        """Values as JSON holds them; :func:`find_training_grid` reads them."""
        rows = [list(row) for row in self.affine]
        return {'shape': list(self.shape), 'affine': rows, 'name': self.name}

    @classmethod
    def from_volume(cls, volume: Volume, name: str = 'training grid') -> 'TrainingGrid':
        """Grid of a scan, turned to the canonical orientation."""
        turned = volume.reorient(CANONICAL)
        return cls(turned.shape, tuple(map(tuple, turned.grid.tolist())), name)


# MNI152NLin2009aSym at 1 mm, on which ATLAS R2.0 is published.
MNI_2009A = TrainingGrid(
    (189, 233, 197),
    ((0, 0, 1, -98), (0, 1, 0, -134), (1, 0, 0, -72), (0, 0, 0, 1)),
    'MNI152NLin2009aSym',
)


def find_training_grid(dataset_meta: Mapping[str, Any]) -> TrainingGrid | None:
    """The grid that a checkpoint's data set facts name.

    Args:
        dataset_meta: ``grid`` holds ``shape`` and ``affine``; without it the data set
            ``'atlas'`` stands for the grid that all of its scans share.

    Returns:
        None if nothing is known.

    Raises:
        ValueError: What it says is no grid.
    """
    grid = dataset_meta.get('grid')
    if grid is None:
        return MNI_2009A if dataset_meta.get('dataset') == 'atlas' else None
    try:
        return TrainingGrid(
            tuple(grid['shape']), grid['affine'], str(grid.get('name', 'training grid'))
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{grid!r} is no grid, expected shape and affine') from error


def check_grid(volume: Volume, grid: TrainingGrid) -> None:
    """Refuse a scan that does not lie on a grid.

    Axes may be stored in any order and direction, as the affine says.

    Raises:
        ValueError: Another size, voxel size, place or angle; the message says which.
    """
    turned = volume.reorient(CANONICAL)
    if turned.shape != grid.shape:
        raise ValueError(
            f'the scan has {_join(turned.shape)} voxels (Z, Y, X towards S, A, R), the '
            f'networks learned {grid.name} of {_join(grid.shape)}; {_REMEDY}'
        )
    difference = compute_grid_difference(turned.grid, grid.matrix, grid.shape)
    if difference <= TOLERANCE_MM:
        return
    raise ValueError(
        f'the scan has the shape of {grid.name}, but {_explain(turned, grid)}; '
        f'voxels lie up to {difference:.1f} mm elsewhere; {_REMEDY}'
    )


def _explain(turned: Volume, grid: TrainingGrid) -> str:
    if not np.allclose(turned.spacing, grid.spacing, atol=TOLERANCE_MM / 100):
        sizes = [
            ' x '.join(f'{mm:.3g}' for mm in one)
            for one in (turned.spacing, grid.spacing)
        ]
        return f'voxels of {sizes[0]} mm instead of {sizes[1]}'
    ours = turned.grid[:3, :3] / turned.spacing
    theirs = grid.matrix[:3, :3] / grid.spacing
    cosine = (np.trace(ours @ theirs.T) - 1) / 2
    degrees = math.degrees(math.acos(min(1.0, max(-1.0, float(cosine)))))
    if degrees > 0.1:
        return f'it is turned by {degrees:.1f} degrees'
    shift = turned.grid[:3, 3] - grid.matrix[:3, 3]
    return (
        f'it is shifted by {shift[0]:.1f}, {shift[1]:.1f}, {shift[2]:.1f} mm towards '
        'R, A, S: it was never registered'
    )


def _join(shape: Sequence[int]) -> str:
    return 'x'.join(map(str, shape))
