"""Networks and their recipe from files: config and checkpoints, or ONNX files.

Checkpoints are read without executing anything they hold; a config is Python and is
executed, as everywhere in the host.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.files import hash_file
from mmmed.inference.config_recipe import derive_recipe
from mmmed.inference.networks import Network, OnnxNetwork, TorchNetwork
from mmmed.inference.recipe import ScanRecipe


@dataclass(frozen=True)
class LoadedNetworks:
    """Networks of an ensemble, one recipe, and where they came from.

    Args:
        networks: One per file of weights.
        recipe: The same for all.
        weights: Name and SHA-256 of each file.
        config: Resolved config; None for ONNX files.
    """

    networks: tuple[Network, ...]
    recipe: ScanRecipe
    weights: tuple[tuple[str, str], ...]
    config: Mapping[str, Any] | None = None


def load_networks(
    config: str | Path | None,
    weights: Sequence[str | Path],
    *,
    device: str = 'cpu',
    changes: Mapping[str, Any] | None = None,
) -> LoadedNetworks:
    """Load every network once.

    Args:
        config: Config of the training; None for ONNX files.
        weights: Checkpoints of that config (folds of an ensemble), or ONNX files.
        device: As for torch, e.g. ``'cuda:0'``.
        changes: Arguments of :class:`ScanRecipe` that override what is stored.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: A file is damaged or refused, does not fit the config, the
            recipes differ, or something that decides the result is unknown.
    """
    if not weights:
        raise ValueError('no weights given, expected at least one checkpoint')
    _check_device(device)
    paths = [Path(path) for path in weights]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f'weights {path} do not exist')
    cfg = None
    if config is None:
        loaded = [_load_onnx(path, device, changes) for path in paths]
    else:
        cfg = _read_config(config)
        loaded = [_load_torch(cfg, path, device, changes) for path in paths]
    networks, recipes = zip(*loaded, strict=True)
    for path, recipe in zip(paths, recipes, strict=True):
        if recipe != recipes[0]:
            raise ValueError(
                f'{path} was trained on other classes or intensities than {paths[0]}: '
                f'{_find_difference(recipes[0], recipe)}; an ensemble needs the same'
            )
    hashes = tuple((path.name, hash_file(path)) for path in paths)
    return LoadedNetworks(
        networks, recipes[0], hashes, None if cfg is None else cfg.to_dict()
    )


def _load_onnx(
    path: Path, device: str, changes: Mapping[str, Any] | None
) -> tuple[Network, ScanRecipe]:
    network = OnnxNetwork(path, device)
    recipe = network.read_recipe()
    if changes:
        recipe = ScanRecipe.from_dict({**recipe.to_dict(), **changes})
    return network, recipe


def _load_torch(
    config: Any, path: Path, device: str, changes: Mapping[str, Any] | None
) -> tuple[Network, ScanRecipe]:
    checkpoint = load_checkpoint_safely(path, 'cpu')
    model = build_model(config)
    load_weights(model, checkpoint, path)
    meta = checkpoint.get('meta') or {}
    dataset_meta = meta.get('dataset_meta') or {}
    try:
        recipe = derive_recipe(config, dataset_meta, model, changes)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    return TorchNetwork(model, device), recipe


def build_model(config: Any) -> nn.Module:
    """The model of a config, through the registry, without initial weights.

    Raises:
        ValueError: A part of it is not registered or cannot be built.
    """
    # Before any model of the host's is imported.
    from mmengine.registry import DefaultScope

    import mmmed.compat  # noqa: F401
    from mmmed.registry import MODELS

    scope = config.get('default_scope') or 'mmengine'
    with DefaultScope.overwrite_default_scope(scope):
        try:
            return MODELS.build(config['model'])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f'the model of the config fails: {error}') from error


def load_weights(
    model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path
) -> None:
    """Put every weight of a checkpoint into a model; none may be left over.

    Args:
        model: Changed in place.
        checkpoint: With or without the entry ``state_dict``.
        path: For messages.

    Raises:
        ValueError: Names or shapes differ.
    """
    state = checkpoint.get('state_dict', checkpoint)
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    try:
        model.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:
        lines = [line.strip() for line in str(error).splitlines()[1:4]]
        raise ValueError(
            f'{path} does not fit the model of the config: {" ".join(lines)[:400]}'
        ) from error


def hush_host() -> None:
    """Keep the host from saying anything but warnings; for command lines."""
    try:
        from mmengine.logging import MMLogger
    except ImportError:  # ONNX files run without it
        return
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    warnings.filterwarnings('ignore', module='mmseg')


def _read_config(path: str | Path) -> Any:
    from mmengine.config import Config

    if not Path(path).is_file():
        raise FileNotFoundError(f'config {path} does not exist')
    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config is a program: anything can happen
        raise ValueError(f'{path}: not a usable config ({error})') from error
    if 'model' not in config:
        raise ValueError(f'{path}: the config has no model')
    return config


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f'--device {device}: {error}') from error
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'--device {device}: no CUDA device found; use --device cpu')


def _find_difference(one: ScanRecipe, other: ScanRecipe) -> str:
    theirs = other.to_dict()
    return ', '.join(
        f'{key} {value!r} against {theirs[key]!r}'
        for key, value in one.to_dict().items()
        if value != theirs[key]
    )
