"""Which models a service has, from its command line; not here: what a model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from mmmed.files import hash_file, hash_json
from mmmed.inference import hush_host
from mmmed.inference.call import CONFIG_SUFFIXES
from mmmed.inference.fusion_spec import FusionSpec
from mmmed.serving.fusion_predictor import FusionPredictor
from mmmed.serving.predictor import NetworkPredictor, Predictor
from mmmed.serving.worker import Build

_NAME_CHARS = 40


class Spec(Protocol):
    """A model as files, before it is loaded."""

    @property
    def name(self) -> str:
        """What clients call it."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything it is read from."""
        ...

    def build(self, device: str) -> Predictor:
        """The model, loaded."""
        ...


@dataclass(frozen=True)
class ModelSpec:
    """A network, or an ensemble of one recipe.

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


@dataclass(frozen=True)
class FusionModelSpec:
    """Networks of several planes, by a file of :class:`FusionSpec`.

    Args:
        name: What clients call it.
        path: The JSON file.
        register: See :class:`FusionPredictor`.
        template: Likewise.
    """

    name: str
    path: Path
    register: bool = False
    template: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything it is read from.

        Raises:
            FileNotFoundError: The JSON file is absent.
            ValueError: It is none.
        """
        planes = FusionSpec.read(self.path).planes.values()
        extra = [self.template] if self.template else []
        networks = [path for config, weights in planes for path in (config, *weights)]
        return (self.path, *extra, *networks)

    def build(self, device: str) -> Predictor:
        """The model, loaded."""
        return FusionPredictor(
            self.path, device, register=self.register, template=self.template
        )


def parse_fusion(
    text: str, *, register: bool = False, template: Path | None = None
) -> FusionModelSpec:
    """``NAME=FILE.json``, or ``FILE.json``, whose name it then has.

    Raises:
        ValueError: The name is not plain.
    """
    name, equals, path = text.partition('=')
    if not equals:
        name, path = Path(text).stem, text
    check_name(name)
    return FusionModelSpec(name, Path(path), register, template)


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


def check_models(specs: Sequence[Spec]) -> None:
    """Raise unless there are models, their names differ and their files exist.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: No model, or two of one name.
    """
    if not specs:
        raise ValueError(
            'no model given; use --model NAME=CONFIG:CKPT or --fusion FILE.json'
        )
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise ValueError(f'models are {", ".join(names)}, expected different names')
    for spec in specs:
        for path in spec.files:
            if not path.is_file():
                raise FileNotFoundError(f'model {spec.name}: {path} does not exist')


def hash_model(spec: Spec) -> str:
    """SHA-256 over the contents of a model's files, and whether it registers."""
    facts = [hash_file(path) for path in spec.files]
    return hash_json([*facts, getattr(spec, 'register', False)])


def plan_loading(specs: Sequence[Spec], device: str) -> Build:
    """A function that loads all models; another process can be given it."""
    return partial(_load, tuple(specs), device)


def _load(specs: Sequence[Spec], device: str) -> Mapping[str, Predictor]:
    hush_host()
    return {spec.name: spec.build(device) for spec in specs}
