"""What a folder tree of DICOM files holds: image series, and what is none and why.

Only headers are read here. Geometry: ``dicom_geometry``; pixels: ``dicom_pixels``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.io.dicom_parsing import import_pydicom, read_header

_NO_IMAGES = {
    'SEG': 'a segmentation; read the file itself',
    'RTDOSE': 'a radiotherapy dose',
    'RTSTRUCT': 'radiotherapy structures',
    'RTPLAN': 'a radiotherapy plan',
    'SR': 'a structured report',
    'PR': 'a presentation state',
    'KO': 'a key object note',
    'REG': 'a registration',
    'DOC': 'a document',
}
_DICOMDIR = '1.2.840.10008.1.3.10'
# What can tell apart images at the same place: echoes, phases, b-values.
_SPLITTERS = (
    'EchoNumbers', 'EchoTime', 'DiffusionBValue', 'TemporalPositionIdentifier',
    'AcquisitionNumber', 'TriggerTime', 'ImageType', 'InversionTime',
    'AcquisitionTime',
)  # fmt: skip
_TAGS = (
    'SOPInstanceUID', 'SOPClassUID', 'Modality', 'SeriesInstanceUID', 'SeriesNumber',
    'SeriesDescription', 'StudyInstanceUID', 'PatientID', 'Rows', 'Columns',
    'NumberOfFrames', 'SamplesPerPixel', 'PhotometricInterpretation',
    'ImagePositionPatient',
    'ImageOrientationPatient', 'PixelSpacing', 'ImagerPixelSpacing', 'InstanceNumber',
    *_SPLITTERS,
)  # fmt: skip
_SAME_DIRECTION = 1e-4
_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class SkippedFile:
    """A file that is no image of a series.

    Args:
        path: The file.
        reason: Why, without the path.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class DicomSeries:
    """Files that make one volume.

    Args:
        uid: SeriesInstanceUID.
        paths: Files, in no meaningful order.
        modality: Such as ``'CT'``.
        description: SeriesDescription, may be empty.
        number: SeriesNumber, or None.
        patient_id: PatientID, may be empty.
        shape: (files or frames, rows, columns).
        part: What tells this stack from others of the same series, such as
            ``'EchoTime=4.6'`` or ``'orientation 2'``; empty if it is the only one.
        skipped: Files of the same tree that are no images of any series.
    """

    uid: str
    paths: tuple[str, ...]
    modality: str
    description: str
    number: int | None
    patient_id: str
    shape: tuple[int, int, int]
    part: str = ''
    skipped: tuple[SkippedFile, ...] = ()

    def __str__(self) -> str:
        words = [
            f'series {self.number}' if self.number is not None else 'series',
            self.modality,
            repr(self.description) if self.description else '',
            self.part,
            f'{self.shape[0]} x {self.shape[1]} x {self.shape[2]}',
            self.uid,
        ]
        return ' '.join(word for word in words if word)


@dataclass(frozen=True)
class _Entry:
    path: str
    uid: str
    instance: str
    modality: str
    description: str
    number: int | None
    patient_id: str
    rows: int
    columns: int
    frames: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    traits: tuple[str, ...]


def list_series(folder: str | Path) -> list[DicomSeries]:
    """The image series below a folder, whatever its files are called.

    A series is split where it cannot be one volume: by image size, orientation,
    and, where several images share a place, by echo, b-value or time point.

    Args:
        folder: Searched with all its subfolders; hidden files are left out.

    Returns:
        Series by number and uid; each one knows what was skipped and why. Empty if
        there is no image.

    Raises:
        ImportError: pydicom is not installed.
    """
    return scan_folder(folder)[0]


def scan_folder(
    folder: str | Path,
) -> tuple[list[DicomSeries], tuple[SkippedFile, ...]]:
    """As :func:`list_series`, with what was skipped also if there is no series."""
    return group_files(
        sorted(
            path
            for path in Path(folder).rglob('*')
            if path.is_file() and not path.name.startswith('.')
        )
    )


def group_files(
    paths: Iterable[str | Path],
) -> tuple[list[DicomSeries], tuple[SkippedFile, ...]]:
    """Series among some files, and the files that belong to none."""
    groups: dict[tuple, list[_Entry]] = defaultdict(list)
    skipped: list[SkippedFile] = []
    seen: dict[str, str] = {}
    for path in paths:
        entry = _read_entry(str(path))
        if isinstance(entry, SkippedFile):
            skipped.append(entry)
        elif entry.instance in seen:
            reason = f'a copy of {seen[entry.instance]}'
            skipped.append(SkippedFile(entry.path, reason))
        else:
            if entry.instance:
                seen[entry.instance] = entry.path
            alone = entry.path if entry.frames > 1 else ''
            key = (entry.uid, entry.rows, entry.columns, alone)
            groups[key].append(entry)
    by_uid: dict[str, list[tuple[str, list[_Entry]]]] = defaultdict(list)
    for (uid, *_), entries in groups.items():
        stacks = list(_split_directions(entries))
        for index, stack in enumerate(stacks):
            name = f'orientation {index + 1}' if len(stacks) > 1 else ''
            by_uid[uid] += [
                (' '.join(filter(None, (name, part))), images)
                for part, images in _split_repeats(stack)
            ]
    series = []
    for stacks_of_uid in by_uid.values():
        for index, (part, images) in enumerate(stacks_of_uid):
            if len(stacks_of_uid) > 1 and not part:
                part = f'stack {index + 1}'
            series.append(_make_series(images, part, tuple(skipped)))
    series.sort(key=lambda s: (s.number is None, s.number or 0, s.uid, s.part))
    return series, tuple(skipped)


