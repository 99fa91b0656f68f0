"""One lesion's files to arrays about it: oriented, cropped, perhaps on another grid.

Not here: which files (``roi_layouts``), where the arrays are kept (``roi_storage``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import (
    compute_index_map,
    compute_spacing,
    plan_spacing,
)
from mmmed.functional.roi_crop import MOST_SLICES, crop_padded, plan_roi_box
from mmmed.functional.roi_location import (
    center_grid,
    find_index,
    find_place,
    flip_lps,
    locate_mask,
    stretch_grid,
)
from mmmed.functional.sequence_scale import measure_values
from mmmed.io import read_volume
from mmmed.preparation.findings import SourceError
from mmmed.preparation.label_transfer import compact_values
from mmmed.preparation.roi_sources import Box, ROISource
from mmmed.preparation.roi_storage import ROIItem
from mmmed.structures import ROIGrid, Volume

# Diameter of a lesion whose size nobody wrote down: its crop has the least width.
UNKNOWN_MM = 25.0


@dataclass(frozen=True)
class ROIOptions:
    """What happens to the voxels.

    Args:
        size: (Z, Y, X) in voxels of one grid for all sequences; with ``spacing``
            around the lesion, without it the crop is stretched to it; None keeps
            each sequence's own.
        spacing: (Z, Y, X) in mm to resample to; None keeps each sequence's own.
        most_slices: Of a crop, odd; None for no limit.
        fills: Value outside the image by sequence; 0 for those not named.
        mask_labels: Labels that are the lesion, by sequence; all above 0 for those
            not named.
    """

    size: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    most_slices: int | None = MOST_SLICES
    fills: Mapping[str, float] = field(default_factory=dict)
    mask_labels: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            'size': None if self.size is None else list(self.size),
            'spacing_mm': None if self.spacing is None else list(self.spacing),
            'most_slices': self.most_slices,
            'fills': dict(sorted(self.fills.items())),
            'mask_labels': {k: sorted(v) for k, v in sorted(self.mask_labels.items())},
        }


@dataclass(frozen=True)
class _Placed:
    """A sequence in canonical orientation, and the lesion's middle in it."""

    volume: Volume
    center: NDArray[np.float64]


def convert_roi(source: ROISource, options: ROIOptions) -> ROIItem:
    """Arrays of one lesion; a sequence that cannot be used is left out and named.

    Raises:
        SourceError: No sequence can be used, or the first file explains why.
    """
    lost: list[dict[str, str]] = []
    volumes: dict[str, Volume] = {}
    errors: list[SourceError] = []
    for name, path in source.files.items():
        try:
            volumes[name] = _read(path, source.boxes.get(name))
        except SourceError as error:
            errors.append(error)
            lost.append(_describe(name, error))
    places, size_mm = _find_places(source, volumes, options)
    # Oblique sequences of one examination share the axes of the first.
    axes = next((volume.grid for volume in volumes.values()), np.eye(4))
    images: dict[str, NDArray] = {}
    grids: dict[str, ROIGrid] = {}
    facts: dict[str, Any] = {'intensity': {}, 'padded': {}, 'centers_mm': {}}
    for name, volume in volumes.items():
        try:
            placed = _place(source, name, volume, places)
            array, grid, inside = _cut(placed, name, source, size_mm, options, axes)
        except SourceError as error:
            errors.append(error)
            lost.append(_describe(name, error))
            continue
        images[name] = array
        grids[name] = grid
        real = array[tuple(slice(*axis) for axis in inside)]
        facts['intensity'][name] = measure_values(real)
        facts['padded'][name] = round(1 - real.size / array.size, 4)
        place = find_place(placed.volume.grid, placed.center)
        facts['centers_mm'][name] = [round(float(v), 3) for v in place]
    if not images:
        raise errors[0]
    if lost:
        facts['lost'] = lost
    return ROIItem(source.case_id, source.patient_id, images, grids, size_mm, facts)


def _read(path: Path, box: Box | None) -> Volume:
    try:
        volume = read_volume(path, ndim=3, nonfinite=0.0)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error
    if box is None:
        return volume.reorient()
    try:
        array, _ = crop_padded(volume.array, box)
    except ValueError as error:
        raise SourceError(path, str(error), 'correct its box') from error
    affine = volume.grid.copy()
    affine[:3, 3] = find_place(volume.grid, [first for first, _ in box])
    return Volume(array, volume.spacing, affine).reorient()


def _find_places(
    source: ROISource, volumes: Mapping[str, Volume], options: ROIOptions
) -> tuple[dict[str, NDArray], float | None]:
    """Middle of the lesion in RAS+ mm, by sequence, and its diameter."""
    places = {
        name: np.array(flip_lps(place)) for name, place in source.centers_lps.items()
    }
    size_mm = source.size_mm
    for name, path in source.masks.items():
        try:
            mask = read_volume(path, ndim=3)
            labels = options.mask_labels.get(name, ())
            center, extent_mm = locate_mask(mask.array, mask.spacing, labels)
        except (OSError, ValueError) as error:
            raise SourceError.from_reader(path, error) from error
        places[name] = find_place(mask.grid, center)
        if size_mm is None:
            size_mm = extent_mm
    if source.masks:  # a sequence without a mask lies in the same space
        first = next(iter(places.values()))
        places = {name: places.get(name, first) for name in volumes}
    return places, size_mm


