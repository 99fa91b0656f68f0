"""Settings of the cascade from a YAML file and from a command line, which wins.

Sections and keys are those of the settings' classes: ``processing``, ``models`` with a
section a stage, ``output``. The file is data: nothing in it is executed, and what is
no key is an error.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mmmed.inference.cascade.outputs import OutputSettings
from mmmed.inference.cascade.settings import (
    CascadeSettings,
    ModelSettings,
    ProcessingSettings,
)

_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class SpineConfig:
    """What may be set, in the sections of the file.

    Args:
        processing: How to compute.
        models: The stages.
        output: What is written.
    """

    processing: ProcessingSettings = field(default_factory=ProcessingSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @property
    def cascade(self) -> CascadeSettings:
        """What concerns the cascade."""
        return CascadeSettings(processing=self.processing, models=self.models)


def read_config(
    path: str | Path | None = None, changes: Mapping[str, Any] | None = None
) -> SpineConfig:
    """Settings of a file, changed by a command line.

    Args:
        path: YAML file; None takes the defaults.
        changes: Values by dotted key, such as ``'processing.batch_size'``; None
            leaves what the file says.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not YAML, an unknown key (the message names the nearest known one),
            or a value of another type or out of range.
    """
    values = {} if path is None else _read_yaml(Path(path))
    for key, value in (changes or {}).items():
        if value is not None:
            _set(values, key.split('.'), value)
    try:
        config: SpineConfig = _build(SpineConfig, values, '')
    except ValueError as error:
        where = f'{path}: ' if path is not None else ''
        raise ValueError(f'{where}{error}') from error
    return config


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'configuration file {path} does not exist')
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'{path}: larger than {_MAX_BYTES} bytes, no configuration')
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        text = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'{path}: not readable as YAML ({text:.300})') from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(
            f'{path}: a {type(values).__name__}, expected sections such as '
            '"processing:"'
        )
    return _copy(values)


def _copy(values: dict[Any, Any]) -> dict[str, Any]:
    """Sections of their own: an anchor of YAML is the same object everywhere."""
    return {
        key: {**value} if isinstance(value, dict) else value
        for key, value in values.items()
    }


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = {} if values.get(key) is None else values[key]
        if not isinstance(inner, dict):
            return  # no section, which is told when the settings are built
        values[key] = dict(inner)
        values = values[key]
    values[keys[-1]] = value


def _build(kind: type, values: Any, place: str) -> Any:
    """Settings of a class from a section."""
    if not isinstance(values, Mapping):
        raise ValueError(f'{place}: got {values!r:.80}, expected a section of keys')
    hints = typing.get_type_hints(kind)
    names = [one.name for one in dataclasses.fields(kind)]
    known = {}
    for key, value in values.items():
        name = f'{place}.{key}' if place else str(key)
        if key not in names:
            raise ValueError(f'unknown key {name!r}{_suggest(str(key), names, place)}')
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            known[key] = _build(hint, {} if value is None else value, name)
        else:
            known[key] = _convert(value, hint, name)
    try:
        return kind(**known)
    except ValueError as error:
        raise ValueError(f'{place}.{error}' if place else str(error)) from error


def _suggest(key: str, names: list[str], place: str) -> str:
    near = difflib.get_close_matches(key, names, 1, 0.5)
    if near:
        name = f'{place}.{near[0]}' if place else near[0]
        return f'; did you mean {name!r}?'
    return f'; known are {", ".join(names)}'


def _convert(value: Any, hint: Any, name: str) -> Any:
    """A value as its field holds it.

    Raises:
        ValueError: It is of another type.
    """
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(hint)
        if value is None and type(None) in options:
            return None
        (hint,) = (option for option in options if option is not type(None))
        return _convert(value, hint, name)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            value = (value,)
        (item, *_) = typing.get_args(hint)
        return tuple(_convert(one, item, name) for one in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        words = {int: 'a whole number', float: 'a number', bool: 'true or false'}
        raise ValueError(
            f'{name}: got {value!r:.80}, expected {words.get(hint, "a text")}'
        )
    return value
