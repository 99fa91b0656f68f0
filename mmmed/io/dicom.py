"""DICOM images to volumes: a series of files, or one multi-frame file."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_spacing
from mmmed.io.compression import DamagedError
from mmmed.io.dicom_files import (
    DicomSeries,
    SkippedFile,
    drop_skipped,
    group_files,
    scan_folder,
)
from mmmed.io.dicom_geometry import SliceStack, arrange_slices, resample_stack
from mmmed.io.dicom_parsing import read_dataset
from mmmed.io.dicom_pixels import decode_frames, find_rescale, rescale
from mmmed.structures import Volume, VolumeSource

IRREGULAR = ('refuse', 'resample')
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class DicomHeader:
    """What connects a volume with its DICOM files.

    Args:
        series: The series.
        paths: Its files in slice order; one file if it has several frames.
        frames: Frame of each slice in that file, in slice order; None if one file
            holds one slice.
        affine: RAS+, array-axis order, of the slices as acquired.
        resampled: Whether the volume's slices are no longer those of the files.
    """

    series: DicomSeries
    paths: tuple[str, ...]
    frames: tuple[int, ...] | None
    affine: NDArray[np.float64]
    resampled: bool


@dataclass(eq=False)
class _Plane:
    """Geometry and rescale of one image or frame."""

    position: NDArray[np.float64] | None
    orientation: NDArray[np.float64] | None
    spacing: NDArray[np.float64] | None
    thickness_mm: float | None
    scale: tuple[float, float]
    is_inverted: bool = False


def read_folder(folder: Path, *, irregular: str = 'refuse') -> Volume:
    """The one image series below a folder.

    Raises:
        ValueError: There is none, or more than one, which are then named.
    """
    series, skipped = scan_folder(folder)
    if not series:
        raise ValueError(f'{folder}: no DICOM image{_list_skipped(skipped)}')
    if len(series) > 1:
        names = '; '.join(str(one) for one in series[:_SHOWN])
        more = f' and {len(series) - _SHOWN} more' if len(series) > _SHOWN else ''
        raise ValueError(
            f'{folder}: {len(series)} image series ({names}{more}), expected one; '
            'choose with list_series and read_series'
        )
    return read_series(series[0], irregular=irregular)


def read(path: Path, *, irregular: str = 'refuse') -> Volume:
    """One DICOM file: an image, a multi-frame image or a segmentation."""
    series, skipped = group_files([path])
    if series:
        return _read_stack(series[0], irregular)
    if '(SEG)' in skipped[0].reason:
        from mmmed.io.dicom_seg import read_segmentation

        return read_segmentation(path)
    raise ValueError(f'it is {skipped[0].reason}, expected an image')


def read_series(
    series: DicomSeries | Iterable[str | Path], *, irregular: str = 'refuse'
) -> Volume:
    """A volume from the files of one series.

    Args:
        series: From :func:`mmmed.io.list_series`, or files.
        irregular: What to do when slices are no regular grid, because the gantry
            was tilted, a slice is missing or distances vary: ``'refuse'`` (the
            error says which), or ``'resample'`` onto the regular grid at right
            angles to the slices, with a note.

    Returns:
        Slices ascending along the normal of the image plane (right-handed with rows
        and columns). Rescaled: integers if slope and intercept are, else float32.

    Raises:
        ValueError: Not one series, damaged, without position, colours, or an
            irregular grid that is not to be resampled; the message names the files.
        ImportError: pydicom or a decoder is not installed.
    """
    if not isinstance(series, DicomSeries):
        paths = [str(path) for path in series]
        found, skipped = group_files(paths)
        if len(found) != 1:
            raise ValueError(
                f'{len(paths)} files hold {len(found)} image series, expected one'
                + _list_skipped(skipped)
            )
        series = found[0]
    name = _name_series(series)
    try:
        return _read_stack(series, irregular)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error


def _read_stack(series: DicomSeries, irregular: str) -> Volume:
    if irregular not in IRREGULAR:
        raise ValueError(f'irregular is {irregular!r}, expected one of {IRREGULAR}')
    stored, planes = _read_planes(series)
    stack, notes = _arrange(planes, series)
    array = rescale(stored[stack.order], [planes[k].scale for k in stack.order])
    affine = stack.affine
    if stack.problems:
        text = ' '.join(stack.problems)
        if irregular == 'refuse':
            raise ValueError(
                f'its slices are no regular grid: {text} Pass '
                "irregular='resample' to resample them onto one"
            )
        array, affine = resample_stack(array, stack)
        notes += (f'{text} Resampled onto a regular grid.',)
    if series.skipped:
        notes += (_list_skipped(series.skipped).removeprefix(': ') + '.',)
    multi = len(series.paths) == 1
    header = DicomHeader(
        series=drop_skipped(series),
        paths=series.paths if multi else tuple(series.paths[k] for k in stack.order),
        frames=tuple(int(k) for k in stack.order) if multi else None,
        affine=stack.affine,
        resampled=bool(stack.problems),
    )
    source = VolumeSource(
        path=_name_series(series),
        format='dicom',
        stored_dtype=stored.dtype,
        header=header,
        notes=notes,
    )
    return Volume(array, compute_spacing(affine), affine, source)


def _read_planes(series: DicomSeries) -> tuple[NDArray, list[_Plane]]:
    parts, planes = [], []
    for path in series.paths:
        try:
            dataset = read_dataset(path)
            parts.append(decode_frames(dataset, file_size=os.path.getsize(path)))
            planes += _describe_planes(dataset, len(parts[-1]))
        except ImportError:
            raise
        except Exception as error:
            # The parser lets through whatever a damaged file provokes.
            reason = str(error) or type(error).__name__
            raise DamagedError(f'{Path(path).name}: {reason:.500}') from error
    kinds = {part.dtype for part in parts}
    if len(kinds) > 1:  # a series may change its number of bits
        parts = [part.astype(np.int32) for part in parts]
    return np.concatenate(parts), planes


def _describe_planes(dataset: Any, frames: int) -> list[_Plane]:
    shared = _first_item(dataset, 'SharedFunctionalGroupsSequence')
    groups = dataset.get('PerFrameFunctionalGroupsSequence')
    if groups is None and shared is None:
        if frames > 1:
            raise DamagedError(f'{frames} frames without positions')
        return [_make_plane(dataset, dataset, dataset, dataset)]
    if groups is None or len(groups) != frames:
        raise DamagedError(f'{len(groups or [])} frame positions for {frames} frames')
    planes = []
    for group in groups:
        items = [
            _first_item(group, name) or _first_item(shared, name) or {}
            for name in (
                'PlanePositionSequence',
                'PlaneOrientationSequence',
                'PixelMeasuresSequence',
                'PixelValueTransformationSequence',
            )
        ]
        planes.append(_make_plane(*items))
    return planes


def _first_item(dataset: Any, name: str) -> Any:
    items = dataset.get(name) if dataset is not None else None
    return items[0] if items else None


def _make_plane(place: Any, turn: Any, measures: Any, values: Any) -> _Plane:
    thickness = measures.get('SpacingBetweenSlices') or measures.get('SliceThickness')
    spacing = measures.get('PixelSpacing') or measures.get('ImagerPixelSpacing')
    return _Plane(
        position=_as_array(place.get('ImagePositionPatient'), 3),
        orientation=_as_array(turn.get('ImageOrientationPatient'), 6),
        spacing=_as_array(spacing, 2),
        thickness_mm=abs(float(thickness)) if thickness else None,
        scale=find_rescale(values),
        is_inverted=place.get('PhotometricInterpretation') == 'MONOCHROME1',
    )


def _as_array(values: Any, count: int) -> NDArray[np.float64] | None:
    if values is None or len(values) != count:
        return None
    return np.asarray([float(value) for value in values])


def _arrange(
    planes: list[_Plane], series: DicomSeries
) -> tuple[SliceStack, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    first = planes[0]
    spacing = first.spacing
    if spacing is None:
        spacing = np.ones(2)
        notes += ('No pixel spacing; 1 mm is assumed.',)
    if first.is_inverted:
        notes += ('MONOCHROME1: small values are bright; values are as stored.',)
    for plane in planes:
        if plane.spacing is not None and np.abs(plane.spacing - spacing).max() > 1e-4:
            raise ValueError('its slices differ in PixelSpacing, expected one value')
    located = [plane for plane in planes if plane.position is not None]
    orientation = first.orientation
    if len(located) < len(planes) or orientation is None:
        if len(planes) > 1:
            raise ValueError(
                f'{len(planes) - len(located)} of {len(planes)} images have no '
                'ImagePositionPatient or orientation, so their order is unknown'
            )
        located = [_Plane(np.zeros(3), None, None, None, (1.0, 0.0))]
        orientation = np.asarray([1.0, 0, 0, 0, 1, 0])
        notes += ('No position or orientation; an axial image is assumed.',)
    if len(planes) == 1 and first.thickness_mm is None:
        notes += ('A single slice without thickness; 1 mm is assumed.',)
    positions = np.stack([p.position for p in located if p.position is not None])
    stack = arrange_slices(
        positions,
        orientation.tolist(),
        spacing.tolist(),
        thickness_mm=first.thickness_mm,
    )
    return stack, notes


def _name_series(series: DicomSeries) -> str:
    if len(series.paths) == 1:
        return series.paths[0]
    folder = os.path.commonpath([str(Path(path).parent) for path in series.paths])
    return f'{folder} ({series})' if series.part else folder


def _list_skipped(skipped: tuple[SkippedFile, ...]) -> str:
    if not skipped:
        return ': it holds no file'
    reasons: dict[str, int] = {}
    for one in skipped:
        reason = 'a copy of another' if one.reason.startswith('a copy') else one.reason
        reasons[reason] = reasons.get(reason, 0) + 1
    text = ', '.join(f'{count} {reason}' for reason, count in reasons.items())
    return f': {len(skipped)} files were skipped ({text:.800})'
