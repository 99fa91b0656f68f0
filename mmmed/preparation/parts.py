"""The pieces that travel through a preparation: plan, task, slice, record, outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mmmed.preparation.findings import Finding


@dataclass(frozen=True)
class Task:
    """Source files that are converted together.

    Args:
        name: Unique, and legal in a file name.
        patient_id: Person the files belong to.
        number: Slice number, 0 for a whole scan.
        sources: Absolute paths by role, e.g. ``'brain'``, ``'mask'``.
    """

    name: str
    patient_id: str
    number: int
    sources: Mapping[str, Path]


@dataclass(frozen=True)
class Plan:
    """What a raw folder offers.

    Args:
        root: Folder relative to which sources are named.
        tasks: In the order of the manifest.
        findings: What was passed over already.
        inputs: Further files that decide the result, such as tables.
        context: What the preparer itself wants to remember.
    """

    root: Path
    tasks: Sequence[Task]
    findings: Sequence[Finding]
    inputs: Sequence[Path] = ()
    context: Any = None


@dataclass(frozen=True)
class Slice:
    """One converted image, not yet written.

    Args:
        case_id: Unique name.
        patient_id: Person.
        slice_index: Number in the source.
        image: Shape (H, W) or (H, W, 3), uint8.
        label: Shape (H, W), uint8.
        spacing: Pixel size (Y, X) in mm, None if unknown.
        facts: Whatever the preparer counts, as JSON.
    """

    case_id: str
    patient_id: str
    slice_index: int
    image: NDArray
    label: NDArray
    spacing: tuple[float, float] | None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What is known of a slice once its files are written: a journal entry as JSON."""

    case_id: str
    patient_id: str
    slice_index: int
    height: int
    width: int
    spacing: Sequence[float] | None
    foreground_pixels: int
    sha256: Mapping[str, str]
    facts: Mapping[str, Any]

    @property
    def img_name(self) -> str:
        """Name of the image file in the workspace."""
        return f'{self.case_id}.img.png'

    @property
    def seg_name(self) -> str:
        """Name of the label file in the workspace."""
        return f'{self.case_id}.seg.png'


@dataclass(frozen=True)
class Outcome:
    """How a preparation ended.

    Args:
        status: ``'written'``, ``'unchanged'`` (the output was there already) or
            ``'checked'`` (dry run), ``'part'`` (to be merged).
        out: Output folder.
        summary: Content of ``summary.json``.
        reused: Tasks taken over from an interrupted run.
        exported: What else was written, as text lines.
    """

    status: str
    out: Path
    summary: Mapping[str, Any]
    reused: int = 0
    exported: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0 if all is there, 3 if something had to be skipped."""
        return 3 if any(f['skipped'] for f in self.summary['findings']) else 0

    def __str__(self) -> str:
        return {
            'unchanged': f'{self.out} was prepared like this already; nothing to do',
            'checked': f'dry run: {self.out} would be written',
            'part': f'wrote the part {self.out}; with all parts, call with --merge',
            'written': f'wrote {self.out}',
        }[self.status]
