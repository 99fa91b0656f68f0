"""DICOM-SEG objects to label volumes and back, through highdicom."""

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.functional.geometry import compute_index_map, compute_spacing
from mmmed.io.compression import DamagedError
from mmmed.io.dicom import DicomHeader
from mmmed.io.dicom_files import read_dataset, read_header
from mmmed.structures import Volume, VolumeSource

# Code (value, scheme, meaning) of a segment that nobody described.
TISSUE = ('85756007', 'SCT', 'Tissue')
_MAX_SEGMENTS = 1024
# Voxels times segments per byte of file; a SEG leaves empty slices out.
_MAX_EXPANSION = 2048
_ON_GRID = 1e-2


@dataclass(frozen=True)
class Segment:
    """One label of a segmentation.

    Args:
        number: Its value in the label map, from 1.
        label: Name for people.
        category: Coded category (value, scheme, meaning).
        type: Coded type, likewise; SCT codes are what viewers know.
        algorithm: Name of what made it; None means drawn by hand.
    """

    number: int
    label: str
    category: tuple[str, str, str] = TISSUE
    type: tuple[str, str, str] = TISSUE
    algorithm: str | None = 'mmmed'


@dataclass(frozen=True)
class SegmentationHeader:
    """Segments of a volume that was read from DICOM-SEG."""

    segments: tuple[Segment, ...]


def read_segmentation(path: str | Path, *, like: Volume | None = None) -> Volume:
    """Read a DICOM-SEG file.

    Args:
        path: The file.
        like: The scan: the result gets its grid and orientation. A SEG often holds
            no slices beyond its segments. None keeps the slices that it spans.

    Returns:
        Binary segments that do not overlap: a label map (Z, Y, X), uint8 or uint16,
        of segment numbers. Overlapping ones: (C, Z, Y, X) uint8, one channel a
        segment, in the order of ``volume.source.header.segments``. Fractional ones:
        float32 in [0, 1], with channels if there are several.

    Raises:
        ValueError: No segmentation, damaged, tiled, or not on the grid of ``like``.
        ImportError: highdicom is not installed.
    """
    highdicom = _import_highdicom()
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            dataset = read_dataset(str(path))
            seg = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
            array, affine, segments = _extract(seg, os.path.getsize(path))
    except ImportError:
        raise
    except Exception as error:
        # The parser lets through whatever a damaged file provokes.
        reason = str(error) or type(error).__name__
        raise DamagedError(f'{path}: no readable DICOM-SEG ({reason:.500})') from error
    source = VolumeSource(
        path=str(path),
        format='dicom-seg',
        stored_dtype=array.dtype,
        header=SegmentationHeader(segments),
    )
    volume = Volume(array, compute_spacing(affine), affine, source)
    return volume if like is None else _place(volume, like)


def write(volume: Volume, path: Path) -> None:
    """Write labels of a DICOM series; for :func:`mmmed.io.write_volume`."""
    write_segmentation(volume, path)


def write_segmentation(
    volume: Volume,
    path: str | Path,
    *,
    like: Volume | None = None,
    segments: Sequence[Segment] | None = None,
    description: str = 'Segmentation',
) -> None:
    """Write labels as a binary DICOM-SEG that references its source images.

    Args:
        volume: Label map (Z, Y, X), integers or boolean, on the grid of a DICOM
            series.
        path: Target, atomically replaced.
        like: The scan as read from DICOM; None if ``volume`` descends from it.
        segments: Names and codes for labels 1, 2, ...; None names them by number.
        description: SeriesDescription of the new series.

    Raises:
        ValueError: No DICOM source, another grid, a scan that had to be resampled,
            or labels that are not described.
        ImportError: highdicom is not installed.
    """
    highdicom = _import_highdicom()
    if like is not None:
        volume = volume.reorient(like.orientation)
        volume.check_grid(like)
    source = (like or volume).source
    header = source.header if source else None
    if not isinstance(header, DicomHeader):
        raise ValueError(
            'DICOM-SEG references the images that it segments; pass the scan, read '
            'from DICOM, as like='
        )
    if header.resampled:
        raise ValueError(
            'the series was no regular grid and was resampled, so its slices are not '
            'those of the files; write .nii.gz instead'
        )
    labels = _order_as_acquired(volume, header)
    described = _describe(highdicom, labels, segments)
    images, labels = _collect_images(header, labels)
    try:
        seg = _make_dataset(highdicom, images, labels, described, description)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'the source images lack what a DICOM-SEG must repeat ({error!r:.200})'
        ) from error
    stream = io.BytesIO()
    seg.save_as(stream)
    write_bytes_atomic(path, stream.getvalue())


def _make_dataset(
    highdicom: Any,
    images: list[Any],
    labels: NDArray,
    described: list[Any],
    description: str,
) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # an empty mask is a result, not a mistake
        return highdicom.seg.Segmentation(
            source_images=images,
            pixel_array=labels,
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=highdicom.UID(),
            series_number=1000,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer='mmmed',
            manufacturer_model_name='mmmed',
            software_versions='1',
            device_serial_number='0',
            series_description=description,
        )


def _import_highdicom() -> Any:
    try:
        import highdicom
    except ImportError as error:
        raise ImportError(
            'DICOM-SEG needs highdicom; install it with: pip install "mmmed[dicom]"'
        ) from error
    return highdicom


