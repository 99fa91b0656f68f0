"""Lesions of the spinal cord: size, length along the cord, damage, tissue bridges.

The measures are those of ``sct_analyze_lesion`` (De Leener et al. 2017, NeuroImage
145:24-43; Huber et al. 2017, Neurology 89:1574-1582 for tissue bridges), computed from
their definitions. Arrays are canonical, axes (S, A, R). Not here: finding lesions, the
files they are written to.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.components import label_components
from mmmed.functional.cord_centerline import Centerline, find_centerline
from mmmed.functional.masks import check_mask, check_spacing

# Slices on each side of a lesion's centre whose cord says where the midline is.
_MIDLINE_SLICES = 2


@dataclass(frozen=True)
class CordLesion:
    """Measures of one lesion; lengths in mm, all of them numbers.

    Args:
        label: Number of the lesion, from 1, the largest first.
        voxels: Its voxels inside the cord.
        volume_mm3: Their volume.
        length_mm: Length along the cord.
        width_mm: Largest extent from back to front, at right angles to the cord.
        max_equivalent_diameter_mm: Diameter of the disc with the lesion's largest
            cross-section.
        max_axial_damage_ratio: Largest share of the cord's cross-section that is
            lesion, in [0, 1]; 0 where no cord mask was given.
        first_slice: Lowest axial slice that shows it.
        last_slice: Highest axial slice that shows it.
        centroid: Mean index (S, A, R).
        centroid_mm: RAS+ coordinates through the affine, or index times spacing.
        parasagittal: Whether the midsagittal slice misses it, so that its bridges are
            halves of the cord.
        midsagittal_length_mm: Length along the cord in the midsagittal slice; 0 for a
            parasagittal lesion.
        midsagittal_width_mm: Largest extent from back to front there; likewise.
        dorsal_bridge_mm: Narrowest tissue left behind the lesion in that slice.
        ventral_bridge_mm: Narrowest tissue left in front of it.
        total_bridge_mm: Sum of the two.
        dorsal_bridge_ratio: Share of the cord's diameter, in [0, 1].
        ventral_bridge_ratio: Likewise.
        total_bridge_ratio: Likewise.
        level: Vertebral level with most of the lesion; None where none is known.
    """

    label: int
    voxels: int
    volume_mm3: float
    length_mm: float
    width_mm: float
    max_equivalent_diameter_mm: float
    max_axial_damage_ratio: float
    first_slice: int
    last_slice: int
    centroid: tuple[float, float, float]
    centroid_mm: tuple[float, float, float]
    parasagittal: bool
    midsagittal_length_mm: float
    midsagittal_width_mm: float
    dorsal_bridge_mm: float
    ventral_bridge_mm: float
    total_bridge_mm: float
    dorsal_bridge_ratio: float
    ventral_bridge_ratio: float
    total_bridge_ratio: float
    level: int | None

    def as_row(self) -> dict[str, Any]:
        """Flat columns; coordinates become one column each."""
        row = asdict(self)
        for name, axes in (('centroid', 'sar'), ('centroid_mm', 'ras')):
            place = row.pop(name)
            unit = name.removeprefix('centroid')
            row |= {f'centroid_{a}{unit}': v for a, v in zip(axes, place, strict=True)}
        return row


@dataclass(frozen=True)
class CordLesionReport:
    """All lesions of one cord.

    Args:
        lesions: Largest first.
        labels: Number of the lesion of each voxel, 0 for none; lesions end at the cord.
        outside: Voxels of lesions that were removed because they touch no cord.
        cut: Voxels outside the cord of lesions that are partly inside.
        midsagittal: Index along R of the interpolated midsagittal slice; None without
            a lesion.
    """

    lesions: tuple[CordLesion, ...]
    labels: NDArray[np.int32]
    outside: tuple[int, ...]
    cut: int
    midsagittal: float | None

    @property
    def volume_mm3(self) -> float:
        """Volume of all lesions."""
        return float(sum(lesion.volume_mm3 for lesion in self.lesions))


def measure_cord_lesions(
    lesion: ArrayLike,
    spacing: Sequence[float],
    cord: ArrayLike | None = None,
    *,
    levels: ArrayLike | None = None,
    affine: ArrayLike | None = None,
    connectivity: int = 18,
) -> CordLesionReport:
    """Measure every lesion of a spinal cord.

    A lesion is a connected component. One that touches no cord is removed and counted
    in ``outside``; one that is partly outside is cut to the cord. Nothing of this
    raises: masks of networks hold such lesions.

    The midsagittal slice lies at the mean centre of the cord in the five slices around
    the centre of the *largest* lesion, between two voxels as a rule; masks are
    interpolated linearly there and count from one half on. A lesion that it misses
    leaves the cord's smallest diameter beside it as total bridge, one half on each
    side.

    Args:
        lesion: Binary mask, shape (Z, Y, X), axes (S, A, R).
        spacing: (Z, Y, X) in mm.
        cord: Binary mask of the cord, lesions included, same shape; None where there
            is none: then lesions are measured along the axis of the slices, and damage
            and bridges are 0.
        levels: Vertebral level of each voxel, same shape, or of each slice, shape
            (Z,); 0 where unknown.
        affine: From array index (z, y, x, 1) to RAS+ mm.
        connectivity: Neighbours of a voxel: 6, 18 or 26.

    Returns:
        The report; no lesions for an empty mask.

    Raises:
        ValueError: A mask is not binary, not 3-D, or of another shape.
    """
    mask = check_mask(lesion, 'lesion')
    if mask.ndim != 3:
        raise ValueError(f'lesion has {mask.ndim}, expected 3 axes: (S, A, R)')
    mm = check_spacing(spacing, 3)
    body = None if cord is None else check_mask(cord, 'cord')
    if body is not None and body.shape != mask.shape:
        raise ValueError(f'cord has shape {body.shape}, lesion {mask.shape}')
    labels, outside, cut = _keep_inside(mask, body, connectivity)
    if not labels.any():
        return CordLesionReport((), labels, outside, cut, None)
    line = find_centerline(np.zeros_like(mask) if body is None else body, mm)
    midline = _find_midline(labels == 1, body, line)
    columns = _check_levels(levels, mask.shape)
    index_to_mm = np.diag((*mm, 1.0)) if affine is None else np.asarray(affine, float)
    lesions = tuple(
        _measure(n, labels == n, body, line, midline, mm, columns, index_to_mm)
        for n in range(1, int(labels.max()) + 1)
    )
    return CordLesionReport(lesions, labels, outside, cut, midline)


def _keep_inside(
    mask: NDArray[np.bool_], cord: NDArray[np.bool_] | None, connectivity: int
) -> tuple[NDArray[np.int32], tuple[int, ...], int]:
    """Components cut to the cord, the largest first; sizes of those removed."""
    found, count = label_components(mask, connectivity=connectivity)
    whole = np.bincount(found.ravel(), minlength=count + 1)[1:]
    inside = found if cord is None else np.where(cord, found, 0)
    sizes = np.bincount(inside.ravel(), minlength=count + 1)[1:]
    # Equal sizes keep the order of the array.
    order = np.argsort(-sizes, kind='stable')
    order = order[sizes[order] > 0]
    numbers = np.zeros(count + 1, np.int32)
    numbers[order + 1] = np.arange(1, len(order) + 1)
    outside = tuple(int(size) for size in whole[sizes == 0])
    return numbers[inside], outside, int((whole - sizes)[sizes > 0].sum())


def _find_midline(
    largest: NDArray[np.bool_], cord: NDArray[np.bool_] | None, line: Centerline
) -> float:
    """Where the midsagittal slice lies along R."""
    if cord is None:
        return float(np.nonzero(largest)[2].mean())
    center = round(float(np.nonzero(largest)[0].mean()))
    first = max(center - _MIDLINE_SLICES, 0)
    return float(line.centers[first : center + _MIDLINE_SLICES + 1, 1].mean())


def _measure(
    number: int,
    mask: NDArray[np.bool_],
    cord: NDArray[np.bool_] | None,
    line: Centerline,
    midline: float,
    mm: Sequence[float],
    levels: NDArray[np.int64] | None,
    affine: NDArray[np.float64],
) -> CordLesion:
    places = np.nonzero(mask)
    areas = np.count_nonzero(mask, axis=(1, 2))
    shown = np.flatnonzero(areas)
    z, y, x = (float(axis.mean()) for axis in places)
    right, front, up = (float(v) for v in (affine @ (z, y, x, 1.0))[:3])
    extents = _measure_extents(np.any(mask, axis=2))
    section = (areas * line.cosines).max() * mm[1] * mm[2]
    damage = (areas[shown] / np.maximum(line.areas[shown], 1)).max()
    return CordLesion(
        label=number,
        voxels=len(places[0]),
        volume_mm3=len(places[0]) * math.prod(mm),
        length_mm=float((mm[0] / line.cosines[shown]).sum()),
        width_mm=float((extents * line.sagittal_cosines).max() * mm[1]),
        max_equivalent_diameter_mm=2 * math.sqrt(section / math.pi),
        max_axial_damage_ratio=0.0 if cord is None else float(damage),
        first_slice=int(shown[0]),
        last_slice=int(shown[-1]),
        centroid=(z, y, x),
        centroid_mm=(right, front, up),
        **_measure_midsagittal(mask, cord, line, midline, mm),
        level=None if levels is None else _vote_level(levels[places]),
    )


def _measure_midsagittal(
    mask: NDArray[np.bool_],
    cord: NDArray[np.bool_] | None,
    line: Centerline,
    midline: float,
    mm: Sequence[float],
) -> dict[str, Any]:
    """What is seen in the midsagittal slice, and the tissue left there."""
    section = _interpolate(mask, midline)
    seen = section.any(axis=1)
    length = float((mm[0] / line.sagittal_cosines[seen]).sum())
    width = float((_measure_extents(section) * line.sagittal_cosines).max() * mm[1])
    measures = {
        'parasagittal': not seen.any(),
        'midsagittal_length_mm': length,
        'midsagittal_width_mm': width,
    }
    beside = seen if seen.any() else mask.any(axis=(1, 2))
    tissue = np.zeros_like(section) if cord is None else _interpolate(cord, midline)
    rows = np.flatnonzero(beside & tissue.any(axis=1))
    thickness = line.sagittal_cosines * mm[1]
    dorsal = ventral = diameter = 0.0
    if len(rows):
        first, last = _find_ends(tissue[rows])
        diameters = (last - first + 1) * thickness[rows]
        diameter = float(diameters.min())
        if seen.any():
            begin, end = _find_ends(section[rows])
            dorsal = float((np.maximum(begin - first, 0) * thickness[rows]).min())
            ventral = float((np.maximum(last - end, 0) * thickness[rows]).min())
        else:
            dorsal = ventral = diameter / 2
    bridges = {'dorsal': dorsal, 'ventral': ventral, 'total': dorsal + ventral}
    for name, value in bridges.items():
        measures[f'{name}_bridge_mm'] = value
        ratio = value / diameter if diameter else 0.0
        measures[f'{name}_bridge_ratio'] = min(ratio, 1.0)
    return measures


def _interpolate(mask: NDArray[np.bool_], place: float) -> NDArray[np.bool_]:
    """Sagittal slice of a mask between two voxels, shape (S, A)."""
    below = min(max(math.floor(place), 0), mask.shape[2] - 1)
    above = min(below + 1, mask.shape[2] - 1)
    weight = min(max(place - below, 0.0), 1.0)
    blend = (1 - weight) * mask[:, :, below] + weight * mask[:, :, above]
    return blend >= 0.5


def _measure_extents(section: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels from the first to the last along A, for each slice; 0 without any."""
    first, last = _find_ends(section)
    return np.where(section.any(axis=1), last - first + 1, 0)


def _find_ends(section: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """First and last index along A that is set, for each slice."""
    first = section.argmax(axis=1)
    last = section.shape[1] - 1 - section[:, ::-1].argmax(axis=1)
    return first, last


def _check_levels(
    levels: ArrayLike | None, shape: tuple[int, ...]
) -> NDArray[np.int64] | None:
    """Levels as one number a voxel."""
    if levels is None:
        return None
    array = np.asarray(levels)
    if array.shape == shape[:1]:
        array = array[:, None, None]
    elif array.shape != shape:
        raise ValueError(f'levels have shape {array.shape}, expected {shape}')
    return np.broadcast_to(array, shape)


def _vote_level(values: NDArray[np.int64]) -> int | None:
    """Most frequent level that is known; the lower number of two equals."""
    # Not bincount: its table is as long as the largest number of the file.
    known, times = np.unique(values[values > 0], return_counts=True)
    return int(known[times.argmax()]) if len(known) else None
