"""A table that says what images of the spine show, where their names do not.

Not here: what names say (``spine_names``).
"""

import csv
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mmmed.preparation.findings import InputError
from mmmed.structures.spine_classes import SERIES_TARGETS, SPINE_TARGETS

_COLUMNS = ('path', *SERIES_TARGETS, 'patient')
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class TargetRow:
    """One line of the table.

    Args:
        path: Image, or a folder of images, relative to the raw folder.
        patient: Person, None where the line leaves it open.
        targets: Class name of each target that the line gives.
    """

    path: PurePosixPath
    patient: str | None
    targets: Mapping[str, str]


@dataclass(frozen=True)
class TargetTable:
    """Lines of the table; of two that fit an image the longer path counts.

    Args:
        rows: In the order of the file.
        file: Where they are from; None for an empty table.
    """

    rows: Sequence[TargetRow] = ()
    file: Path | None = field(default=None)

    @functools.cached_property
    def _by_path(self) -> dict[PurePosixPath, TargetRow]:
        return {row.path: row for row in self.rows}

    @classmethod
    def read(cls, file: str | Path) -> 'TargetTable':
        """Read a CSV with the column ``path`` and any of the others.

        Columns: ``path``, ``anatomy``, ``location``, ``sequence``, ``patient``; an
        empty cell leaves it open.

        Raises:
            InputError: The file is no such table; the message names line and remedy.
        """
        file = Path(file)
        try:
            if file.stat().st_size > _MAX_BYTES:
                raise InputError(f'{file}: larger than 64 MiB, expected a table')
            with file.open(encoding='utf-8-sig', newline='') as stream:
                reader = csv.DictReader(stream, strict=True)
                names = [name.strip() for name in reader.fieldnames or ()]
                reader.fieldnames = names
                _check_header(file, names)
                rows = [_read_row(file, reader.line_num, row) for row in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f'{file}: cannot be read ({error}); give a CSV in UTF-8'
            ) from error
        counts = Counter(row.path for row in rows)
        if twice := next((p for p, count in counts.items() if count > 1), None):
            raise InputError(f'{file}: {twice} has several lines; keep one')
        return cls(tuple(rows), file)

    def find(self, path: PurePosixPath) -> list[TargetRow]:
        """Lines that speak of an image, the most particular first."""
        return [self._by_path[p] for p in (path, *path.parents) if p in self._by_path]

    def check_used(self, paths: Sequence[PurePosixPath]) -> None:
        """Whether each line speaks of an image.

        Raises:
            InputError: One does not: a slip of the pen must not go unseen.
        """
        known = {parent for path in paths for parent in (path, *path.parents)}
        unused = [row.path.as_posix() for row in self.rows if row.path not in known]
        if unused:
            raise InputError(
                f'{self.file}: no image at {", ".join(unused[:5])} '
                f'({len(unused)} line(s)); paths are relative to the raw folder'
            )


def _check_header(file: Path, names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(_COLUMNS))
    if 'path' not in names or unknown:
        raise InputError(
            f'{file}: columns {", ".join(names) or "none"}, expected path and any of '
            f'{", ".join(_COLUMNS[1:])}'
        )


def _read_row(file: Path, line: int, row: Mapping[str, str | None]) -> TargetRow:
    cells = {name: (row.get(name) or '').strip() for name in _COLUMNS}
    where = f'{file}: line {line}'
    if not cells['path']:
        raise InputError(f'{where}: no path')
    targets = {}
    for name in SERIES_TARGETS:
        value = cells[name]
        if not value:
            continue
        if value not in SPINE_TARGETS[name]:
            raise InputError(
                f'{where}: {name} is {value!r}, expected one of '
                f'{", ".join(SPINE_TARGETS[name])}, or an empty cell'
            )
        targets[name] = value
    return TargetRow(PurePosixPath(cells['path']), cells['patient'] or None, targets)
