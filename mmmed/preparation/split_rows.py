"""Rows of an existing split, and what an audit says about them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mmmed.preparation.split_table import Table

MAX_SHOWN = 5
"""Findings of one sort that are spelled out; the rest is counted."""


@dataclass(frozen=True)
class AuditFinding:
    """One thing that an audit found.

    Args:
        kind: ``'overlap'``: the split leaks or is not what it says; ``'damage'``:
            something could not be checked; ``'warning'``: a person should look;
            ``'note'``: worth knowing.
        text: What, where and what to do.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return f'{self.kind}: {self.text}'


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Args:
        path: What was audited.
        sides: Columns that were taken for partitions.
        cases: Number of rows.
        patients: Number of patients.
        images: Number of images that were read.
        findings: Worst first.
        strict: Whether warnings count as overlaps.
    """

    path: str
    sides: tuple[str, ...]
    cases: int
    patients: int
    images: int
    findings: tuple[AuditFinding, ...]
    strict: bool = False

    @property
    def exit_code(self) -> int:
        """2 if the split leaks, 3 if something could not be checked, else 0."""
        kinds = {finding.kind for finding in self.findings}
        if self.strict and 'warning' in kinds:
            return 2
        return 2 if 'overlap' in kinds else 3 if 'damage' in kinds else 0

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class AuditRows:
    """Columns of the audited table, and the findings so far.

    Args:
        table: The whole table.
        names: Name of each case.
        owners: Patient of each case.
        sides: Values of the columns that say who is where, by column name.
        findings: Grows.
    """

    table: Table
    names: Sequence[str]
    owners: Sequence[str]
    sides: Mapping[str, Sequence[str]]
    findings: list[AuditFinding] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Note a finding."""
        self.findings.append(AuditFinding(kind, text))

    def place(self, index: int) -> tuple[str, ...]:
        """Value of one row in all columns of sides."""
        return tuple(values[index] for values in self.sides.values())

    def describe(self, index: int) -> str:
        """One row in words."""
        place = ', '.join(f'{name} {v[index]}' for name, v in self.sides.items())
        return f'{self.names[index]} ({self.owners[index]}; {place})'
