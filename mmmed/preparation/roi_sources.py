"""ROISource: which files show one lesion, and what is known of where it is.

Not here: finding them in a folder (``roi_layouts``, ``lld_mmri``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.io import VOLUME_SUFFIXES, find_suffix
from mmmed.preparation.findings import Finding
from mmmed.preparation.parts import Task

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
_ILLEGAL = re.compile(r'[^A-Za-z0-9._-]+')
_MAX_FINDINGS = 50


@dataclass(frozen=True)
class ROISource:
    """One lesion.

    Args:
        case_id: Unique, and legal in a file name.
        patient_id: Person.
        files: Image of each sequence.
        is_cropped: Whether the files already are crops about the lesion.
        centers_lps: Middle (x, y, z) in mm towards left, posterior, superior, by
            sequence.
        boxes: (first, end) of voxels (Z, Y, X) of the file as it is, by sequence;
            instead of centers.
        masks: Label map by sequence; instead of centers.
        size_mm: Diameter; None where unknown.
        targets: Class index of each target, None where unknown.
        annotation: File that says so.
        is_test: Whether it belongs to no partition.
        facts: Further columns of the manifest.
    """

    case_id: str
    patient_id: str
    files: Mapping[str, Path]
    is_cropped: bool = True
    centers_lps: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    boxes: Mapping[str, Box] = field(default_factory=dict)
    masks: Mapping[str, Path] = field(default_factory=dict)
    size_mm: float | None = None
    targets: Mapping[str, int | None] = field(default_factory=dict)
    annotation: Path | None = None
    is_test: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_task(self) -> Task:
        """Task of a preparation."""
        sources = dict(self.files)
        sources |= {f'mask:{name}': path for name, path in self.masks.items()}
        if self.annotation is not None:
            sources['annotation'] = self.annotation
        return Task(self.case_id, self.patient_id, 0, sources)


@dataclass(frozen=True)
class ROILayout:
    """What a raw folder offers.

    Args:
        name: Of the layout.
        sources: In the order of the manifest.
        classes: Class names by target, where the folder names them.
        findings: What was passed over.
        inputs: Further files that decide the result.
        ignored: Entries of annotations that are no class index, so no targets.
    """

    name: str
    sources: Sequence[ROISource]
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    inputs: Sequence[Path] = ()
    ignored: Sequence[str] = ()


def name_sequence(file_name: str) -> str:
    """Sequence of a file: ``'dwi(b0).nii.gz'`` is ``'dwi_b0'``, ``'C+A.nii'`` c_a.

    Returns:
        Lower case letters, digits and ``_``; empty where the name has none.
    """
    stem = file_name[: -len(find_suffix(file_name))]
    return re.sub(r'[^a-z0-9]+', '_', stem.casefold()).strip('_')[:60]


def name_case(text: str) -> str:
    """A legal case id that resembles a folder name."""
    return _ILLEGAL.sub('-', text).strip('.-')[:150] or 'case'


def list_images(folder: Path) -> dict[str, Path]:
    """Image of each sequence that lies in a folder, by name; others are passed over.

    Two files of one sequence are both left out: nobody can tell which is right.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if (
            path.is_file()
            and path.name.lower().endswith(VOLUME_SUFFIXES)
            and not path.name.startswith('.')
        ):
            found.setdefault(name_sequence(path.name), []).append(path)
    return {name: paths[0] for name, paths in found.items() if name and len(paths) == 1}


def limit_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The first findings of a kind, and one that counts the rest."""
    findings = list(findings)
    if len(findings) <= _MAX_FINDINGS:
        return findings
    more = len(findings) - _MAX_FINDINGS
    last = findings[-1]
    text = f'{more} more like the one before'
    rest = Finding(last.path, text, last.remedy, skipped=last.skipped)
    return [*findings[:_MAX_FINDINGS], rest]
