"""Which scans a path holds, and a safe, unique name for each.

Not here: formats (``mmmed.io``).
"""

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmmed.files import hash_file, hash_json
from mmmed.io import (
    VOLUME_SUFFIXES,
    DicomSeries,
    find_suffix,
    read_series,
    read_volume,
)
from mmmed.io.dicom_files import scan_folder
from mmmed.structures import Volume

DICOM = 'dicom'
# Characters that some file system, shell or spreadsheet takes for something else.
_UNSAFE = set('/\\:*?"<>|%\'`$&;!#')
# Bytes: room for a suffix and for the temporary name of an atomic write in the 255
# that file systems allow.
_LONGEST_ID = 160
_SHOWN = 3


@dataclass(frozen=True)
class ScanCase:
    """One scan.

    Args:
        case_id: Name for its outputs; unique within what was found.
        path: Its file, or the folder of its DICOM series.
        kind: Suffix of the file, or ``'dicom'`` for a series.
        series: The series, if it is one.
    """

    case_id: str
    path: Path
    kind: str
    series: DicomSeries | None = None

    @property
    def files(self) -> list[Path]:
        """What it is made of."""
        if self.series is None:
            return [self.path]
        return [Path(path) for path in self.series.paths]

    def hash_content(self) -> str:
        """SHA-256 over the contents of its files, whatever they are called."""
        return hash_json(sorted(hash_file(path) for path in self.files))

    def read(self, *, irregular: str = 'refuse') -> Volume:
        """The scan; see :func:`mmmed.io.read_volume`."""
        if self.series is not None:
            return read_series(self.series, irregular=irregular)
        return read_volume(self.path, irregular=irregular)


