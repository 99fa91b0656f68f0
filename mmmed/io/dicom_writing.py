"""Images to DICOM series, one file a slice, as a scanner would send them.

For exchange and for tests of what reads DICOM: values and geometry survive, a file's
other header entries are invented and say so. Masks: ``dicom_seg_writing``.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.io.dicom_parsing import import_pydicom
from mmmed.structures import Volume

_MR_IMAGE = '1.2.840.10008.5.1.4.1.1.4'
_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'
_EMPTY = (
    'PatientBirthDate', 'PatientSex', 'StudyID', 'StudyDate', 'StudyTime',
    'AccessionNumber', 'ReferringPhysicianName', 'Manufacturer', 'Laterality',
    'PositionReferenceIndicator', 'ScanOptions', 'EchoTime', 'RepetitionTime',
    'EchoTrainLength',
)  # fmt: skip


def write_series(
    volume: Volume,
    folder: str | Path,
    *,
    patient_id: str = 'anonymous',
    study: str = 'study',
    series: str = 'series',
    description: str = '',
    number: int = 1,
) -> list[Path]:
    """Write an image as a series of MR files ``0001.dcm``, ``0002.dcm`` ...

    The slices are those of the volume's first axis. Equal arguments give equal files:
    UIDs are derived from the names of patient, study and series.

    Args:
        volume: Shape (Z, Y, X). Integers of up to 16 bits are stored as they are,
            anything else in 16 bits with a rescale slope: to 1/65535 of its range.
        folder: Target; is created.
        patient_id: PatientID and PatientName.
        study: Name of the study.
        series: Name of the series.
        description: SeriesDescription.
        number: SeriesNumber.

    Returns:
        The files, in the order of the slices.

    Raises:
        ValueError: Channels, values that are not finite, or a sheared grid, which
            DICOM slices cannot have.
        ImportError: pydicom is not installed.
    """
    pydicom = import_pydicom()
    if volume.array.ndim != 3:
        raise ValueError(
            f'volume of shape {volume.array.shape}, expected (Z, Y, X); choose one '
            'channel first'
        )
    stored, slope, intercept = _encode(volume.array)
    shared = _make_header(pydicom, volume, (patient_id, study, series))
    shared.SeriesDescription, shared.SeriesNumber = description, number
    shared.RescaleSlope = _to_decimal(slope)
    shared.RescaleIntercept = _to_decimal(intercept)
    shared.RescaleType = 'US'
    shared.BitsAllocated = shared.BitsStored = 16
    shared.HighBit = 15
    shared.PixelRepresentation = int(stored.dtype.kind == 'i')
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.grid
    paths = []
    for index, plane in enumerate(stored):
        position = (lps @ [index, 0, 0, 1])[:3]
        shared.SOPInstanceUID = _make_uid(
            pydicom, 'image', patient_id, study, series, str(index)
        )
        shared.file_meta.MediaStorageSOPInstanceUID = shared.SOPInstanceUID
        shared.InstanceNumber = index + 1
        shared.ImagePositionPatient = [_to_decimal(value) for value in position]
        shared.PixelData = np.ascontiguousarray(plane).tobytes()
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, shared, enforce_file_format=True)
        path = Path(folder) / f'{index + 1:04d}.dcm'
        write_bytes_atomic(path, stream.getvalue())
        paths.append(path)
    return paths


def _make_header(pydicom: Any, volume: Volume, names: tuple[str, str, str]) -> Any:
    """Everything that the slices of a series share."""
    patient, study, series = names
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = _LITTLE_ENDIAN
    header.file_meta.MediaStorageSOPClassUID = _MR_IMAGE
    header.SOPClassUID = _MR_IMAGE
    header.SpecificCharacterSet = 'ISO_IR 192'
    header.ImageType = ['DERIVED', 'SECONDARY']
    header.Modality = 'MR'
    header.ScanningSequence, header.SequenceVariant = 'RM', 'NONE'
    header.MRAcquisitionType = '3D'
    header.PatientID = header.PatientName = patient
    header.StudyInstanceUID = _make_uid(pydicom, 'study', patient, study)
    header.FrameOfReferenceUID = _make_uid(pydicom, 'frame', patient, study)
    header.SeriesInstanceUID = _make_uid(pydicom, 'series', patient, study, series)
    for name in _EMPTY:
        setattr(header, name, '')
    right, down, depth = _find_directions(volume)
    if max(abs(right @ down), abs(right @ depth), abs(down @ depth)) > 1e-4:
        raise ValueError(
            'the grid is sheared, and DICOM slices are stacked at right angles; '
            'resample it to a regular grid first'
        )
    header.ImageOrientationPatient = [_to_decimal(v) for v in (*right, *down)]
    header.PixelSpacing = [_to_decimal(mm) for mm in volume.spacing[1:]]
    header.SliceThickness = _to_decimal(volume.spacing[0])
    header.SpacingBetweenSlices = header.SliceThickness
    header.Rows, header.Columns = volume.shape[1:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, 'MONOCHROME2'
    return header


def _find_directions(volume: Volume) -> tuple[NDArray, NDArray, NDArray]:
    """Unit vectors (LPS) along X, Y and Z."""
    steps = np.diag([-1.0, -1.0, 1.0]) @ volume.grid[:3, :3]
    steps = steps / np.linalg.norm(steps, axis=0)
    return steps[:, 2], steps[:, 1], steps[:, 0]


def _encode(array: NDArray) -> tuple[NDArray, float, float]:
    """Stored values, slope and intercept."""
    if array.dtype.kind in 'bui':
        low, high = int(array.min()), int(array.max())
        if low >= -32768 and high <= 32767:
            return array.astype('<i2'), 1.0, 0.0
        if low >= 0 and high <= 65535:
            return array.astype('<u2'), 1.0, 0.0
    values = array.astype(np.float64)
    least, most = float(values.min()), float(values.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ValueError('values are NaN or infinite, expected numbers')
    slope = (most - least) / 65535 or 1.0
    return np.rint((values - least) / slope).astype('<u2'), slope, least


def _to_decimal(value: float) -> str:
    """A number as exactly as the 16 characters of DICOM's decimals hold it."""
    return next(
        text for digits in range(15, 0, -1) if len(text := f'{value:.{digits}g}') <= 16
    )


def _make_uid(pydicom: Any, *names: str) -> str:
    return str(pydicom.uid.generate_uid(entropy_srcs=['mmmed', *names]))
