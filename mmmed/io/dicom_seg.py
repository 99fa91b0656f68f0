"""DICOM-SEG objects to label volumes, through highdicom.

Writing: ``dicom_seg_writing``.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_index_map, compute_spacing
from mmmed.io.compression import DamagedError
from mmmed.io.dicom_parsing import import_highdicom, read_dataset
from mmmed.structures import Volume, VolumeSource

# Code (value, scheme, meaning) of a segment that nobody described.
TISSUE = ('85756007', 'SCT', 'Tissue')
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
    highdicom = import_highdicom()
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
