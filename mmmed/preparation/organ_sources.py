"""Public abdominal CT collections: folders, file names, and what their labels mean.

Not here: opening an image (``labelled_volumes``), the preparer (``liver``).
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmmed.io import VOLUME_SUFFIXES, find_suffix
from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.labelled_case import LabelledCase

ORGANS = ('liver', 'pancreas', 'kidney')
_MAX_DEPTH = 4


@dataclass(frozen=True)
class OrganSource:
    """One collection.

    Args:
        name: Short, for case ids.
        title: As people call it.
        folder: Pattern of its folder's name.
        images: Where images are, below that; the first that is there counts.
        labels: Where label maps are, likewise.
        image: Pattern of an image's name without suffix; group 1 is the number.
        label: Pattern of a label map's name.
        organs: Class (1 organ, 2 tumor) of each label by organ.
        ignored: Labels of other organs.
        has_tumors: Whether tumors are labelled; else scans count as healthy.
        patients: Name before the number in a patient id; that of another source where
            both publish the same scans.
        is_unmistakable: Whether an image's name alone tells the collection.
    """

    name: str
    title: str
    folder: str
    images: tuple[str, ...]
    labels: tuple[str, ...]
    image: str
    label: str
    organs: Mapping[str, Mapping[int, int]]
    ignored: frozenset[int] = frozenset()
    has_tumors: bool = False
    patients: str = field(default='')
    is_unmistakable: bool = False

    def name_patient(self, number: str) -> str:
        """Patient of a scan, e.g. ``'lits-32'`` for LiTS and MSD Task03 alike."""
        return f'{self.patients or self.name}-{int(number)}'


_TUMOR = {1: 1, 2: 2}
SOURCES = (
    OrganSource(
        'btcv',
        'BTCV multi-atlas labeling',
        r'(\d+[_-])?(multi-atlas[_-]labell?ing|btcv)',
        ('img', 'imagesTr'),
        ('label', 'labelsTr'),
        r'img(\d+)',
        r'label(\d+)',
        {'liver': {6: 1}, 'pancreas': {11: 1}, 'kidney': {2: 1, 3: 1}},
        ignored=frozenset(range(1, 16)),
    ),
    OrganSource(
        'pancreas-ct',
        'TCIA Pancreas-CT with multi-organ labels',
        r'(\d+[_-])?(tcia[_-])?pancreas-ct',
        ('img',),
        ('multiorgan_label',),
        r'PANCREAS_(\d+)',
        r'label(\d+)',
        # Of the kidneys only the left one is labelled.
        {'liver': {6: 1}, 'pancreas': {11: 1}},
        ignored=frozenset(range(1, 16)),
        is_unmistakable=True,
    ),
    OrganSource(
        'chaos',
        'CHAOS, CT training set',
        r'(\d+[_-])?chaos',
        ('ct/img', 'img'),
        ('ct/liver_label', 'liver_label'),
        r'(\d+)_image',
        r'(\d+)_segmentation',
        {'liver': {1: 1}},
    ),
    OrganSource(
        'lits',
        'LiTS',
        r'(\d+[_-])?lits(17)?',
        ('img',),
        ('label',),
        r'(?:liver_|volume-)(\d+)',
        r'(?:liver_|segmentation-)(\d+)',
        {'liver': _TUMOR},
        has_tumors=True,
        is_unmistakable=True,
    ),
    OrganSource(
        'msd-liver',
        'Medical Segmentation Decathlon, Task03_Liver',
        r'task03_liver',
        ('imagesTr',),
        ('labelsTr',),
        r'liver_(\d+)',
        r'liver_(\d+)',
        {'liver': _TUMOR},
        has_tumors=True,
        # The same 131 scans under the same numbers.
        patients='lits',
        is_unmistakable=True,
    ),
    OrganSource(
        'kits',
        'KiTS',
        r'(\d+[_-])?kits(19|21|23)?',
        ('img', 'imagesTr'),
        ('label', 'labelsTr'),
        r'(?:img|case_)(\d+)',
        r'(?:label|case_)(\d+)',
        {'kidney': {1: 1, 2: 2, 3: 1}},  # a cyst is no tumor
        has_tumors=True,
    ),
    OrganSource(
        'msd-pancreas',
        'Medical Segmentation Decathlon, Task07_Pancreas',
        r'task07_pancreas',
        ('imagesTr',),
        ('labelsTr',),
        r'pancreas_(\d+)',
        r'pancreas_(\d+)',
        {'pancreas': _TUMOR},
        has_tumors=True,
        is_unmistakable=True,
    ),
)
# KiTS as it is published: a folder a case.
_CASE_FOLDER = re.compile(r'case_(\d+)')
_CASE_FILES = ('imaging', 'segmentation')


def find_organ_cases(
    root: Path, organ: str
) -> tuple[list[LabelledCase], list[Finding]]:
    """All scans of an organ in a folder of collections.

    Args:
        root: Holds the collections' folders, up to four levels down, or is one.
        organ: One of ``ORGANS``.

    Returns:
        Cases in the order of ``SOURCES`` and of their numbers, and what was passed
        over.

    Raises:
        InputError: None of the collections is there.
    """
    cases: list[LabelledCase] = []
    findings: list[Finding] = []
    usable = [source for source in SOURCES if organ in source.organs]
    folders = list(_walk(root, 0))
    for source in usable:
        pattern = re.compile(source.folder, re.IGNORECASE)
        for folder in folders:
            if pattern.fullmatch(folder.name):
                found, problems = _pair(root, folder, source, organ)
                cases += found
                findings += problems
    kept: dict[str, LabelledCase] = {}
    for case in cases:
        first = kept.setdefault(case.case_id, case)
        if first is not case:
            other = first.image.relative_to(root).as_posix()
            findings.append(
                Finding(
                    case.image.relative_to(root).as_posix(),
                    f'{case.case_id} is there twice, also as {other}',
                    'keep one of them',
                )
            )
    if not kept:
        titles = ', '.join(source.title for source in usable)
        first_problem = f'; first problem: {findings[0]}' if findings else ''
        raise InputError(
            f'{root}: no scans of the {organ}; expected folders such as 04_LiTS or '
            f'Task03_Liver, of one of: {titles}{first_problem}'
        )
    return list(kept.values()), findings


def identify_patient(path: str) -> str:
    """Patient of an image file in a list of scans, by folder and file names alone.

    Scans that two collections publish give the same patient. A path of none of the
    collections is its own patient.

    Args:
        path: As in a list, e.g. ``'CT/04_LiTS/img/liver_32.nii.gz'``.
    """
    *folders, name = path.split('/')
    stem = _cut_suffix(name)
    for source in SOURCES:
        match = re.fullmatch(source.image, stem)
        if match and (
            source.is_unmistakable
            or any(re.fullmatch(source.folder, f, re.IGNORECASE) for f in folders)
        ):
            return source.name_patient(match[1])
    return path.casefold()


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth < _MAX_DEPTH:
        with os.scandir(folder) as entries:
            children = sorted(e.name for e in entries if e.is_dir())
        for child in children:
            if not child.startswith('.') and not _CASE_FOLDER.fullmatch(child):
                yield from _walk(folder / child, depth + 1)


def _pair(
    root: Path, folder: Path, source: OrganSource, organ: str
) -> tuple[list[LabelledCase], list[Finding]]:
    """Images and label maps of one collection, by number."""
    images = _list_numbers(folder, source.images, source.image)
    labels = _list_numbers(folder, source.labels, source.label)
    if not images:
        images, labels = (_list_case_folders(folder, name) for name in _CASE_FILES)
    findings = []
    cases = []
    for number, path in images.items():
        label = labels.get(number)
        if label is None:
            findings.append(
                Finding(
                    path.relative_to(root).as_posix(),
                    f'no label map of number {number} in {" or ".join(source.labels)}',
                    'fetch it, or take the image away',
                )
            )
            continue
        text = _cut_suffix(path.name)
        match = re.fullmatch(source.image, text) or _CASE_FOLDER.fullmatch(
            path.parent.name
        )
        assert match is not None
        cases.append(
            LabelledCase(
                f'{source.name}-{match[1]}',
                source.name_patient(match[1]),
                source.name,
                path,
                label,
                source.organs[organ],
                source.ignored,
                {'tumor_labelled': source.has_tumors},
            )
        )
    findings += [
        Finding(
            path.relative_to(root).as_posix(),
            f'a label map without an image {number}',
            'fetch the image',
        )
        for number, path in labels.items()
        if number not in images
    ]
    return cases, findings


def _list_numbers(folder: Path, places: Sequence[str], pattern: str) -> dict[int, Path]:
    """Files of the first of several subfolders that is there, by number."""
    place = next((folder / p for p in places if (folder / p).is_dir()), None)
    numbered = []
    for path in sorted(place.iterdir()) if place else ():
        match = re.fullmatch(pattern, _cut_suffix(path.name))
        if match and path.name.lower().endswith(VOLUME_SUFFIXES):
            numbered.append((int(match[1]), path))
    # The first of two with the same number stays: reversed, it is written last.
    return dict(sorted(dict(reversed(numbered)).items()))


def _list_case_folders(folder: Path, stem: str) -> dict[int, Path]:
    numbered = {}
    for child in sorted(folder.iterdir()):
        match = _CASE_FOLDER.fullmatch(child.name)
        if match and child.is_dir():
            for suffix in ('.nii.gz', '.nii'):
                if (child / f'{stem}{suffix}').is_file():
                    numbered[int(match[1])] = child / f'{stem}{suffix}'
                    break
    return numbered


def _cut_suffix(name: str) -> str:
    try:
        return name[: -len(find_suffix(name))]
    except ValueError:
        return name
