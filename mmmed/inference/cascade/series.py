"""Series: which image series a path holds, and a safe, unique folder name for each.

A series is known by its DICOM UID or by its whole path below the input, never by the
name of its last folder: two patients may call theirs alike. Not here: naming rules
(``series_names``), stacks of pictures (``pictures``), formats (``mmmed.io``).
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmmed.files import hash_file, hash_json
from mmmed.inference.cascade.pictures import (
    PICTURE_SUFFIXES,
    read_pictures,
    sort_naturally,
)
from mmmed.inference.cascade.series_names import SeriesPlace, name_series
from mmmed.inference.discovery import DICOM, has_dicom_mark, walk_files
from mmmed.io import DicomSeries, find_suffix, read_series, read_volume
from mmmed.io.dicom_files import group_files
from mmmed.structures import Volume

PICTURES = 'pictures'
# Modalities of DICOM headers that the cascade takes: MR, or not said.
_MODALITIES = ('MR', 'OT', '')
_DICOM_SUFFIXES = ('.dcm', '.dicom', '.ima')
# What ``mmmed.io.dicom_files`` says of a file whose header breaks off.
_DAMAGED = 'a damaged DICOM file'


class UnfitError(ValueError):
    """A series that can be read and is not what the cascade analyzes."""


@dataclass(frozen=True)
class Series:
    """One image series.

    Args:
        key: What tells it from all others: UID, or path below the input.
        patient: Safe name of the patient's folder of results.
        name: Safe name of its own folder within that; unique there.
        kind: Suffix of its file, ``'dicom'`` or ``'pictures'``.
        place: Its file or folder, below the input, with forward slashes.
        files: What it is made of; pictures in the order of their slices.
        dicom: The series of files, if it is DICOM.
    """

    key: str
    patient: str
    name: str
    kind: str
    place: str
    files: tuple[Path, ...]
    dicom: DicomSeries | None = None

    @property
    def folder(self) -> Path:
        """Of its results, below the results of the run."""
        return Path(self.patient) / self.name

    def hash_content(self) -> str:
        """SHA-256 over the contents of its files.

        Names count where they decide: those of pictures order the slices and name the
        masks. Any other files may be called anything.
        """
        if self.kind == PICTURES:
            return hash_json([[path.name, hash_file(path)] for path in self.files])
        return hash_json(sorted(hash_file(path) for path in self.files))

    def read(self) -> Volume:
        """The image, (Z, Y, X), as its files hold it.

        Raises:
            UnfitError: It is DICOM of another modality than MR, has several channels
                or time points, or less than three values, as a mask has.
            ValueError: It is damaged, holds NaN, or its slices are no regular grid
                because one is missing; the message says which.
            OSError: A file cannot be read.
            ImportError: DICOM, and its packages are not installed.
        """
        if self.dicom is not None and self.dicom.modality not in _MODALITIES:
            raise UnfitError(f'{self.place}: {self.dicom.modality} images, expected MR')
        if self.dicom is not None:
            volume = _read_dicom(self.dicom)
        elif self.kind == PICTURES:
            volume = read_pictures(self.files)
        else:
            volume = read_volume(self.files[0])
        if volume.array.ndim != 3:
            raise UnfitError(
                f'{self.place}: a 4-D image of {volume.array.shape[0]} volumes, '
                'expected one 3-D volume; choose one time point, echo or direction'
            )
        low, high = volume.array.min(), volume.array.max()
        if low == high:
            raise UnfitError(f'{self.place}: every voxel has the same value')
        if ((volume.array == low) | (volume.array == high)).all():
            raise UnfitError(
                f'{self.place}: its voxels have two values, {low} and {high}: a mask, '
                'expected an image'
            )
        return volume


@dataclass(frozen=True)
class LeftOut:
    """Something below the input that is no series.

    Args:
        place: Below the input, with forward slashes.
        reason: Why.
        is_damaged: Whether it may have been part of a series.
    """

    place: str
    reason: str
    is_damaged: bool = False


@dataclass(frozen=True)
class FoundSeries:
    """What an input holds.

    Args:
        series: By patient and name: the same for every part of a divided run.
        left_out: Everything else.
    """

    series: tuple[Series, ...]
    left_out: tuple[LeftOut, ...]

    def select_part(self, num_parts: int, part_id: int) -> tuple[Series, ...]:
        """Every ``num_parts``-th patient's series; no patient is divided.

        Raises:
            ValueError: Not 0 <= part_id < num_parts.
        """
        if not 0 <= part_id < num_parts:
            raise ValueError(
                f'part {part_id} of {num_parts}, expected 0 <= --part-id < --num-parts'
            )
        patients = sorted({one.patient for one in self.series})[part_id::num_parts]
        return tuple(one for one in self.series if one.patient in set(patients))


def find_series(source: str | Path, *, leave_out: Path | None = None) -> FoundSeries:
    """Every series in a file or folder tree.

    DICOM files are one series for each SeriesInstanceUID (and for each size,
    direction, echo and time point of it), wherever they lie. Every NIfTI, NRRD or
    MetaImage file is one. The pictures (PNG, JPEG, TIFF) of a folder are the slices of
    one, in the natural order of their names.

    Args:
        source: A file or a folder; hidden files are skipped, links to folders are not
            followed.
        leave_out: Folder within it that is not searched, such as that of the results.

    Raises:
        FileNotFoundError: Nothing lies at ``source``.
        ValueError: There is no series in it; the message says what there is.
        ImportError: There are DICOM files, and pydicom is not installed.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f'input {source} does not exist')
    root = source if source.is_dir() else source.parent
    files = [source] if source.is_file() else _list_files(source, leave_out)
    by_kind = _sort_by_kind(files)
    places = [
        SeriesPlace(path.relative_to(root), _find_kind(path), (path,))
        for path in by_kind['volume']
    ]
    for folder, paths in _group_by_folder(by_kind['picture']):
        path = source if source.is_file() else folder
        places.append(SeriesPlace(path.relative_to(root), PICTURES, tuple(paths)))
    dicom, skipped = group_files(by_kind['dicom']) if by_kind['dicom'] else ([], ())
    places += [_place_dicom(one, root) for one in dicom]
    left_out = [
        _leave(
            Path(one.path),
            root,
            one.reason.replace(f'{root}{os.sep}', ''),
            one.reason.startswith(_DAMAGED),
        )
        for one in skipped
    ]
    left_out += [_leave(p, root, 'no image of a known format') for p in by_kind['']]
    left_out += [
        _leave(p, root, 'an empty folder') for p in _find_empty(source, leave_out)
    ]
    if not places:
        raise ValueError(
            f'no image series in {source}: expected DICOM files, NIfTI files, or '
            f'folders of PNG, JPEG or TIFF slices{_describe(left_out)}'
        )
    series = [
        Series(
            key=place.key,
            patient=patient,
            name=name,
            kind=place.kind,
            place=_to_text(place.path, root),
            files=place.files,
            dicom=place.dicom,
        )
        for place, patient, name in name_series(places, root.resolve().name)
    ]
    series.sort(key=lambda one: (one.patient, one.name))
    left_out.sort(key=lambda one: one.place)
    return FoundSeries(tuple(series), tuple(left_out))