def _read_entry(path: str) -> _Entry | SkippedFile:
    pydicom = import_pydicom()
    try:
        header = read_header(path, only=_TAGS)
        reason = _find_reason(header)
        return SkippedFile(path, reason) if reason else _make_entry(path, header)
    except pydicom.errors.InvalidDicomError:
        return SkippedFile(path, 'not a DICOM file')
    except Exception as error:
        # The parser lets through whatever a damaged file provokes.
        return SkippedFile(path, f'a damaged DICOM file ({error!r:.200})')


def _find_reason(header: Any) -> str:
    meta = getattr(header, 'file_meta', None)
    if getattr(meta, 'MediaStorageSOPClassUID', '') == _DICOMDIR:
        return 'a DICOMDIR, the index of other files'
    modality = str(header.get('Modality', ''))
    if modality in _NO_IMAGES:
        return f'{_NO_IMAGES[modality]} ({modality})'
    if not header.get('Rows') or not header.get('Columns'):
        return 'without pixels'
    photometric = str(header.get('PhotometricInterpretation', ''))
    if int(header.get('SamplesPerPixel') or 1) != 1 or 'COLOR' in photometric:
        return 'a colour picture'
    return ''


def _make_entry(path: str, header: Any) -> _Entry:
    number = header.get('SeriesNumber')
    return _Entry(
        path=path,
        uid=str(header.get('SeriesInstanceUID') or Path(path).parent),
        instance=str(header.get('SOPInstanceUID', '')),
        modality=str(header.get('Modality', '')),
        description=str(header.get('SeriesDescription', '')),
        number=int(number) if number is not None else None,
        patient_id=str(header.get('PatientID', '')),
        rows=int(header.Rows),
        columns=int(header.Columns),
        frames=int(header.get('NumberOfFrames') or 1),
        orientation=_as_floats(header.get('ImageOrientationPatient'), 6),
        position=_as_floats(header.get('ImagePositionPatient'), 3),
        traits=tuple(str(header.get(name, '')) for name in _SPLITTERS),
    )


def _as_floats(values: Any, count: int) -> tuple[float, ...] | None:
    if values is None or len(values) != count:
        return None
    return tuple(float(value) for value in values)


def _split_directions(entries: list[_Entry]) -> Iterator[list[_Entry]]:
    stacks: list[list[_Entry]] = []
    for entry in entries:
        for stack in stacks:
            if _is_parallel(stack[0].orientation, entry.orientation):
                stack.append(entry)
                break
        else:
            stacks.append([entry])
    yield from stacks


def _is_parallel(
    first: tuple[float, ...] | None, second: tuple[float, ...] | None
) -> bool:
    if first is None or second is None:
        return first is second
    return bool(np.abs(np.subtract(first, second)).max() <= _SAME_DIRECTION)


def _split_repeats(entries: list[_Entry]) -> Iterator[tuple[str, list[_Entry]]]:
    """One stack, or several if one header entry separates images at one place."""
    if not _has_repeats(entries):
        yield '', entries
        return
    for index, name in enumerate(_SPLITTERS):
        parts: dict[str, list[_Entry]] = defaultdict(list)
        for entry in entries:
            parts[entry.traits[index]].append(entry)
        if len(parts) > 1 and not any(_has_repeats(part) for part in parts.values()):
            for value in sorted(parts):
                yield f'{name}={value}', parts[value]
            return
    yield '', entries  # reading it will say so


def _has_repeats(entries: list[_Entry]) -> bool:
    places = [entry.position for entry in entries if entry.position is not None]
    rounded = {tuple(np.rint(np.divide(p, _SAME_PLACE_MM)).tolist()) for p in places}
    return len(rounded) < len(places)


def _make_series(
    entries: list[_Entry], part: str, skipped: tuple[SkippedFile, ...]
) -> DicomSeries:
    first = entries[0]
    count = first.frames if first.frames > 1 else len(entries)
    return DicomSeries(
        uid=first.uid,
        paths=tuple(entry.path for entry in entries),
        modality=first.modality,
        description=first.description,
        number=first.number,
        patient_id=first.patient_id,
        shape=(count, first.rows, first.columns),
        part=part,
        skipped=skipped,
    )


def drop_skipped(series: DicomSeries) -> DicomSeries:
    """The series without the list of other files, to keep with a volume."""
    return replace(series, skipped=())