def _place(
    source: ROISource, name: str, volume: Volume, places: Mapping[str, NDArray]
) -> _Placed:
    middle = np.array(volume.shape) // 2
    if name not in places:
        if not source.is_cropped and not source.boxes:
            remedy = 'add phy_loc_xyz of this file'
            raise SourceError(source.files[name], 'its lesion has no place', remedy)
        return _Placed(volume, middle.astype(float))
    center = find_index(volume.grid, places[name])
    if ((center < -0.5) | (center > np.array(volume.shape) - 0.5)).any():
        if source.is_cropped:  # the crop is what it is; its place was lost
            return _Placed(volume, middle.astype(float))
        where = [round(float(v), 1) for v in places[name]]
        raise SourceError(
            source.files[name],
            f'the lesion at {where} mm (RAS) lies outside the image',
            'correct its phy_loc_xyz, which is in LPS mm',
        )
    return _Placed(volume, center)


def _cut(
    placed: _Placed,
    name: str,
    source: ROISource,
    size_mm: float | None,
    options: ROIOptions,
    axes: NDArray,
) -> tuple[NDArray, ROIGrid, tuple[tuple[int, int], ...]]:
    """Array, grid and real part (of the voxels about its middle) of one sequence."""
    volume, fill = placed.volume, float(options.fills.get(name, 0.0))
    size, spacing = options.size, options.spacing
    if size is not None and spacing is not None:
        place = find_place(volume.grid, placed.center)
        affine = center_grid(axes, place, size, spacing)
        return _resample(volume, size, affine, fill)
    if source.is_cropped or source.boxes:
        array, affine = volume.array, volume.grid
        inside = tuple((0, n) for n in array.shape)
    else:
        box = plan_roi_box(
            placed.center.tolist(),
            size_mm or UNKNOWN_MM,
            volume.spacing,
            most_slices=options.most_slices,
        )
        array, inside = crop_padded(volume.array, box, fill=fill)
        affine = volume.grid.copy()
        affine[:3, 3] = find_place(volume.grid, [first for first, _ in box])
    if size is None and spacing is None:
        return _keep(array), _make_grid(array.shape, affine), inside
    if spacing is not None:
        shape, target = plan_spacing(array.shape, affine, spacing)
    else:
        assert size is not None
        shape, target = size, stretch_grid(affine, array.shape, size)
    crop = Volume(array, compute_spacing(affine), affine)
    moved, grid, _ = _resample(crop, shape, target, fill)
    ratio = [n / m for n, m in zip(shape, array.shape, strict=True)]
    kept = tuple(
        (min(round(a * r), n - 1), max(round(b * r), min(round(a * r), n - 1) + 1))
        for (a, b), r, n in zip(inside, ratio, shape, strict=True)
    )
    return moved, grid, kept


def _resample(
    volume: Volume, shape: tuple[int, int, int], affine: NDArray, fill: float
) -> tuple[NDArray, ROIGrid, tuple[tuple[int, int], ...]]:
    index_map = compute_index_map(affine, volume.grid)
    # Imports torch: two seconds that every other preparation can do without.
    from mmmed.functional.resampling import resample_image

    array = resample_image(volume.array, index_map, shape, fill=fill)
    if volume.array.dtype.kind in 'bui':
        array = np.rint(array)
    # Along lines through the middle of the new grid; exact unless the axes turn.
    inside = []
    middle = [n // 2 for n in shape]
    for axis, n in enumerate(shape):
        line = np.tile(np.array([*middle, 1.0]), (n, 1))
        line[:, axis] = np.arange(n)
        place = (line @ index_map.T)[:, :3]
        limit = np.array(volume.shape) - 0.5
        index = np.flatnonzero(((place >= -0.5) & (place <= limit)).all(axis=1))
        inside.append((int(index[0]), int(index[-1]) + 1) if len(index) else (0, n))
    return _keep(array), _make_grid(shape, affine), tuple(inside)


def _keep(array: NDArray) -> NDArray:
    return np.ascontiguousarray(compact_values(array))


def _make_grid(shape: Sequence[int], affine: NDArray) -> ROIGrid:
    depth, height, width = (int(n) for n in shape)
    rows = np.round(np.asarray(affine, np.float64), 9) + 0.0
    return ROIGrid(
        (depth, height, width),
        compute_spacing(rows),
        tuple(tuple(row) for row in rows.tolist()),
    )


def _describe(name: str, error: SourceError) -> dict[str, str]:
    return {
        'sequence': name,
        'file': error.path.name,
        'problem': error.problem,
        'remedy': error.remedy,
    }
