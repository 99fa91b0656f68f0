"""Which runs a study compares, and in which tables: the file that a person writes.

Not here: reading the runs (``study_runs``), what the tables say (``study_results``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.structures.json_file import load_json

SCHEMA_VERSION = 1
KINDS = ('runs', 'seeds', 'fusion')
SECTIONS = ('volumes', 'slices', 'published', 'strata', 'sites', 'paired', 'budget')
# Roles by which the runs of a table can differ.
ROLES = ('model', 'loss', 'plane', 'batches', 'seed')
# Names become file names.
_NAME = re.compile(r'[a-z0-9][a-z0-9_-]{0,63}')


@dataclass(frozen=True)
class RunSpec:
    """One trained and tested network.

    Args:
        name: Short name, unique.
        folder: Work folder, or that of ``tools/cross_validate.py``.
        shown: The folder as the file names it: no path of a machine.
        roles: What it is: ``model``, ``loss``, ``plane``, ``batches``, ``seed``.
        evaluation: Folder in ``evaluation``; None if there is but one.
    """

    name: str
    folder: Path
    shown: str
    roles: Mapping[str, str | int] = field(default_factory=dict)
    evaluation: str | None = None


@dataclass(frozen=True)
class TableSpec:
    """One comparison.

    Args:
        name: Of its CSV files.
        title: Heading.
        kind: ``runs``: the first run against each other one; ``seeds``: groups of
            runs that differ in nothing but their seed; ``fusion``: the planes of a
            fusion folder and what they make together.
        runs: Names, the first is the one that others are compared with.
        by: Role that tells the runs, or the groups, apart.
        sections: Of ``SECTIONS``; those that a kind does not have are left out.
        folder: Of ``tools/fuse.py``, for ``fusion``.
        shown: That folder as the file names it.
        note: A sentence of the writer.
    """

    name: str
    title: str
    kind: str = 'runs'
    runs: tuple[str, ...] = ()
    by: str = 'model'
    sections: tuple[str, ...] = SECTIONS
    folder: Path | None = None
    shown: str = ''
    note: str = ''


@dataclass(frozen=True)
class StudySpec:
    """A study.

    Args:
        path: File that says all this.
        title: Of the page.
        label: Structure that is compared.
        runs: By name.
        tables: In the order of the page.
        published: JSON file of published numbers, or None.
        command: How the page is made, for its foot.
        note: Sentences of the writer under the title.
        reading: Sentences of the writer about how to read the tables.
    """

    path: Path
    title: str
    label: str
    runs: Mapping[str, RunSpec]
    tables: tuple[TableSpec, ...]
    published: Path | None = None
    command: str = ''
    note: str = ''
    reading: str = ''


def read_study_spec(path: str | Path) -> StudySpec:
    """Read and check the file; folders in it are relative to it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Something in it is wrong; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no study file {path}')
    try:
        return _parse(path, load_json(path))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _parse(path: Path, value: Any) -> StudySpec:
    _check_keys(
        value,
        'the study',
        needed=('schema_version', 'title', 'runs', 'tables'),
        allowed=('label', 'published', 'command', 'note', 'reading'),
    )
    if value['schema_version'] != SCHEMA_VERSION:
        raise ValueError(
            f'schema_version is {value["schema_version"]!r}, expected {SCHEMA_VERSION}'
        )
    if not isinstance(value['runs'], dict) or not isinstance(value['tables'], list):
        raise ValueError('runs must be an object and tables a list')
    base = path.parent
    runs = {name: _parse_run(name, one, base) for name, one in value['runs'].items()}
    tables = tuple(_parse_table(one, base, runs) for one in value['tables'])
    names = [table.name for table in tables]
    if len(set(names)) < len(names):
        raise ValueError(f'tables are {names}, each name once')
    published = value.get('published')
    return StudySpec(
        path,
        str(value['title']),
        str(value.get('label', 'lesion')),
        runs,
        tables,
        None if published is None else base / str(published),
        str(value.get('command', '')),
        str(value.get('note', '')),
        str(value.get('reading', '')),
    )


def _parse_run(name: str, value: Any, base: Path) -> RunSpec:
    where = f'run {name!r}'
    _check_name(name, where)
    _check_keys(value, where, needed=('folder',), allowed=(*ROLES, 'evaluation'))
    roles = {role: value[role] for role in ROLES if role in value}
    for role, word in roles.items():
        kind = int if role == 'seed' else str
        if not isinstance(word, kind) or isinstance(word, bool):
            raise ValueError(f'{where}: {role} is {word!r}, expected {kind.__name__}')
    folder, evaluation = str(value['folder']), value.get('evaluation')
    if evaluation is not None and not _is_plain(evaluation):
        raise ValueError(f'{where}: evaluation is {evaluation!r}, expected a name')
    return RunSpec(name, base / folder, Path(folder).name, roles, evaluation)


def _parse_table(value: Any, base: Path, runs: Mapping[str, RunSpec]) -> TableSpec:
    allowed = ('title', 'kind', 'runs', 'by', 'sections', 'folder', 'note')
    _check_keys(value, 'a table', needed=('name',), allowed=allowed)
    name = value['name']
    where = f'table {name!r}'
    _check_name(name, where)
    kind, by = value.get('kind', 'runs'), value.get('by', 'model')
    _check_choice(kind, KINDS, f'{where}: kind')
    _check_choice(by, ROLES, f'{where}: by')
    members = _read_words(value.get('runs', []), f'{where}: runs')
    unknown = [run for run in members if run not in runs]
    if unknown:
        raise ValueError(f'{where}: there is no run {", ".join(unknown)}')
    if kind != 'fusion':
        bare = [run for run in members if by not in runs[run].roles]
        if not members or bare:
            raise ValueError(
                f'{where}: {", ".join(bare) or "no run"} has no {by}, by which the '
                'table compares; name runs that have it'
            )
        words = [runs[run].roles[by] for run in members]
        if kind == 'runs' and len(set(words)) < len(words):
            raise ValueError(
                f'{where}: two runs have the same {by}; tell them apart by another '
                'role, or compare groups of seeds with kind "seeds"'
            )
    elif 'folder' not in value:
        raise ValueError(f'{where}: needs the folder of tools/fuse.py')
    sections = _read_words(value.get('sections', SECTIONS), f'{where}: sections')
    for section in sections:
        _check_choice(section, SECTIONS, f'{where}: sections')
    folder = str(value['folder']) if 'folder' in value else ''
    return TableSpec(
        name,
        str(value.get('title', name)),
        kind,
        members,
        by,
        sections,
        base / folder if folder else None,
        Path(folder).name,
        str(value.get('note', '')),
    )


def _check_keys(
    value: Any, where: str, *, needed: Sequence[str], allowed: Sequence[str]
) -> None:
    if not isinstance(value, dict):
        raise ValueError(f'{where} is {type(value).__name__}, expected an object')
    missing = [key for key in needed if key not in value]
    unknown = [key for key in value if key not in (*needed, *allowed)]
    if missing or unknown:
        raise ValueError(
            f'{where} lacks {missing} and has unknown {unknown}; known are '
            f'{", ".join((*needed, *allowed))}'
        )


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f'{where}: names are lower-case letters, digits, "-" and "_"')


def _check_choice(value: Any, choices: Sequence[str], where: str) -> None:
    if value not in choices:
        raise ValueError(f'{where} is {value!r}, expected one of {", ".join(choices)}')


def _read_words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(set(map(str, value))) < len(value):
        raise ValueError(f'{where} is {value!r}, expected a list without repetition')
    return tuple(map(str, value))


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and Path(name).name == name and name not in ('', '..')
