"""Tables of cases: CSV, TSV, or a manifest of ours, every value as text.

Not here: what the columns mean (``split_strata``).
"""

import csv
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.structures.json_file import load_json

# What spreadsheets and data frames write where there is no value.
_NO_VALUE = frozenset({'', 'nan', 'na', 'n/a', '<na>', 'none', 'null', '-nan'})


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Args:
        path: Where it was read.
        columns: Names, in the order of the file.
        rows: One value for each column.
        lines: Where in the file each row is, for messages.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]

    @property
    def is_manifest(self) -> bool:
        """Whether it was read from JSON of ours."""
        return self.path.suffix.lower() == '.json'

    def drop_test_cases(self) -> 'Table':
        """Without the rows of a manifest that belong to no partition."""
        if not self.is_manifest or 'split' not in self.columns:
            return self
        kept = [i for i, side in enumerate(self.column('split')) if side != 'test']
        return replace(
            self,
            rows=tuple(self.rows[i] for i in kept),
            lines=tuple(self.lines[i] for i in kept),
        )

    def column(self, name: str) -> list[str]:
        """Values of one column.

        Raises:
            InputError: There is no such column; names the nearest.
        """
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, 1)
            hint = f'did you mean {near[0]!r}? ' if near else ''
            raise InputError(
                f'{self.path}: no column {name!r}; {hint}there are '
                f'{", ".join(self.columns[:40])}'
            )
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def column_of_names(self, name: str, purpose: str) -> list[str]:
        """Values of a column that must not have gaps.

        Raises:
            InputError: There is no such column, or a row has no value in it.
        """
        values = self.column(name)
        empty = [i for i, value in enumerate(values) if is_missing(value)]
        if empty:
            raise InputError(
                f'{self.path}: {len(empty)} row(s) without {name!r}, first '
                f'{self.lines[empty[0]]}; every row needs its {purpose}: fill it in '
                'or remove the row'
            )
        return values


def is_missing(value: str) -> bool:
    """Whether a cell holds no value: empty, ``nan``, ``NA``, ``None`` and the like."""
    return value.strip().casefold() in _NO_VALUE


def read_table(path: str | Path) -> Table:
    """Read a table of cases.

    Args:
        path: ``.csv`` (comma or semicolon), ``.tsv``, or ``.json``: a manifest, whose
            nested columns get names like ``findings.epidural``.

    Raises:
        InputError: No such file, another format, no rows, an unnamed or repeated
            column, or a row of another length; the message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such file; check the name')
    suffix = path.suffix.lower()
    try:
        if suffix == '.json':
            table = _read_manifest(path)
        elif suffix in ('.csv', '.tsv'):
            table = _read_csv(path, '\t' if suffix == '.tsv' else None)
        else:
            raise InputError(
                f'{path}: unknown kind of table {suffix!r}; give a .csv, a .tsv or '
                'the manifest.json of a prepared folder'
            )
    except OSError as error:
        raise InputError(
            f'{path}: cannot be read ({error}); check its permissions'
        ) from error
    if not table.rows:
        raise InputError(f'{path}: holds no rows; give a table with one row a case')
    return table


def _read_csv(path: Path, delimiter: str | None) -> Table:
    try:
        with path.open(encoding='utf-8-sig', newline='') as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.reader(
                stream, delimiter=delimiter or (';' if _is_european(first) else ',')
            )
            columns = tuple(name.strip() for name in next(reader, []))
            _check_columns(path, columns)
            rows, lines = [], []
            for row in reader:
                if not any(row):
                    continue
                line = f'line {reader.line_num}'
                if len(row) != len(columns):
                    raise InputError(
                        f'{path}: {line} has {len(row)} values for {len(columns)} '
                        'columns; quote values that hold the separator'
                    )
                rows.append(tuple(value.strip() for value in row))
                lines.append(line)
    except UnicodeDecodeError as error:
        raise InputError(
            f'{path}: not UTF-8 text ({error}); export it as CSV, UTF-8'
        ) from error
    except csv.Error as error:
        raise InputError(f'{path}: not a table ({error}); export it again') from error
    return Table(path, columns, tuple(rows), tuple(lines))


def _is_european(header: str) -> bool:
    return header.count(';') > header.count(',')


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if not columns:
        raise InputError(f'{path}: is empty; give a table with a header line')
    for index, name in enumerate(columns):
        if not name:
            raise InputError(f'{path}: column {index + 1} has no name; name it')
        if name in columns[:index]:
            raise InputError(f'{path}: two columns {name!r}; rename or remove one')


def _read_manifest(path: Path) -> Table:
    # Only read as a table: a manifest that breaks its rules can still be audited.
    try:
        value = load_json(path)
    except ValueError as error:
        raise InputError(f'{path}: {error}; export it again') from error
    items = value.get('data_list') if isinstance(value, Mapping) else None
    if items is None and isinstance(value, Mapping):
        items = value.get('cases')
    if not isinstance(items, list) or not all(isinstance(i, Mapping) for i in items):
        raise InputError(
            f'{path}: not a manifest, expected {{"data_list": [{{...}}, ...]}}; '
            'give the manifest.json of a prepared folder'
        )
    flat = [dict(_flatten(item)) for item in items]
    columns = tuple(dict.fromkeys(name for item in flat for name in item))
    rows = tuple(tuple(item.get(name, '') for name in columns) for item in flat)
    lines = tuple(f'data_list[{index}]' for index in range(len(rows)))
    return Table(path, columns, rows, lines)


def _flatten(item: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, str]]:
    for key, value in item.items():
        name = f'{prefix}{key}'
        if isinstance(value, Mapping):
            yield from _flatten(value, f'{name}.')
        elif isinstance(value, str):
            yield name, value
        else:
            yield name, '' if value is None else json.dumps(value)
