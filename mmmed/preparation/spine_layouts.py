"""Which files of a raw folder are images of the spine, and which their masks.

Told by names and places alone: Spine Generic (BIDS), the Spinal Cord Toolbox's folders,
trees of DICOM files. Not here: reading voxels (``spine_conversion``), trees of pictures
(``spine_slices``).
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mmmed.io.dicom_files import group_files
from mmmed.preparation.case_names import make_digest, make_slug
from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.parts import Task
from mmmed.preparation.spine_names import (
    SUFFIXES,
    find_location,
    find_sequence,
    find_subject,
    split_mask_name,
    split_suffix,
)
from mmmed.preparation.spine_pointers import explain_pointer
from mmmed.preparation.spine_targets import TargetTable

UNNAMED = 'unnamed'
"""Patient of all images that nothing tells apart."""
PATIENT_OF = ('subject', 'folder')
_PICTURES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')
_DICOM = ('.dcm', '.dicom', '.ima')
_SHOWN = 5


@dataclass(frozen=True)
class RawImage:
    """Files of one image.

    Args:
        case_id: Unique name.
        patient_id: Person.
        path: Image, or folder of a DICOM series, relative to the raw folder.
        layout: ``'bids'``, ``'sct'`` or ``'dicom'``.
        files: The image's: one, or those of a series.
        masks: File of each role, ``'cord'`` and ``'lesion'``.
        targets: Class name of each target that is known.
        told_by: Who says so: ``'table'`` or ``'name'``.
    """

    case_id: str
    patient_id: str
    path: PurePosixPath
    layout: str
    files: Sequence[Path]
    masks: Mapping[str, Path] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    told_by: Mapping[str, str] = field(default_factory=dict)

    def to_task(self) -> Task:
        """Task of a preparation."""
        sources = {f'image{k:05d}': path for k, path in enumerate(self.files)}
        return Task(self.case_id, self.patient_id, 0, {**sources, **self.masks})


class _Tree:
    """Files below a folder, sorted into kinds by their names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: list[Path] = []
        self.masks: dict[tuple[Path, str], list[Path]] = defaultdict(list)
        self.others: list[Path] = []
        self.unprocessed: list[Path] = []
        self.pictures: list[Path] = []
        self.dicom: list[Path] = []
        for path in _walk(root):
            self._sort(path)

    def _sort(self, path: Path) -> None:
        name = split_suffix(path.name)
        if name is None:
            if path.suffix.lower() in _PICTURES:
                self.pictures.append(path)
            elif path.suffix.lower() in _DICOM or _is_dicom(path):
                self.dicom.append(path)
            return
        parts = path.relative_to(self.root).parts[:-1]
        mask = split_mask_name(name[0])
        if 'sourcedata' in parts:
            self.unprocessed.append(path)
        elif 'derivatives' in parts:
            at = parts.index('derivatives')
            if mask and mask[1] != 'other' and parts[at + 1 : at + 2] == ('labels',):
                place = self.root.joinpath(*parts[:at], *parts[at + 2 :], mask[0])
                self.masks[place, mask[1]].append(path)
            else:
                self.others.append(path)
        elif mask is None:
            self.images.append(path)
        elif mask[1] == 'other':
            self.others.append(path)
        else:
            self.masks[path.parent / mask[0], mask[1]].append(path)


def find_images(
    root: Path, table: TargetTable, *, patient_of: str = 'subject'
) -> tuple[list[RawImage], list[Finding]]:
    """All images below a folder with their masks, in the order of their names.

    Args:
        root: The download, or any folder of it.
        table: What is known of the images beside their names.
        patient_of: Who an image belongs to if the table leaves it open: ``'subject'``
            the BIDS subject or DICOM's PatientID, and all images without one are one
            person; ``'folder'`` the first folder below the root.

    Returns:
        Images, and findings: what cannot be used, and files that were not read.

    Raises:
        InputError: There is none, or a line of the table speaks of no image.
    """
    tree = _Tree(root)
    findings: list[Finding] = []
    images = [*_pair(tree, findings), *_find_series(tree, findings)]
    if not images and not findings:
        raise InputError(_explain_nothing(tree))
    # A line may speak of an image that is not fetched yet.
    named = [PurePosixPath(_relate(root, path)) for path in tree.images]
    table.check_used([*named, *(image.path for image in images)])
    images = [_describe(image, table, patient_of) for image in images]
    images = _name_cases(images)
    findings += _report_patients(images, patient_of)
    findings += _report_strays(tree)
    return sorted(images, key=lambda image: image.case_id), findings


def _walk(root: Path) -> Iterator[Path]:
    for folder, children, names in os.walk(root):
        children[:] = sorted(c for c in children if not c.startswith('.'))
        yield from (Path(folder) / n for n in sorted(names) if not n.startswith('.'))


def _is_dicom(path: Path) -> bool:
    """Whether a file without a suffix of its own begins as DICOM files do."""
    if path.suffix and not path.suffix[1:].isdigit():  # names may be UIDs
        return False
    try:
        with path.open('rb') as stream:
            return stream.read(132)[128:] == b'DICM'
    except OSError:
        return False


