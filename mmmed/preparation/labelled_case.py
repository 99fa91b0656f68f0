"""LabelledCase: a raw scan with its label map, whatever the layout it was found in."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.preparation.parts import Task


@dataclass(frozen=True)
class LabelledCase:
    """Files of one examination.

    Args:
        case_id: Unique, and legal in a file name.
        patient_id: Person; the same for a scan that two sources publish.
        source: Which source it is from, e.g. ``'lits'``.
        image: The scan.
        label: Its label map, None without one.
        classes: Class of each number of the label map that means something.
        ignored: Numbers of the label map that are background here.
        facts: Further columns of the manifest.
    """

    case_id: str
    patient_id: str
    source: str
    image: Path
    label: Path | None
    classes: Mapping[int, int]
    ignored: Set[int] = frozenset()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_task(self) -> Task:
        """Task of a preparation."""
        sources = {'img': self.image} | ({'seg': self.label} if self.label else {})
        return Task(self.case_id, self.patient_id, 0, sources)
