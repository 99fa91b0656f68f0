"""Experiment files that are made of files: YAML whose values name other YAML.

Nothing of a file is run, and no file outside one folder is opened. Not here: what the
keys mean (``importing``).
"""

import math
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

_MOST_BYTES = 1 << 18
_MOST_FILES = 64
_MOST_NODES = 20_000
_DEEPEST_FILE = 6
_DEEPEST_NODE = 24
_SUFFIXES = ('.yaml', '.yml')
# Keys whose file may be absent: it only says where folders of one computer are.
_OPTIONAL = ('directory',)


class ExperimentReader:
    """Read a YAML file, and in its place every file that a value names.

    Args:
        root: Folder that all files must lie in, links resolved.

    Attributes:
        absent: Key and name of files that are absent and may be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.absent: list[tuple[str, str]] = []
        self._files = 0
        self._nodes = 0

    def read(self, path: Path) -> dict[str, Any]:
        """The experiment.

        Args:
            path: File, inside the root.

        Raises:
            FileNotFoundError: It, or a file that it names, is absent.
            ValueError: A file is no YAML of plain values, too large, too deep, lies
                outside the root, or the whole is no mapping.
        """
        value = self._read_file(self._locate(path, where=str(path)), '', 0)
        if not isinstance(value, dict):
            raise ValueError(
                f'{path}: holds {type(value).__name__}, expected a mapping of keys '
                'such as model, trainer and data'
            )
        return value

    def _read_file(self, path: Path, key: str, depth: int) -> Any:
        self._files += 1
        if depth > _DEEPEST_FILE or self._files > _MOST_FILES:
            raise ValueError(
                f'{path}: more than {_DEEPEST_FILE} files in each other or '
                f'{_MOST_FILES} in all; does one name itself?'
            )
        with path.open('rb') as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ValueError(f'{path}: more than {_MOST_BYTES} bytes, no experiment')
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, UnicodeError, ValueError) as error:
            reason = ' '.join(str(error).split())[:300]
            raise ValueError(f'{path}: no YAML of plain values: {reason}') from error
        return self._resolve(value, path, key, depth, 0)

    def _resolve(self, value: Any, path: Path, key: str, depth: int, level: int) -> Any:
        """Value with files in the place of their names; aliases are walked again."""
        self._nodes += 1
        if level > _DEEPEST_NODE or self._nodes > _MOST_NODES:
            raise ValueError(
                f'{path}: nested deeper than {_DEEPEST_NODE} or more than '
                f'{_MOST_NODES} values; this is no experiment'
            )
        if isinstance(value, dict):
            for name in value:
                if not isinstance(name, str):
                    raise ValueError(
                        f'{path}: key {name!r} of {key or "top"} is no text'
                    )
            return {
                name: self._resolve(
                    part, path, f'{key}.{name}'.lstrip('.'), depth, level + 1
                )
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [
                self._resolve(part, path, f'{key}[{n}]', depth, level + 1)
                for n, part in enumerate(value)
            ]
        if isinstance(value, str) and value.lower().endswith(_SUFFIXES):
            return self._follow(value, path, key, depth)
        return _check_plain(value, path, key)

    def _follow(self, value: str, path: Path, key: str, depth: int) -> Any:
        """What the file that a value names holds."""
        where = f'{path}: {key} names {value!r}'
        if PureWindowsPath(value).drive or PureWindowsPath(value).root:
            raise ValueError(
                f'{where}, a path of one computer; make it relative to this file'
            )
        target = path.parent / value.replace('\\', '/')
        try:
            return self._read_file(self._locate(target, where=where), key, depth + 1)
        except FileNotFoundError:
            if key not in _OPTIONAL:
                raise
            self.absent.append((key, value))
            return None

    def _locate(self, path: Path, *, where: str) -> Path:
        resolved = path.resolve()
        if not resolved.is_relative_to(self.root):
            raise ValueError(
                f'{where}, which lies outside {self.root}; give the folder of all '
                'files as --root'
            )
        if not resolved.is_file():
            raise FileNotFoundError(f'{where}: there is no such file')
        return resolved


def _check_plain(value: Any, path: Path, key: str) -> Any:
    """A value that a config can hold as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    # The host fills in what stands in double braces, variables of the shell too.
    if isinstance(value, str) and '{{' not in value and value.isprintable():
        return value
    raise ValueError(
        f'{path}: {key} is {str(value)[:80]!r}, expected text without line breaks and '
        'double braces, a finite number, true, false or null'
    )
