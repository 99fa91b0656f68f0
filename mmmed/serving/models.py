"""Which models a service has, from its command line; not here: what a model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, hash_json
from mmmed.inference import hush_host
from mmmed.inference.call import CONFIG_SUFFIXES
from mmmed.serving.predictor import NetworkPredictor, Predictor

_NAME_CHARS = 40


@dataclass(frozen=True)
class ModelSpec:
    """One model, as files.

    Args:
        name: What clients call it.
        config: Config of the training; None for ONNX files.
        weights: Checkpoints of that config (an ensemble), or ONNX files.
    """

    name: str
    config: Path | None
    weights: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything it is read from."""
        return (*([self.config] if self.config else []), *self.weights)

    def build(self, device: str) -> Predictor:
        """The model, loaded."""
        return NetworkPredictor(self.config, self.weights, device)


def parse_model(text: str) -> ModelSpec:
    """``NAME=CONFIG:CKPT[,CKPT…]`` or ``NAME=NETWORK.onnx[,…]``.

    Raises:
        ValueError: It is neither.
    """
    name, equals, files = text.partition('=')
    if not equals or not files:
        raise ValueError(
            f'model {text!r}, expected NAME=CONFIG:CKPT[,CKPT...] or NAME=NET.onnx'
        )
    check_name(name)
    config, colon, weights = files.partition(':')
    if colon and not config.lower().endswith(CONFIG_SUFFIXES):
        raise ValueError(
            f'model {name}: {config!r} is no config, expected a name that ends in '
            f'{", ".join(CONFIG_SUFFIXES)}'
        )
    listed = weights if colon else config
    paths = tuple(Path(part) for part in listed.split(',') if part)
    wrong = [p for p in paths if (p.suffix.lower() == '.onnx') == bool(colon)]
    if not paths or wrong:
        raise ValueError(
            f'model {name}: expected CONFIG:CKPT[,CKPT...], or ONNX files alone'
        )
    return ModelSpec(name, Path(config) if colon else None, paths)


def check_name(name: str) -> None:
    """Raise unless a name is short and plain."""
    plain = name.replace('-', '').replace('_', '').replace('.', '')
    if not plain.isalnum() or not name.isascii() or len(name) > _NAME_CHARS:
        raise ValueError(
            f'model name {name!r}, expected up to {_NAME_CHARS} letters, digits, '
            '"-", "_" or "."'
        )


def check_models(specs: Sequence[Any]) -> None:
    """Raise unless there are models, their names differ and their files exist.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: No model, or two of one name.
    """
    if not specs:
        raise ValueError('no model given; use --model NAME=CONFIG:CKPT')
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise ValueError(f'models are {", ".join(names)}, expected different names')
    for spec in specs:
        for path in spec.files:
            if not path.is_file():
                raise FileNotFoundError(f'model {spec.name}: {path} does not exist')


def hash_model(spec: Any) -> str:
    """SHA-256 over the contents of a model's files."""
    return hash_json([hash_file(path) for path in spec.files])


def plan_loading(specs: Sequence[Any], device: str) -> Any:
    """A function that loads all models; another process can be given it."""
    return partial(_load, tuple(specs), device)


def _load(specs: Sequence[Any], device: str) -> Mapping[str, Predictor]:
    hush_host()
    return {spec.name: spec.build(device) for spec in specs}
