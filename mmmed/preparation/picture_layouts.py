"""Which pictures of a raw folder there are, of which class and person.

By folders or by a table. Not here: reading pictures (``picture_classes``).
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mmmed.preparation.findings import Finding, InputError
from mmmed.structures.manifest_rules import check_relative_path

SUFFIXES = ('.png', '.jpg', '.jpeg')
_PHASES = {
    'train': 'train',
    'training': 'train',
    'val': 'val',
    'valid': 'val',
    'validation': 'val',
    'test': 'test',
    'testing': 'test',
}
_HEADS = {
    'path': ('path', 'filename'),
    'label': ('class', 'label'),
    'patient': ('patient', 'patient_id'),
    'phase': ('phase', 'split'),
}


@dataclass(frozen=True)
class RawPicture:
    """One picture.

    Args:
        path: Relative to the raw folder.
        label: Name of its class.
        phase: ``'train'``, ``'val'``, ``'test'``, or None where nothing says so.
        patient: Person, or None where nothing says so.
    """

    path: PurePosixPath
    label: str
    phase: str | None = None
    patient: str | None = None


def find_pictures(root: Path, *, levels: int | None = None) -> list[RawPicture]:
    """Pictures in folders of their classes, below folders of phases or not.

    The class is the path of the folder, ``'MR/spine/normal'``; where all folders of
    the first level are called train, val, test or the like, they are phases.

    Args:
        root: The download.
        levels: Only so many folders make the class, the first; None for all.

    Raises:
        InputError: There are no pictures, they lie at different depths, or only some
            of the first folders are phases.
    """
    paths = list_pictures(root)
    if not paths:
        raise InputError(f'{root}: no picture ({", ".join(SUFFIXES)}) in it')
    tops = {path.parts[0].lower() for path in paths if len(path.parts) > 1}
    phases = tops & _PHASES.keys()
    if phases and phases != tops:
        raise InputError(
            f'{root}: the folders {", ".join(sorted(phases))} look like phases, '
            f'{", ".join(sorted(tops - phases)[:3])} do not; keep one kind'
        )
    first = 1 if phases else 0
    depths: dict[int, PurePosixPath] = {}
    for path in paths:
        depths.setdefault(len(path.parts) - 1 - first, path)
    if len(depths) > 1 or min(depths) < 1:
        examples = ', '.join(p.as_posix() for _, p in sorted(depths.items())[:2])
        raise InputError(
            f'{root}: pictures at different depths or in no class folder '
            f'({examples}), expected CLASS/*.png or train/CLASS/*.png; or name them in '
            'a --table'
        )
    return [
        RawPicture(
            path,
            '/'.join(path.parts[first:-1][:levels]),
            find_phase(path),
        )
        for path in paths
    ]


def read_picture_table(
    root: Path, file: Path
) -> tuple[list[RawPicture], list[Finding]]:
    """Pictures that a CSV names, and those of them that are not there.

    Columns: path or filename, class or label; patient or patient_id, and phase or
    split, may be absent.

    Raises:
        InputError: It is no such table; the message names line and remedy.
    """
    try:
        with file.open(encoding='utf-8-sig', newline='') as stream:
            reader = csv.DictReader(stream, strict=True)
            heads = _find_heads(file, reader.fieldnames or ())
            pictures = [_read_row(file, reader.line_num, row, heads) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'{file}: cannot be read ({error}); give a CSV in UTF-8'
        ) from error
    repeated = [p for p, n in Counter(p.path for p in pictures).items() if n > 1]
    if repeated:
        raise InputError(f'{file}: {repeated[0]} has several lines; keep one')
    absent = [p for p in pictures if not (root / p.path).is_file()]
    findings = [
        Finding(p.path.as_posix(), 'named by the table, and not there', 'fetch it')
        for p in absent
    ]
    gone = {p.path for p in absent}
    return [p for p in pictures if p.path not in gone], findings


def list_pictures(root: Path) -> list[PurePosixPath]:
    """All pictures below a folder, relative to it, by name; hidden ones are not."""
    paths = []
    for folder, children, names in os.walk(root):
        children[:] = sorted(c for c in children if not c.startswith('.'))
        paths += [
            PurePosixPath((Path(folder) / name).relative_to(root).as_posix())
            for name in sorted(names)
            if name.lower().endswith(SUFFIXES) and not name.startswith('.')
        ]
    return paths


def find_phase(path: PurePosixPath) -> str | None:
    """Phase that the first folder of a path stands for: train, val, test or None."""
    return _PHASES.get(path.parts[0].lower()) if len(path.parts) > 1 else None


def find_patients(
    pictures: Sequence[RawPicture], pattern: str | None
) -> tuple[list[RawPicture], str]:
    """The pictures with a person each, and what told it.

    Args:
        pictures: With a patient or without.
        pattern: Regular expression that is searched in each path; its first group,
            or else the whole match, is the patient. Goes before the table.

    Returns:
        Pictures, and ``'pattern'``, ``'table'`` or ``'files'``: every picture is taken
        as a person of its own.

    Raises:
        InputError: The pattern is none, or a path does not hold it; or the table
            names patients of some pictures only.
    """
    if pattern is None:
        known = [picture.patient is not None for picture in pictures]
        if all(known):
            return list(pictures), 'table'
        if any(known):
            path = pictures[known.index(False)].path
            raise InputError(f'{path}: no patient, while others have one; name all')
        return [replace(p, patient=p.path.as_posix()) for p in pictures], 'files'
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise InputError(f'--patient-pattern {pattern!r}: {error}') from error
    result = []
    for picture in pictures:
        match = search(picture.path.as_posix())
        name = match[1] if match and match.re.groups else match and match[0]
        if not name:
            raise InputError(
                f'{picture.path}: --patient-pattern {pattern!r} finds no patient; '
                'widen it, or give a table'
            )
        result.append(replace(picture, patient=name))
    return result, 'pattern'


def _find_heads(file: Path, names: Sequence[str]) -> dict[str, str]:
    heads = {}
    for key, known in _HEADS.items():
        found = [name for name in names if name.strip().lower() in known]
        if len(found) > 1 or (key in ('path', 'label') and not found):
            raise InputError(
                f'{file}: columns {", ".join(names)}, expected one of '
                f'{" or ".join(known)}'
            )
        if found:
            heads[key] = found[0]
    return heads


def _read_row(
    file: Path, line: int, row: dict[str, str | None], heads: dict[str, str]
) -> RawPicture:
    cells = {key: (row.get(name) or '').strip() for key, name in heads.items()}
    try:
        check_relative_path(cells['path'])
    except ValueError as error:
        raise InputError(f'{file}: line {line}: {error}') from error
    phase = cells.get('phase', '').lower()
    if not cells['label'] or (phase and phase not in _PHASES):
        raise InputError(
            f'{file}: line {line}: class {cells["label"]!r} and phase {phase!r}, '
            f'expected a name, and one of {", ".join(_PHASES)} or nothing'
        )
    return RawPicture(
        PurePosixPath(cells['path']),
        cells['label'],
        _PHASES[phase] if phase else None,
        cells.get('patient') or None,
    )
