"""Which files of a decathlon-style folder belong together, and what its labels mean.

Not here: opening an image (``labelled_volumes``), the list format
(``mmmed.structures.datalist``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmmed.io import VOLUME_SUFFIXES, find_suffix
from mmmed.preparation.findings import Finding, InputError
from mmmed.structures.datalist import Datalist, DatalistEntry

LIST = 'dataset.json'
_FOLDERS = (('imagesTr', 'labelsTr'), ('images', 'labels'))
_TEST = 'imagesTs'
_CASE_ID = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._-]{0,199}')


@dataclass(frozen=True)
class DecathlonLayout:
    """What a folder offers.

    Args:
        pairs: Case id, image and label map (None: a test image) of each scan.
        labels: Name of each number of the label maps; empty if nothing says so.
        modality: Name of each channel; empty likewise.
        name: Of the data set.
        inputs: Further files that were read.
        findings: What was passed over.
    """

    pairs: tuple[tuple[str, Path, Path | None], ...]
    labels: Mapping[int, str]
    modality: tuple[str, ...]
    name: str
    inputs: tuple[Path, ...]
    findings: tuple[Finding, ...]


def find_layout(root: Path) -> DecathlonLayout:
    """Pair images and label maps of a folder.

    Args:
        root: Holds ``dataset.json``, or ``imagesTr`` and ``labelsTr``, or ``images``
            and ``labels`` with files of the same names.

    Raises:
        InputError: It holds none of these, or a list that is not safe.
    """
    path = root / LIST
    if not path.is_file():
        pairs, findings = _pair_folders(root)
        return DecathlonLayout(pairs, {}, (), root.name, (), findings)
    try:
        datalist = Datalist.read(path)
    except (OSError, ValueError) as error:
        raise InputError(f'{error}; fetch it again') from error
    entries = (*datalist.training, *datalist.validation, *datalist.test)
    if entries:
        pairs, findings = _resolve(root, entries)
    else:  # a list of names and labels only
        pairs, findings = _pair_folders(root)
    return DecathlonLayout(
        pairs,
        datalist.labels,
        datalist.modality,
        datalist.name or root.name,
        (path,),
        findings,
    )


def name_case(path: str | Path) -> str:
    """Case id of an image file: its name without the suffix."""
    name = Path(path).name
    return name[: -len(find_suffix(name))]


def _resolve(
    root: Path, entries: Sequence[DatalistEntry]
) -> tuple[tuple[tuple[str, Path, Path | None], ...], tuple[Finding, ...]]:
    pairs: dict[str, tuple[str, Path, Path | None]] = {}
    findings = []
    for entry in entries:
        try:
            case_id = name_case(entry.image)
        except ValueError:
            case_id = ''
        if not _CASE_ID.fullmatch(case_id):
            findings.append(
                Finding(entry.image, f'no name of an image in {LIST}', 'rename it')
            )
            continue
        paths = [entry.image, *([] if entry.label is None else [entry.label])]
        absent = [path for path in paths if not _is_inside(root, path)]
        if absent:
            findings.append(
                Finding(absent[0], f'in {LIST}, but not there', 'fetch it again')
            )
        elif case_id.casefold() in pairs:
            findings.append(
                Finding(entry.image, f'{case_id} is listed twice', 'keep one of them')
            )
        else:
            label = None if entry.label is None else root / entry.label
            pairs[case_id.casefold()] = (case_id, root / entry.image, label)
    return tuple(pairs.values()), tuple(findings)


def _is_inside(root: Path, relative: str) -> bool:
    """Whether a file is there, and a link does not lead to somewhere else."""
    path = root / relative
    return path.is_file() and root.resolve() in path.resolve().parents


def _pair_folders(
    root: Path,
) -> tuple[tuple[tuple[str, Path, Path | None], ...], tuple[Finding, ...]]:
    for names in _FOLDERS:
        images, labels = (root / name for name in names)
        if images.is_dir() and labels.is_dir():
            break
    else:
        raise InputError(
            f'{root}: holds neither {LIST} nor folders imagesTr and labelsTr (or '
            'images and labels); name the folder of the task itself'
        )
    found, known = _list_volumes(images), _list_volumes(labels)
    findings = [
        Finding(
            path.relative_to(root).as_posix(),
            'no label map of this name',
            f'add it to {labels.name}, or take the image away',
        )
        for name, path in found.items()
        if name not in known
    ]
    findings += [
        Finding(
            path.relative_to(root).as_posix(),
            'a label map without an image',
            f'add the image to {images.name}',
        )
        for name, path in known.items()
        if name not in found
    ]
    pairs: list[tuple[str, Path, Path | None]] = [
        (name, path, known[name]) for name, path in found.items() if name in known
    ]
    test = root / _TEST
    if test.is_dir():
        pairs += [(n, p, None) for n, p in _list_volumes(test).items()]
    return tuple(pairs), tuple(findings)


def _list_volumes(folder: Path) -> dict[str, Path]:
    """Volumes of a folder by case id, in order; hidden files (``._a``) are none."""
    paths = {
        name_case(path): path
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(VOLUME_SUFFIXES) and path.is_file()
    }
    return {name: path for name, path in paths.items() if _CASE_ID.fullmatch(name)}
