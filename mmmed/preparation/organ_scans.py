"""Scans with an organ mask, wherever they lie: single files, folders, collections.

Not here: preparing a training set of them (``liver``).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.io import VOLUME_SUFFIXES, find_suffix, read_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.label_transfer import transfer_labels
from mmmed.preparation.organ_sources import find_organ_cases
from mmmed.structures import Volume

_ORGAN, _TUMOR = 1, 2


@dataclass(frozen=True)
class OrganScan:
    """Files of one scan.

    Args:
        name: Legal in a file name, unique in a run.
        image: The scan.
        mask: Its label map.
        classes: Class (1 organ, 2 tumor) of each label.
        ignored: Labels of other structures; None: all others.
        patient: Person; empty: known by ``name`` alone.
    """

    name: str
    image: Path
    mask: Path
    classes: Mapping[int, int]
    ignored: Set[int] | None = None
    patient: str = ''


@dataclass(frozen=True)
class LoadedScan:
    """A scan in memory, canonical (superior, anterior, right).

    Args:
        volume: CT numbers, float32.
        mask: 0 outside, 1 organ, 2 real tumor, uint8, same shape.
        source: The image as it was read, for writing on its grid.
    """

    volume: Volume
    mask: NDArray[np.uint8]
    source: Volume


def find_organ_scans(
    source: str | Path,
    *,
    organ: str = 'liver',
    mask: str | Path | None = None,
    labels: Sequence[int] = (),
) -> list[OrganScan]:
    """What a call means by its input.

    Args:
        source: An image; with ``mask`` also a folder of images; without, a folder of
            public collections (``organ_sources``).
        organ: One of three; decides the labels of collections.
        mask: Label map of the image, or folder of label maps of the same names.
        labels: Numbers of the organ in them, all else is background; without, 1 is
            organ and 2 tumor.

    Raises:
        InputError: Nothing that can be paired.
    """
    source = Path(source)
    if mask is None:
        if not source.is_dir() or labels:
            raise InputError(
                f'{source}: needs --mask with the organ (and --label with its number)'
            )
        cases, _ = find_organ_cases(source, organ)
        return [
            OrganScan(c.case_id, c.image, c.label, c.classes, c.ignored, c.patient_id)
            for c in cases
            if c.label is not None
        ]
    classes: dict[int, int] = {_ORGAN: _ORGAN, _TUMOR: _TUMOR}
    ignored: Set[int] | None = frozenset()
    if labels:
        classes, ignored = dict.fromkeys(labels, _ORGAN), None
    pairs = _pair(source, Path(mask))
    return [OrganScan(_name(i), i, m, classes, ignored) for i, m in pairs]


def read_organ_scan(scan: OrganScan) -> LoadedScan:
    """Read and check a scan.

    Raises:
        ValueError: A file is damaged, grids differ, or a label is not known; the
            message names the file.
    """
    source = read_volume(scan.image, ndim=3)
    labels = read_volume(scan.mask, ndim=3)
    labels.check_grid(source)
    ignored = scan.ignored
    if ignored is None:
        found = np.unique(labels.array)
        ignored = frozenset(int(n) for n in found if n == int(n)) - set(scan.classes)
    try:
        classes = transfer_labels(labels.array, scan.classes, ignored=ignored)
    except ValueError as error:
        raise ValueError(
            f'{scan.mask}: {error}; name the organ with --label'
        ) from error
    volume = source.reorient()
    mask = labels.replace_array(classes).reorient().array
    hu = np.ascontiguousarray(volume.array, np.float32)
    return LoadedScan(volume.replace_array(hu), np.ascontiguousarray(mask), source)


def _pair(source: Path, mask: Path) -> list[tuple[Path, Path]]:
    for path in (source, mask):
        if not path.exists():
            raise FileNotFoundError(f'no file or folder at {path}')
    if source.is_file() and mask.is_file():
        return [(source, mask)]
    if not (source.is_dir() and mask.is_dir()):
        raise InputError(f'{source} and {mask}: expected two files or two folders')
    images, masks = _list(source), _list(mask)
    if not images.keys() & masks.keys():
        raise InputError(f'{source} and {mask}: no two files of the same name')
    return [(images[name], masks[name]) for name in images if name in masks]


def _list(folder: Path) -> dict[str, Path]:
    return {
        _name(path): path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES)
    }


def _name(path: Path) -> str:
    return path.name[: -len(find_suffix(path.name))]