def find_scans(source: str | Path, *, leave_out: Path | None = None) -> list[ScanCase]:
    """Every scan in a file or folder tree.

    Volumes and pictures are found by suffix, DICOM series by what files say. Hidden
    files are skipped, links to folders are not followed.

    Args:
        source: A file or a folder.
        leave_out: Folder within it that is not searched, such as that of the results.

    Returns:
        Sorted by path: the same for every part of a divided run.

    Raises:
        FileNotFoundError: Nothing lies at ``source``.
        ValueError: There is no scan in it.
        ImportError: There are DICOM files, and pydicom is not installed.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f'input {source} does not exist')
    if source.is_file():
        kind = find_suffix(source)
        name = make_safe_name(source.name[: -len(kind)])
        return [ScanCase(name, source, kind)]
    files = sorted(walk_files(source, leave_out), key=os.fsencode)
    kinds = [_find_kind(path.name) for path in files]
    found: list[tuple[Path, str, DicomSeries | None]] = [
        (path, kind, None)
        for path, kind in zip(files, kinds, strict=True)
        if kind not in ('', '.dcm')
    ]
    reasons = ''
    if any(
        kind == '.dcm' or (kind == '' and has_dicom_mark(path))
        for path, kind in zip(files, kinds, strict=True)
    ):
        series, reasons = _find_series(source, leave_out)
        # What else lies in the tree is no news about each of its series.
        series = [dataclasses.replace(one, skipped=()) for one in series]
        found += [(_find_folder(one), DICOM, one) for one in series]
    if not found:
        raise ValueError(
            f'no scan in {source}: expected files that end in '
            f'{", ".join(VOLUME_SUFFIXES)}, or DICOM images{reasons}'
        )
    return _name_cases(found, source)


def select_part(
    cases: Sequence[ScanCase], num_parts: int, part_id: int
) -> list[ScanCase]:
    """Every ``num_parts``-th case from ``part_id`` on; all parts together are all.

    Raises:
        ValueError: Not 0 <= part_id < num_parts.
    """
    if not 0 <= part_id < num_parts:
        raise ValueError(
            f'part {part_id} of {num_parts}, expected 0 <= --part-id < --num-parts'
        )
    return list(cases[part_id::num_parts])


def walk_files(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    """Files below a folder, in no order; hidden ones and links to folders are not.

    Args:
        folder: Where to search.
        leave_out: Folder within it that is not searched.
    """
    excluded = leave_out.resolve() if leave_out else None
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders[:] = [
            f
            for f in folders
            if not f.startswith('.') and (here / f).resolve() != excluded
        ]
        yield from (here / f for f in files if not f.startswith('.'))


def _find_kind(name: str) -> str:
    try:
        return find_suffix(name)
    except ValueError:
        return ''


def has_dicom_mark(path: Path) -> bool:
    """Whether a file says at its byte 128 that it is DICOM."""
    try:
        with open(path, 'rb') as stream:
            return stream.read(132)[128:] == b'DICM'
    except OSError:
        return False


def _find_series(folder: Path, leave_out: Path | None) -> tuple[list[DicomSeries], str]:
    """Series in a tree, and in words what was skipped."""
    series, skipped = scan_folder(folder)
    if leave_out is not None:
        out = leave_out.resolve()
        series = [
            one
            for one in series
            if not any(Path(path).resolve().is_relative_to(out) for path in one.paths)
        ]
    shown = [f'{Path(one.path).name} is {one.reason}' for one in skipped[:_SHOWN]]
    return series, f' ({"; ".join(shown)})' if shown else ''


def _find_folder(series: DicomSeries) -> Path:
    if len(series.paths) == 1:
        return Path(series.paths[0])
    return Path(os.path.commonpath([str(Path(p).parent) for p in series.paths]))


def _name_cases(
    found: Sequence[tuple[Path, str, DicomSeries | None]], root: Path
) -> list[ScanCase]:
    found = sorted(found, key=lambda item: _identify(item, root))
    names = [_name_case(path, kind, root) for path, kind, _ in found]
    # Some file systems do not tell upper from lower case.
    times = Counter(name.casefold() for name in names)
    cases = []
    for name, item in zip(names, found, strict=True):
        if times[name.casefold()] > 1:
            name = f'{name}~{_digest(_identify(item, root))}'
        path, kind, series = item
        cases.append(ScanCase(name, path, kind, series))
    return cases


def _identify(item: tuple[Path, str, DicomSeries | None], root: Path) -> bytes:
    """What tells a scan from all others below the same root."""
    path, _, series = item
    place = os.fsencode(path.relative_to(root))
    if series is None:
        return place
    return b'\0'.join([place, series.uid.encode(), series.part.encode()])


def _name_case(path: Path, kind: str, root: Path) -> str:
    """A scan's place below ``root`` as a name that is safe everywhere.

    Folders are joined by ``_``, the suffix goes, unusual characters become ``%XX``.
    """
    relative = path.relative_to(root)
    parts = list(relative.parts) or [root.resolve().name]
    suffix = kind if kind != DICOM else _find_kind(parts[-1]) if path.is_file() else ''
    parts[-1] = parts[-1][: len(parts[-1]) - len(suffix)]
    return make_safe_name('_'.join(parts), os.fsencode(relative))


def make_safe_name(text: str, place: bytes = b'') -> str:
    """A text as the name of a file or folder that is safe everywhere.

    Args:
        text: Unusual characters of it become ``%XX``.
        place: What tells this text from another that is as long and starts alike;
            the text itself if empty.
    """
    name = _escape(text) or '%00'
    if len(name.encode()) > _LONGEST_ID:
        head = name.encode()[: _LONGEST_ID - 9].decode(errors='ignore')
        name = f'{head}~{_digest(place or os.fsencode(text))}'
    return name


def _escape(text: str) -> str:
    result = ''
    for place, character in enumerate(text):
        # Undecodable bytes, control characters, and what hides a file or looks like
        # an option at the start of its name.
        unusual = not character.isprintable() or character in _UNSAFE
        if unusual or (place == 0 and character in '.-~ '):
            raw = os.fsencode(character)
            result += ''.join(f'%{byte:02X}' for byte in raw)
        else:
            result += character
    return result


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:8]
