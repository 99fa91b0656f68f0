"""Where the releases of the ct-ich data set keep their files, and which are usable.

Two layouts: the JPEG release (Kaggle, PhysioNet 1.0.0 to 1.3.0) and the restricted
NIfTI release (PhysioNet 1.3.1). Nothing here opens an image.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmmed.preparation.findings import Finding, InputError

JPEG_FOLDER = 'Patients_CT'
NIFTI_FOLDERS = ('ct_scans', 'masks')
_IMAGE = re.compile(r'(\d{1,4})\.jpe?g', re.IGNORECASE)
_MASK = re.compile(r'(\d{1,4})_HGE_Seg\.jpe?g', re.IGNORECASE)
_VOLUME = re.compile(r'(\d{1,4})\.nii(\.gz)?', re.IGNORECASE)
_TABLE = re.compile(r'hemorrhage_diagnosis.*\.csv', re.IGNORECASE)
_PATIENT = re.compile(r'(\d{1,4})')
_FETCH = 'fetch it again'


Key = tuple[str, int]  # patient id, slice number
Images = dict[str, dict[Key, Path]]


@dataclass(frozen=True)
class RawFiles:
    """Usable files of one release.

    Args:
        release: ``'jpeg'`` or ``'nifti'``.
        root: Folder relative to which files are named.
        images: By kind (``'brain'``, ``'bone'``, ``'mask'`` or ``'scan'``), then by
            patient id and slice number (0 for a whole scan).
        patients: Every patient that has a folder or a scan.
        csv: The diagnosis table, if there is one.
        findings: What was passed over, and why.
    """

    release: str
    root: Path
    images: Images
    patients: set[str]
    csv: Path | None
    findings: list[Finding]


def find_raw_files(raw: Path) -> RawFiles:
    """Find the release below a folder, at any depth, and sort its files.

    Args:
        raw: Resolved folder that the user named; also the data folder itself.

    Raises:
        InputError: No release, or more than one.
    """
    root = raw
    if raw.name == JPEG_FOLDER:  # the table lies beside it
        root, found = raw.parent, [('jpeg', raw)]
    else:
        found = sorted(_find_releases(raw))
    if not found:
        raise InputError(
            f'{raw}: no folder {JPEG_FOLDER} and no {" + ".join(NIFTI_FOLDERS)} in it '
            'at any depth; name the folder into which the data set was unpacked'
        )
    if len(found) > 1:
        names = ', '.join(str(folder.relative_to(root)) for _, folder in found)
        raise InputError(f'{raw}: holds {len(found)} releases ({names}); name one')
    release, folder = found[0]
    if not is_inside(folder, root):
        raise InputError(
            f'{folder}: a link that leaves the raw folder; name its target instead'
        )
    lister = _Lister(root)
    images, patients = _SCANNERS[release](folder, lister)
    csv = _find_csv(folder, lister)
    return RawFiles(release, root, images, patients, csv, lister.findings)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path still lies in a resolved folder once links are followed."""
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # links that go in circles
        return False


def _find_releases(raw: Path) -> Iterator[tuple[str, Path]]:
    for name, folders, _ in os.walk(raw):
        if JPEG_FOLDER in folders:
            yield 'jpeg', Path(name, JPEG_FOLDER)
        if set(NIFTI_FOLDERS) <= set(folders):
            yield 'nifti', Path(name)
        data = (JPEG_FOLDER, *NIFTI_FOLDERS)
        folders[:] = [f for f in folders if f not in data and not f.startswith('.')]


def _find_csv(folder: Path, lister: '_Lister') -> Path | None:
    """The table nearest to the data, from its own folder up to the root."""
    place = folder
    while True:
        for path in sorted(place.iterdir()):
            is_table = _TABLE.fullmatch(path.name) and lister.check_inside(path)
            if is_table and path.is_file():
                return path
        if place == lister.root:
            return None
        place = place.parent


class _Lister:
    """Lists folders and keeps what is not usable as findings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.findings: list[Finding] = []

    def report(self, path: Path, problem: str, remedy: str, skipped: bool) -> None:
        name = path.relative_to(self.root).as_posix()
        self.findings.append(Finding(name, problem, remedy, skipped))

    def check_inside(self, path: Path) -> bool:
        """Whether a path leads to something in the raw folder; reports if not."""
        if not is_inside(path, self.root):
            problem = 'a link that leaves the raw folder'
            self.report(path, problem, 'replace it by the file itself', True)
            return False
        if not path.exists():
            self.report(path, 'a link to nothing', _FETCH, True)
            return False
        return True

    def list_entries(self, folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
        """Sorted entries that lie in the raw folder and are of the wanted kind."""
        kept = []
        for path in sorted(folder.iterdir(), key=lambda p: (len(p.name), p.name)):
            if not self.check_inside(path):
                continue
            if wanted(path):
                kept.append(path)
            else:
                self.report(path, 'a stray entry, ignored', 'move it away', False)
        return kept

    def collect(self, into: dict[Key, Path], key: Key, path: Path) -> None:
        """Keep one file a key; ``1.jpg`` beside ``01.jpg`` is nobody's choice."""
        first = into.setdefault(key, path)
        if first != path:
            self.report(
                path,
                f'names the same patient and slice as {first.name}',
                'keep one of them',
                True,
            )


def _scan_jpeg(folder: Path, lister: _Lister) -> tuple[Images, set[str]]:
    images: Images = {'brain': {}, 'bone': {}, 'mask': {}}
    patients: dict[Key, Path] = {}
    for path in lister.list_entries(
        folder, lambda p: p.is_dir() and bool(_PATIENT.fullmatch(p.name))
    ):
        lister.collect(patients, (f'{int(path.name):03d}', 0), path)
    for (patient, _), path in patients.items():
        windows = lister.list_entries(
            path, lambda p: p.is_dir() and p.name in ('brain', 'bone')
        )
        for window in windows:
            _scan_window(window, patient, images, lister)
        if not any(key[0] == patient for key in images['brain'] | images['bone']):
            lister.report(path, 'a patient without slices', _FETCH, True)
    return images, {patient for patient, _ in patients}


def _scan_window(
    folder: Path,
    patient: str,
    images: Images,
    lister: _Lister,
) -> None:
    has_masks = folder.name == 'brain'

    def is_wanted(path: Path) -> bool:
        named = _IMAGE.fullmatch(path.name) or (
            has_masks and _MASK.fullmatch(path.name)
        )
        return bool(named) and path.is_file()

    for path in lister.list_entries(folder, is_wanted):
        image, mask = _IMAGE.fullmatch(path.name), _MASK.fullmatch(path.name)
        if image:
            lister.collect(images[folder.name], (patient, int(image[1])), path)
        elif mask:
            lister.collect(images['mask'], (patient, int(mask[1])), path)


def _scan_nifti(folder: Path, lister: _Lister) -> tuple[Images, set[str]]:
    images: Images = {'scan': {}, 'mask': {}}
    for kind, name in zip(images, NIFTI_FOLDERS, strict=True):
        entries = lister.list_entries(
            folder / name, lambda p: p.is_file() and bool(_VOLUME.fullmatch(p.name))
        )
        for path in entries:
            number = int(path.name.split('.')[0])
            lister.collect(images[kind], (f'{number:03d}', 0), path)
    return images, {patient for patient, _ in images['scan']}


_SCANNERS = {'jpeg': _scan_jpeg, 'nifti': _scan_nifti}