def _read_dicom(series: DicomSeries) -> Volume:
    try:
        return read_series(dataclasses.replace(series, skipped=()))
    except ValueError as error:
        # The way out that the message offers is one of the library, and would give
        # masks that are not on the grid of the series.
        reason = str(error).partition(' Pass irregular=')[0]
        raise ValueError(f'{reason} Export the series again.') from error


def _list_files(folder: Path, leave_out: Path | None) -> list[Path]:
    return sorted(walk_files(folder, leave_out), key=os.fsencode)


def _sort_by_kind(files: Iterable[Path]) -> dict[str, list[Path]]:
    kinds: dict[str, list[Path]] = {'volume': [], 'picture': [], 'dicom': [], '': []}
    for path in files:
        suffix = _find_kind(path)
        if suffix in PICTURE_SUFFIXES:
            kinds['picture'].append(path)
        elif suffix not in ('', '.dcm'):
            kinds['volume'].append(path)
        elif path.suffix.lower() in _DICOM_SUFFIXES or has_dicom_mark(path):
            kinds['dicom'].append(path)
        else:
            kinds[''].append(path)
    return kinds


def _find_kind(path: Path) -> str:
    try:
        return find_suffix(path.name)
    except ValueError:
        return ''


def _group_by_folder(files: Iterable[Path]) -> list[tuple[Path, list[Path]]]:
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folders[path.parent].append(path)
    return [(folder, sort_naturally(paths)) for folder, paths in folders.items()]


def _place_dicom(series: DicomSeries, root: Path) -> SeriesPlace:
    paths = tuple(Path(path) for path in series.paths)
    folder = Path(os.path.commonpath([str(path.parent) for path in paths]))
    return SeriesPlace(folder.relative_to(root), DICOM, files=paths, dicom=series)


def _find_empty(source: Path, leave_out: Path | None) -> list[Path]:
    if not source.is_dir():
        return []
    excluded = leave_out.resolve() if leave_out else None
    return [
        Path(name)
        for name, folders, files in os.walk(source)
        if not (folders or files) and Path(name).resolve() != excluded
    ]


def _leave(path: Path, root: Path, reason: str, is_damaged: bool = False) -> LeftOut:
    return LeftOut(_to_text(path.relative_to(root), root), reason, is_damaged)


def _to_text(relative: Path, root: Path) -> str:
    text = relative.as_posix()
    return root.resolve().name if text == '.' else text


def _describe(left_out: Sequence[LeftOut], shown: int = 3) -> str:
    """In words what there is instead."""
    texts = [f'{one.place} is {one.reason}' for one in left_out[:shown]]
    more = f' and {len(left_out) - shown} more' if len(left_out) > shown else ''
    return f' ({"; ".join(texts)}{more})' if texts else ''
