"""Label volumes to DICOM-SEG objects that reference their scan, through highdicom."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.functional.geometry import compute_spacing
from mmmed.io.dicom import DicomHeader
from mmmed.io.dicom_parsing import import_highdicom, read_header
from mmmed.io.dicom_seg import Segment
from mmmed.structures import Volume

_MAX_SEGMENTS = 1024
# What a DICOM-SEG repeats and may leave empty; anonymized images often lack it.
_MAY_BE_EMPTY = (
    'PatientID', 'PatientName', 'PatientBirthDate', 'PatientSex', 'StudyID',
    'StudyDate', 'StudyTime', 'AccessionNumber', 'ReferringPhysicianName',
)  # fmt: skip


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
            series; or segments that may overlap, (C, Z, Y, X) of 0 and 1, of which
            channel 0 is segment 1.
        path: Target, atomically replaced.
        like: The scan as read from DICOM; None if ``volume`` descends from it.
        segments: Names and codes for labels 1, 2, ...; None names them by number.
        description: SeriesDescription of the new series.

    Raises:
        ValueError: No DICOM source, another grid, a scan that had to be resampled,
            or labels that are not described.
        ImportError: highdicom is not installed.
    """
    highdicom = import_highdicom()
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
    if labels.dtype.kind not in 'bui':
        raise ValueError(
            f'labels are {labels.dtype} of shape {labels.shape}, expected integers '
            '(Z, Y, X) or (C, Z, Y, X)'
        )
    low, high = int(labels.min()), int(labels.max())
    most = _MAX_SEGMENTS if labels.ndim == 3 else 1
    if low < 0 or high > most:
        raise ValueError(f'labels are {low} to {high}, expected 0 to {most}')
    if labels.ndim == 4:  # (C, Z, Y, X) -> (Z, Y, X, C)
        labels = np.moveaxis(labels, 0, -1)
    return labels.astype(np.uint8 if high < 256 else np.uint16)


def _describe(
    highdicom: Any, labels: NDArray, segments: Sequence[Segment] | None
) -> list[Any]:
    highest = labels.shape[-1] if labels.ndim == 4 else max(1, int(labels.max()))
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
        for name in _MAY_BE_EMPTY:
            if name not in image:
                setattr(image, name, '')
    if header.frames is None:
        return images, labels
    back = np.argsort(header.frames)  # frame k of the file is this slice
    return images, labels[back]
