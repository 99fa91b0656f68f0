"""Measures of the lesions of one series, on the grid that its masks have.

Not here: the measures themselves (``mmmed.functional.cord_lesions``), finding lesions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.files import write_csv_atomic
from mmmed.functional.cord_centerline import find_centerline
from mmmed.functional.cord_lesions import CordLesion, measure_cord_lesions
from mmmed.functional.masks import check_mask, find_box
from mmmed.structures.volume import CANONICAL, Volume
from mmmed.version import __version__

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CordExtent:
    """The cord as far as the image shows it.

    Args:
        voxels: Size of its mask.
        volume_mm3: Likewise.
        length_mm: Length of its centre line, 0 without a cord.
        first_slice: Lowest axial slice of the canonical grid that shows it; None
            without a cord.
        last_slice: Highest one.
    """

    voxels: int
    volume_mm3: float
    length_mm: float
    first_slice: int | None
    last_slice: int | None


@dataclass(frozen=True)
class LesionPlace:
    """What the cord and the image say about one lesion, beside its measures.

    Args:
        cord_top_mm: From the upper end of the visible cord to that of the lesion,
            along the cord; 0 where no cord is known.
        cord_bottom_mm: From the upper end of the visible cord to the lesion's lower
            end.
        centroid_xyz: Mean voxel in the order of the file, counted from 0.
        image_mean: Mean of the image in the lesion; None where no value is finite.
        image_std: Standard deviation likewise, of the voxels at hand.
        confidence_mean: Mean probability in the lesion; None where none was given.
        confidence_max: Largest one.
    """

    cord_top_mm: float
    cord_bottom_mm: float
    centroid_xyz: tuple[float, float, float]
    image_mean: float | None
    image_std: float | None
    confidence_mean: float | None
    confidence_max: float | None

    def as_row(self) -> dict[str, Any]:
        """Flat columns with units in their names."""
        x, y, z = self.centroid_xyz
        return {
            'cord_top_mm': self.cord_top_mm,
            'cord_bottom_mm': self.cord_bottom_mm,
            'centroid_voxel_x': x,
            'centroid_voxel_y': y,
            'centroid_voxel_z': z,
            'image_mean': self.image_mean,
            'image_std': self.image_std,
            'confidence_mean': self.confidence_mean,
            'confidence_max': self.confidence_max,
        }


@dataclass(frozen=True, eq=False)
class LesionAnalysis:
    """All lesions of one series, measured.

    Args:
        lesions: Largest first; slices and centroids count on the canonical grid.
        places: One for each lesion.
        labels: Number of the lesion of each voxel on the grid of the masks; lesions
            end at the cord.
        outside_voxels: Sizes of lesions that were removed because they touch no cord.
        cut_voxels: Voxels outside the cord of lesions that are partly inside.
        cord: The cord; None where no mask of it was given.
        midsagittal_slice: Index along R of the canonical grid; None without a lesion.
        voxel_mm3: Volume of a voxel.
        orientation: Of the masks, see :attr:`Volume.orientation`.
    """

    lesions: tuple[CordLesion, ...]
    places: tuple[LesionPlace, ...]
    labels: NDArray[np.int32]
    outside_voxels: tuple[int, ...]
    cut_voxels: int
    cord: CordExtent | None
    midsagittal_slice: float | None
    voxel_mm3: float
    orientation: str

    @property
    def volume_mm3(self) -> float:
        """Volume of all lesions inside the cord."""
        return float(sum(lesion.volume_mm3 for lesion in self.lesions))

    def list_rows(self) -> list[dict[str, Any]]:
        """One flat mapping a lesion, units in the names."""
        pairs = zip(self.lesions, self.places, strict=True)
        return [lesion.as_row() | place.as_row() for lesion, place in pairs]

    def to_json(self) -> dict[str, Any]:
        """Plain values, every number finite; None where there is nothing to say."""
        cord = self.cord
        share = None
        if cord is not None and cord.voxels:
            share = sum(lesion.voxels for lesion in self.lesions) / cord.voxels
        return {
            'schema_version': SCHEMA_VERSION,
            'lesion_count': len(self.lesions),
            'lesion_volume_mm3': self.volume_mm3,
            'lesion_share_of_cord': share,
            'cord': None if cord is None else vars(cord).copy(),
            'outside_cord': {
                'count': len(self.outside_voxels),
                'voxels': list(self.outside_voxels),
                'volume_mm3': sum(self.outside_voxels) * self.voxel_mm3,
            },
            'cut_at_cord': {
                'voxels': self.cut_voxels,
                'volume_mm3': self.cut_voxels * self.voxel_mm3,
            },
            'midsagittal_slice': self.midsagittal_slice,
            'voxel_mm3': self.voxel_mm3,
            'orientation': self.orientation,
            'measured_orientation': CANONICAL,
            'lesions': self.list_rows(),
            'GeneratedBy': [{'Name': 'mmmed', 'Version': __version__}],
        }

    def write_csv(self, path: str | Path) -> None:
        """One row a lesion below the names of columns, whole or not at all."""
        write_csv_atomic(path, self.list_rows(), _list_columns())


def _list_columns() -> list[str]:
    """Names of the columns of a row, of which there may be none."""
    rows: list[dict[str, Any]] = []
    for kind in (CordLesion, LesionPlace):
        values: dict[str, Any] = {
            field.name: (0.0,) * 3 if field.name.startswith('centroid') else 0
            for field in fields(kind)
        }
        rows.append(kind(**values).as_row())
    return [name for row in rows for name in row]


def analyze_lesions(
    lesion_mask: ArrayLike,
    cord_mask: ArrayLike | None,
    volume: Volume,
    *,
    levels: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    connectivity: int = 18,
) -> LesionAnalysis:
    """Measure the lesions of a series, whatever way its array lies.

    Args:
        lesion_mask: Binary, shape (Z, Y, X) of the volume, on its own grid.
        cord_mask: Likewise, lesions included; None where there is none.
        volume: The image; oblique grids are measured along their own axes.
        levels: Vertebral level of each voxel on the same grid, 0 where unknown.
        confidence: Probability of a lesion, 0 to 1, on the same grid.
        connectivity: Neighbours of a voxel: 6, 18 or 26.

    Returns:
        The analysis; without lesions for an empty mask, and without those that touch
        no cord, which it counts.

    Raises:
        ValueError: A mask is not binary or does not lie on the grid of the volume.
    """
    lesion = _turn(check_mask(lesion_mask, 'lesion_mask'), volume, 'lesion_mask')
    cord = None
    if cord_mask is not None:
        cord = _turn(check_mask(cord_mask, 'cord_mask'), volume, 'cord_mask')
    grid = volume.replace_array(np.empty(volume.shape, bool)).reorient()
    # Masks are tiny beside the image: all that follows runs in their box.
    box = find_box(lesion if cord is None else lesion | cord)
    box = box or (slice(0, 1),) * 3
    start = [side.start for side in box]
    report = measure_cord_lesions(
        lesion[box],
        grid.spacing,
        None if cord is None else cord[box],
        levels=None if levels is None else _turn(levels, volume, 'levels')[box],
        affine=grid.grid @ _shift(start),
        connectivity=connectivity,
    )
    extent, depths = None, np.zeros((2, lesion[box].shape[0]))
    if cord is not None:
        extent, depths = _trace_cord(cord[box], grid.spacing)
    image = volume.array if volume.array.ndim == 3 else None
    values = None if image is None else _turn(image, volume, 'image')[box]
    prob = None if confidence is None else _turn(confidence, volume, 'confidence')[box]
    back = np.linalg.inv(volume.grid)
    places = tuple(
        LesionPlace(
            float(depths[0][found.last_slice]),
            float(depths[1][found.first_slice]),
            _place(back, found.centroid_mm),
            *_describe(values, report.labels == found.label)[:2],
            *_describe(prob, report.labels == found.label)[::2],
        )
        for found in report.lesions
    )
    labels = np.zeros(grid.shape, np.int32)
    labels[box] = report.labels
    middle = report.midsagittal
    return LesionAnalysis(
        lesions=tuple(_move(found, start) for found in report.lesions),
        places=places,
        labels=np.ascontiguousarray(
            grid.replace_array(labels).reorient(volume.orientation).array
        ),
        outside_voxels=report.outside,
        cut_voxels=report.cut,
        cord=None if extent is None else _move_extent(extent, start[0]),
        midsagittal_slice=None if middle is None else middle + start[2],
        voxel_mm3=math.prod(grid.spacing),
        orientation=volume.orientation,
    )


def _turn(values: ArrayLike, volume: Volume, name: str) -> NDArray[Any]:
    """Values of the volume's grid on the canonical one."""
    array = np.asarray(values)
    if array.shape != volume.shape:
        raise ValueError(
            f'{name} has shape {array.shape}, the volume {volume.shape}; expected the '
            'same grid, bring it there first'
        )
    return volume.replace_array(array).reorient().array


