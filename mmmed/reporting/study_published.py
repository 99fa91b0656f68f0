"""Numbers that others published, with their protocol and source: read, never computed.

Not here: our numbers (``study_tables``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.reporting.wording import NONE
from mmmed.structures.json_file import load_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PublishedTable:
    """One table of published numbers.

    Args:
        beside: Name of the table of ours that it stands under; empty: at the end.
        title: Heading.
        columns: Heads.
        rows: Cells as text, as published; a dash where one is empty.
        protocol: On what the numbers were measured, and how.
        sources: Names in the file's list of sources.
        note: What a reader must know before comparing; may be empty.
    """

    beside: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    protocol: str
    sources: tuple[str, ...]
    note: str = ''


@dataclass(frozen=True)
class Published:
    """All published numbers of a study.

    Args:
        sources: Reference of each source by its short name.
        tables: In the order of the file.
    """

    sources: Mapping[str, str]
    tables: tuple[PublishedTable, ...]


NOTHING = Published({}, ())


def read_published(path: Path | None) -> Published:
    """Read the file; without one there is nothing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, a table has no protocol or an unknown source, or a
            row has another number of cells than there are columns.
    """
    if path is None:
        return NOTHING
    if not path.is_file():
        raise FileNotFoundError(f'there is no file of published numbers {path}')
    try:
        value = load_json(path)
        if value['schema_version'] != SCHEMA_VERSION:
            raise ValueError(f'schema_version is not {SCHEMA_VERSION}')
        sources = {str(k): str(v) for k, v in value['sources'].items()}
        return Published(sources, tuple(_parse(t, sources) for t in value['tables']))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: not a file of published numbers: {error}') from error


def _parse(value: Any, sources: Mapping[str, str]) -> PublishedTable:
    table = PublishedTable(
        str(value.get('beside', '')),
        str(value['title']),
        tuple(map(str, value['columns'])),
        tuple(tuple(str(cell) or NONE for cell in row) for row in value['rows']),
        str(value['protocol']),
        tuple(map(str, value['sources'])),
        str(value.get('note', '')),
    )
    unknown = [name for name in table.sources if name not in sources]
    if unknown or not table.sources:
        raise ValueError(f'{table.title!r} has unknown or no sources {unknown}')
    for row in table.rows:
        if len(row) != len(table.columns):
            raise ValueError(
                f'{table.title!r}: a row has {len(row)} cells, expected '
                f'{len(table.columns)}'
            )
    return table