def _pair(tree: _Tree, findings: list[Finding]) -> Iterator[RawImage]:
    """NIfTI images with their masks; pointers and masks without image are findings."""
    masks = dict(tree.masks)
    for path in tree.images:
        stem = path.with_name(path.name[: -len((split_suffix(path.name) or '??')[1])])
        found = {
            role: masks.pop((stem, role))
            for role in ('cord', 'lesion')
            if (stem, role) in masks
        }
        chosen = {role: _choose(files) for role, files in found.items()}
        for role, files in found.items():
            if len(files) > 1:
                findings.append(_report_choice(tree.root, chosen[role], files))
        broken = [
            Finding(_relate(tree.root, file), *reason)
            for file in (path, *chosen.values())
            if (reason := explain_pointer(file))
        ]
        if broken:
            findings += broken
            continue
        relative = PurePosixPath(_relate(tree.root, path))
        layout = 'bids' if find_subject(PurePosixPath(path.name)) else 'sct'
        yield RawImage('', '', relative, layout, (path,), chosen)
    for (_, role), files in masks.items():
        findings.append(
            Finding(
                _relate(tree.root, files[0]),
                f'a {role} mask without its image',
                f'fetch the image that it is named after ({" or ".join(SUFFIXES)})',
            )
        )


def _choose(files: Sequence[Path]) -> Path:
    """Of several masks the one made by hand, else the first."""
    return min(files, key=lambda f: ('manual' not in f.name, f.as_posix()))


def _report_choice(root: Path, chosen: Path, files: Sequence[Path]) -> Finding:
    others = [file.name for file in files if file != chosen]
    return Finding(
        _relate(root, chosen),
        f'taken as the mask, and not {", ".join(others)}',
        'remove what is not to be used',
        skipped=False,
    )


def _find_series(tree: _Tree, findings: list[Finding]) -> Iterator[RawImage]:
    if not tree.dicom:
        return
    try:
        series, skipped = group_files(tree.dicom)
    except ImportError as error:
        raise InputError(str(error)) from error
    for file in skipped:
        findings.append(
            Finding(
                _relate(tree.root, Path(file.path)),
                f'no image: {file.reason}',
                'nothing to do, it was not read',
                skipped=False,
            )
        )
    for one in series:
        files = sorted(Path(path) for path in one.paths)
        folder = PurePosixPath(_relate(tree.root, files[0].parent))
        digest = make_digest(f'{one.uid} {one.part}')
        sequence = find_sequence(PurePosixPath(one.description.replace('/', ' ')))
        yield RawImage(
            f'{make_slug(folder.as_posix())}-{digest}',
            # A PatientID may name somebody, so that it is not written down.
            f'dicom-{make_digest(one.patient_id)}' if one.patient_id else '',
            folder,
            'dicom',
            files,
            targets={'sequence': sequence} if sequence else {},
        )


def _describe(image: RawImage, table: TargetTable, patient_of: str) -> RawImage:
    """The image with its patient, and what table and name say of it."""
    named = {
        'location': find_location(image.path),
        'sequence': find_sequence(image.path),
    }
    targets = {k: v for k, v in named.items() if v} | dict(image.targets)
    told_by = dict.fromkeys(targets, 'name')
    patient = image.patient_id or find_subject(image.path)
    folder = image.path if image.layout == 'dicom' else image.path.parent
    if patient_of == 'folder' and folder.parts:
        patient = folder.parts[0]
    rows = table.find(image.path)
    for row in reversed(rows):
        targets |= row.targets
        told_by |= dict.fromkeys(row.targets, 'table')
        patient = row.patient or patient
    return replace(
        image, patient_id=patient or UNNAMED, targets=targets, told_by=told_by
    )


def _name_cases(images: Sequence[RawImage]) -> list[RawImage]:
    """The images with names: that of a BIDS file, else the path, made unique."""
    names: dict[str, RawImage] = {}
    for image in images:
        stem, _ = split_suffix(image.path.name) or (image.path.name, '')
        path = make_slug((image.path.parent / stem).as_posix())
        wishes = [make_slug(stem)] if image.layout == 'bids' else []
        digest = make_digest(f'{image.path} {image.case_id}')
        wishes += [image.case_id or path, path, f'{path}-{digest}']
        name = next(w for w in wishes if w.casefold() not in names)
        names[name.casefold()] = replace(image, case_id=name)
    return list(names.values())


def _report_patients(images: Sequence[RawImage], patient_of: str) -> list[Finding]:
    alike = [image for image in images if image.patient_id == UNNAMED]
    if not alike:
        return []
    return [
        Finding(
            alike[0].path.as_posix(),
            f'{len(alike)} image(s) without a subject are taken as those of one '
            f'person, {UNNAMED!r}, so that no split divides them',
            'name them in the column patient of --targets, or say '
            '--patient-of folder if the first folder is the patient',
            skipped=False,
        )
    ]


def _report_strays(tree: _Tree) -> list[Finding]:
    kinds = (
        (tree.others, 'label(s) of other structures or by other means'),
        (tree.unprocessed, 'unprocessed image(s) of sourcedata'),
        (tree.pictures, 'picture(s) beside the volumes'),
    )
    return [
        Finding(
            _relate(tree.root, files[0]),
            f'{len(files)} {what} not read, this is the first',
            'nothing to do',
            skipped=False,
        )
        for files, what in kinds
        if files
    ]


def _explain_nothing(tree: _Tree) -> str:
    if tree.pictures:
        return (
            f'{tree.root}: {len(tree.pictures)} pictures and no volume; pictures with '
            'label pictures are prepared by the subject spine-slices'
        )
    if tree.unprocessed:
        return f'{tree.root}: images in sourcedata only; name the folder above them'
    first = tree.others[:1]
    seen = f'only labels such as {_relate(tree.root, first[0])}' if first else 'none'
    return (
        f'{tree.root}: no image ({seen}); expected sub-*/anat/*.nii.gz, '
        't2/t2.nii.gz or a tree of DICOM files'
    )


def _relate(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
