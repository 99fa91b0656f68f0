"""What a preparer tells its user: one message names what, where and the remedy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class InputError(ValueError):
    """The call or the raw data is wrong; the message says what to do about it."""


@dataclass(frozen=True, order=True)
class Finding:
    """One oddity of the raw data.

    Args:
        path: File or folder, relative to the raw folder.
        problem: What is wrong, one sentence without a full stop.
        remedy: What the user can do.
        skipped: Whether something that should be in the result is missing because of
            it. False for what is only worth knowing.
    """

    path: str
    problem: str
    remedy: str
    skipped: bool = True

    def __str__(self) -> str:
        return f'{self.path}: {self.problem}; {self.remedy}'

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON."""
        return asdict(self)


class SourceError(ValueError):
    """One source file cannot be used; the rest of the data may still be valid.

    Args:
        path: Absolute path of the file.
        problem: As for :class:`Finding`.
        remedy: As for :class:`Finding`.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f'{path}: {problem}; {remedy}')
        self.path, self.problem, self.remedy = path, problem, remedy

    @classmethod
    def from_reader(cls, path: Path, error: Exception) -> 'SourceError':
        """From an error of ``mmmed.io``, which reads ``path: problem; remedy``."""
        text = str(error).removeprefix(f'{path}: ')
        problem, _, remedy = text.rpartition('; ')
        return cls(path, problem or text, remedy if problem else 'fetch it again')

    def to_finding(self, root: Path) -> Finding:
        """The finding, with the path relative to a folder."""
        return Finding(
            self.path.relative_to(root).as_posix(), self.problem, self.remedy
        )


def stop_if_strict(findings: Sequence[Finding], strict: bool) -> None:
    """Make any finding an error.

    Raises:
        InputError: ``strict`` is set and there is a finding.
    """
    if strict and findings:
        more = f' (and {len(findings) - 1} more)' if len(findings) > 1 else ''
        raise InputError(f'{findings[0]}{more}; or go on without --strict')


def format_range(numbers: Sequence[int]) -> str:
    """Short text for a set of numbers: ``[1, 2, 3, 7]`` becomes ``'1-3, 7'``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ', '.join(str(a) if a == b else f'{a}-{b}' for a, b in runs)


def check_folders(raw: str | Path, out: str | Path) -> tuple[Path, Path]:
    """Absolute raw and output folders that cannot touch each other.

    Raises:
        InputError: The raw folder is missing or a file, or one contains the other.
    """
    raw, out = Path(raw), Path(out)
    if raw.is_file():
        raise InputError(f'{raw}: is a file; unpack it and name the folder')
    if not raw.is_dir():
        raise InputError(
            f'{raw}: no such folder; download the data and name its folder'
        )
    source, target = raw.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise InputError(
            f'{out}: lies inside the raw folder or contains it, and raw data is never '
            'touched; choose another --out'
        )
    return source, target
