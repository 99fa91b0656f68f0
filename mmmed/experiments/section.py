"""What becomes of each key of an experiment: read, mended, or without a counterpart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ('unmatched', 'mended', 'note')
_ABSENT = object()


@dataclass(frozen=True)
class Finding:
    """Something that the user should know about one key.

    Args:
        kind: ``'unmatched'``: no counterpart here; ``'mended'``: a defect of the
            experiment that the config does not have; ``'note'``: how it is done here.
        key: Its path, e.g. ``trainer.lr.scheduler``.
        text: Why, and what to do.
    """

    kind: str
    key: str
    text: str

    def __str__(self) -> str:
        return f'{self.key}: {self.text}'


@dataclass
class Report:
    """All findings, in the order in which they were made."""

    findings: list[Finding] = field(default_factory=list)

    def unmatched(self, key: str, text: str) -> None:
        """A key without a counterpart."""
        self._add('unmatched', key, text)

    def mended(self, key: str, text: str) -> None:
        """A defect that the config does not have."""
        self._add('mended', key, text)

    def note(self, key: str, text: str) -> None:
        """How a key is done here."""
        self._add('note', key, text)

    def select(self, kind: str) -> list[Finding]:
        """Findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def _add(self, kind: str, key: str, text: str) -> None:
        finding = Finding(kind, key, text)
        if finding not in self.findings:
            self.findings.append(finding)


class Section:
    """A mapping of an experiment whose keys are taken one by one.

    Args:
        values: The mapping; None is an empty one.
        key: Its path in the experiment.
        report: Takes what is left in the end.

    Raises:
        ValueError: It is no mapping.
    """

    def __init__(self, values: Any, key: str, report: Report) -> None:
        if not isinstance(values, Mapping | None):
            raise ValueError(
                f'{key}: {type(values).__name__} {str(values)[:60]!r}, expected a '
                'mapping'
            )
        self._values = dict(values or {})
        self.key = key
        self.report = report

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def path(self, name: str) -> str:
        """Path of a key of the section."""
        return f'{self.key}.{name}'.lstrip('.')

    def take(self, name: str, default: Any = None) -> Any:
        """A value, which then counts as read."""
        return self._values.pop(name, default)

    def skip(self, *names: str) -> None:
        """Count keys as read that mean nothing here."""
        for name in names:
            self._values.pop(name, None)

    def list_names(self) -> list[str]:
        """Keys that nobody has taken yet."""
        return list(self._values)

    def peek(self, name: str) -> Any:
        """A value that still counts as not read."""
        return self._values.get(name)

    def take_number(
        self,
        name: str,
        default: Any = _ABSENT,
        *,
        low: float = 0,
        high: float = 1e9,
        whole: bool = False,
    ) -> Any:
        """A number within limits, which then counts as read.

        Raises:
            ValueError: It is absent without a default, none, or outside.
        """
        value = self._values.pop(name, _ABSENT)
        if value is _ABSENT or (value is None and default is not _ABSENT):
            if default is _ABSENT:
                raise ValueError(f'{self.path(name)}: absent, expected a number')
            return default
        # YAML 1.1 reads 1e-3 as text, as the dot is missing.
        value = to_number(value)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not low <= value <= high
            or (whole and value != int(value))
        ):
            raise ValueError(
                f'{self.path(name)}: {value!r}, expected a '
                f'{"whole " if whole else ""}number from {low:g} to {high:g}'
            )
        return int(value) if whole else value

    def take_section(self, name: str) -> 'Section':
        """A mapping inside, which then counts as read; empty where it is absent."""
        return Section(self.take(name), self.path(name), self.report)

    def take_list(self, name: str) -> list['Section']:
        """Mappings of a list, which then counts as read; empty where it is absent.

        Raises:
            ValueError: It is no list of mappings.
        """
        listed = self.take(name) or []
        if not isinstance(listed, list):
            raise ValueError(f'{self.path(name)}: expected a list')
        return [
            Section(part, f'{self.path(name)}[{n}]', self.report)
            for n, part in enumerate(listed)
        ]

    def close(self, reason: str = 'no key of an experiment as described') -> None:
        """Report keys that nobody has taken."""
        for name in self._values:
            self.report.unmatched(self.path(name), reason)
        self._values = {}


def to_number(value: Any) -> Any:
    """A number that YAML took for text; anything else as it is."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def simplify_name(name: Any) -> str:
    """Letters and digits of a name, small: ``'U-Net_2'`` is ``'unet2'``."""
    return ''.join(c for c in str(name).lower() if c.isascii() and c.isalnum())
