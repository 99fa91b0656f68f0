"""A config as text that one can read and change."""

import keyword
import textwrap
from collections.abc import Mapping
from typing import Any

_WIDTH = 88


class Variable(str):
    """Name of another variable of the config, written without quotes."""


def write_config_text(
    config: Mapping[str, Any], *, bases: list[str], title: str, comments: list[str]
) -> str:
    """Python text of a config.

    Args:
        config: Plain values by name.
        bases: Paths of base files.
        title: First line; one sentence.
        comments: Paragraphs for the top of the file.

    Returns:
        Text with a line break at the end. Nothing in it is run but literals and
        ``dict(...)``.

    Raises:
        ValueError: A value is not plain.
    """
    lines = [f'"""{_clean(title)}"""', '']
    for comment in comments:
        lines += textwrap.wrap(
            _clean(comment), _WIDTH, initial_indent='# ', subsequent_indent='#     '
        )
    lines += ['', f'_base_ = {format_value(bases, 0, 8)}', '']
    for name, value in config.items():
        lines.append(f'{name} = {format_value(value, 0, len(name) + 3)}')
    return '\n'.join(lines) + '\n'


def format_value(value: Any, indent: int = 0, used: int = 0) -> str:
    """A value as Python text, broken where a line would be too long.

    Args:
        value: None, text, number, or lists, tuples and mappings of them.
        indent: Spaces before the lines after the first.
        used: Characters before it on the first line.

    Raises:
        ValueError: Another type.
    """
    flat = _format_flat(value)
    if len(flat) + indent + used < _WIDTH or not isinstance(
        value, Mapping | list | tuple
    ):
        return flat
    inner = ' ' * (indent + 4)
    parts = []
    if isinstance(value, Mapping):
        is_call = _is_call(value)
        for key, part in value.items():
            start = f'{key}=' if is_call else f'{key!r}: '
            parts.append(start + format_value(part, indent + 4, len(start) + 1))
        opening, closing = ('dict(', ')') if is_call else ('{', '}')
    else:
        parts = [format_value(part, indent + 4, 1) for part in value]
        opening, closing = '[]' if isinstance(value, list) else '()'
    body = ''.join(f'{inner}{part},\n' for part in parts)
    return f'{opening}\n{body}{" " * indent}{closing}'


def _format_flat(value: Any) -> str:
    if isinstance(value, Mapping):
        if _is_call(value):
            inner = ', '.join(f'{k}={_format_flat(v)}' for k, v in value.items())
            return f'dict({inner})'
        inner = ', '.join(f'{k!r}: {_format_flat(v)}' for k, v in value.items())
        return f'{{{inner}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_format_flat, value))}]'
    if isinstance(value, tuple):
        inner = ', '.join(map(_format_flat, value))
        return f'({inner},)' if len(value) == 1 else f'({inner})'
    if isinstance(value, Variable):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    raise ValueError(f'{type(value).__name__} {value!r} cannot be written to a config')


def _is_call(value: Mapping[str, Any]) -> bool:
    return all(key.isidentifier() and not keyword.iskeyword(key) for key in value)


def _clean(text: str) -> str:
    """Text that ends neither the comment nor its quotes, and fills in nothing."""
    text = ' '.join(str(text).split()).replace('\\', '/').replace('"', "'")
    return text.replace('{{', '{ {').replace('}}', '} }')