def _extract(
    seg: Any, file_size: int
) -> tuple[NDArray, NDArray[np.float64], tuple[Segment, ...]]:
    geometry = seg.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise ValueError('its frames are no regular stack of slices')
    segments = tuple(_make_segment(seg, number) for number in seg.segment_numbers)
    size = len(segments) * int(np.prod([int(n) for n in geometry.spatial_shape]))
    if not 0 < size <= _MAX_EXPANSION * file_size:
        raise ValueError(f'{size} voxels and segments in a file of {file_size} bytes')
    fractional = str(seg.segmentation_type.value) == 'FRACTIONAL'
    volume = seg.get_volume(
        allow_missing_positions=True,
        dtype=np.float32 if fractional else np.uint8,
        rescale_fractional=fractional,
    )
    affine = np.array(volume.affine, dtype=np.float64)
    affine[:2] = np.where(affine[:2] == 0, 0, -affine[:2])
    channels = np.moveaxis(volume.array, -1, 0)
    labels = None if fractional else _merge(channels, segments)
    if labels is None:
        labels = channels if len(channels) > 1 else channels[0]
    return np.ascontiguousarray(labels), affine, segments


def _merge(channels: NDArray, segments: Sequence[Segment]) -> NDArray | None:
    """One label map, or None if segments overlap."""
    largest = max(segment.number for segment in segments)
    labels = np.zeros(channels.shape[1:], np.uint8 if largest < 256 else np.uint16)
    for channel, segment in zip(channels, segments, strict=True):
        inside = channel > 0
        if labels[inside].any():
            return None
        labels[inside] = segment.number
    return labels


def _make_segment(seg: Any, number: int) -> Segment:
    described = seg.get_segment_description(number)
    category, kind = (
        (str(code.value), str(code.scheme_designator), str(code.meaning))
        for code in (
            described.segmented_property_category,
            described.segmented_property_type,
        )
    )
    name = described.get('SegmentAlgorithmName')
    return Segment(
        int(number),
        str(described.segment_label),
        category,
        kind,
        str(name) if name else None,
    )


def _place(volume: Volume, like: Volume) -> Volume:
    """Slices at their place on the grid of the scan; nothing is interpolated."""
    volume = volume.reorient(like.orientation)
    to_like = compute_index_map(volume.grid, like.grid)
    start = np.rint(to_like[:3, 3]).astype(int)
    corner = to_like @ [*(n - 1 for n in volume.shape), 1]
    wanted = start + np.asarray(volume.shape) - 1
    off = max(np.abs(to_like[:3, 3] - start).max(), np.abs(corner[:3] - wanted).max())
    if off > _ON_GRID or start.min() < 0 or (wanted >= like.shape).any():
        name = volume.source.path if volume.source else 'segmentation'
        raise ValueError(
            f'{name}: its frames are not on the voxels of the scan (off by {off:.3g} '
            f'voxels, from {start.tolist()} to {wanted.tolist()} of {like.shape}); '
            'read it without like= and resample it'
        )
    array = np.zeros((*volume.array.shape[:-3], *like.shape), dtype=volume.array.dtype)
    z, y, x = (slice(a, b + 1) for a, b in zip(start, wanted, strict=True))
    array[..., z, y, x] = volume.array
    return Volume(array, like.spacing, like.grid, volume.source)


def _order_as_acquired(volume: Volume, header: DicomHeader) -> NDArray:
    shape = header.series.shape
    acquired = Volume(
        np.broadcast_to(np.zeros((), np.uint8), shape),
        compute_spacing(header.affine),
        header.affine,
    )
    volume = volume.reorient(acquired.orientation)
    acquired.check_grid(volume)
    labels = volume.array
    if labels.ndim != 3 or labels.dtype.kind not in 'bui':
        raise ValueError(
            f'labels are {labels.dtype} of shape {labels.shape}, expected integers '
            '(Z, Y, X)'
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > _MAX_SEGMENTS:
        raise ValueError(f'labels are {low} to {high}, expected 0 to {_MAX_SEGMENTS}')
    return labels.astype(np.uint8 if high < 256 else np.uint16)


def _describe(
    highdicom: Any, labels: NDArray, segments: Sequence[Segment] | None
) -> list[Any]:
    highest = max(1, int(labels.max()))
    if segments is None:
        segments = [Segment(n, f'Segment {n}') for n in range(1, highest + 1)]
    numbers = [segment.number for segment in segments]
    if numbers != list(range(1, len(numbers) + 1)) or highest > len(numbers):
        raise ValueError(
            f'segments are numbered {numbers}, expected 1, 2, ... up to the highest '
            f'label, {highest}'
        )
    values = highdicom.seg.SegmentAlgorithmTypeValues
    code = highdicom.sr.CodedConcept
    described = []
    for segment in segments:
        identification = None
        if segment.algorithm:
            identification = highdicom.AlgorithmIdentificationSequence(
                name=segment.algorithm,
                family=code('123110', 'DCM', 'Artificial Intelligence'),
                version='1',
            )
        described.append(
            highdicom.seg.SegmentDescription(
                segment_number=segment.number,
                segment_label=segment.label,
                segmented_property_category=code(*segment.category),
                segmented_property_type=code(*segment.type),
                algorithm_type=values.AUTOMATIC if identification else values.MANUAL,
                algorithm_identification=identification,
            )
        )
    return described


def _collect_images(header: DicomHeader, labels: NDArray) -> tuple[list[Any], NDArray]:
    """Source headers, and labels in their order."""
    images = [read_header(path) for path in header.paths]
    for image in images:
        if not image.get('SpecificCharacterSet'):  # empty stands for the default
            image.pop('SpecificCharacterSet', None)
    if header.frames is None:
        return images, labels
    back = np.argsort(header.frames)  # frame k of the file is this slice
    return images, labels[back]