def _shift(start: Sequence[int]) -> NDArray[np.float64]:
    """From an index in the box to one of the whole."""
    matrix = np.eye(4)
    matrix[:3, 3] = start
    return matrix


def _trace_cord(
    cord: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[CordExtent, NDArray[np.float64]]:
    """The cord, and how deep below its top each slice begins and ends, shape (2, Z).

    Steps follow the cord, as lengths of lesions do. Slices above it have a depth of 0.
    """
    line = find_centerline(cord, spacing)
    steps = np.where(line.areas > 0, spacing[0] / line.cosines, 0.0)
    ends = steps[::-1].cumsum()[::-1]
    shown = np.flatnonzero(line.areas)
    voxels = int(line.areas.sum())
    extent = CordExtent(
        voxels=voxels,
        volume_mm3=voxels * math.prod(spacing),
        length_mm=float(steps.sum()),
        first_slice=int(shown[0]) if len(shown) else None,
        last_slice=int(shown[-1]) if len(shown) else None,
    )
    return extent, np.stack([ends - steps, ends])


def _place(
    back: NDArray[np.floating], place_mm: Sequence[float]
) -> tuple[float, float, float]:
    """Voxel in the order of the file, x first."""
    z, y, x = (float(v) for v in (back @ (*place_mm, 1.0))[:3])
    return x, y, z


def _describe(
    values: NDArray[Any] | None, mask: NDArray[np.bool_]
) -> tuple[float | None, float | None, float | None]:
    """Mean, standard deviation and maximum of the finite values inside."""
    if values is None:
        return None, None, None
    inside = values[mask].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    if not len(inside):
        return None, None, None
    return float(inside.mean()), float(inside.std()), float(inside.max())


def _move(found: CordLesion, start: Sequence[int]) -> CordLesion:
    """A lesion of the box on the canonical grid of the whole image."""
    z, y, x = (value + k for value, k in zip(found.centroid, start, strict=True))
    return replace(
        found,
        first_slice=found.first_slice + start[0],
        last_slice=found.last_slice + start[0],
        centroid=(z, y, x),
    )


def _move_extent(extent: CordExtent, start: int) -> CordExtent:
    if extent.first_slice is None or extent.last_slice is None:
        return extent
    return replace(
        extent,
        first_slice=extent.first_slice + start,
        last_slice=extent.last_slice + start,
    )
