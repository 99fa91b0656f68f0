"""Class activation maps of a classifier, for its sequences and for its targets.

Not here: the formula (``mmmed.functional.saliency``), occlusion (``classifier_probe``).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmmed.functional.saliency import compute_grad_cam


@dataclass(frozen=True)
class CamLayers:
    """Names of the modules of a network whose maps are explained.

    Args:
        by_target: Module that each target is read from.
        by_sequence: Module at the end of each sequence's encoder.
    """

    by_target: Mapping[str, str]
    by_sequence: Mapping[str, str]


@dataclass(frozen=True)
class ActivationMaps:
    """Grad-CAM, >= 0, coarse.

    Args:
        by_target: (T, z, y, x); NaN where the layer did not run; None without.
        by_sequence: (M, S, z, y, x), likewise.
    """

    by_target: NDArray[np.float32] | None
    by_sequence: NDArray[np.float32] | None


def find_cam_layers(model: nn.Module, targets: Mapping[str, Any]) -> CamLayers:
    """Layers that a network names.

    Args:
        model: With ``network``, whose ``encoder_layers`` are by sequence and then
            ``cam_layers`` by target; or only ``cam_layers`` by sequence; or one
            ``cam_layer``.
        targets: Their names.

    Returns:
        Both empty for a network that names none.
    """
    network: Any = model.network
    encoders = getattr(network, 'encoder_layers', None)
    layers = getattr(network, 'cam_layers', None)
    if encoders is not None and layers is not None:
        return CamLayers({t: layers[t] for t in targets if t in layers}, encoders)
    if layers is not None:
        return CamLayers({}, layers)
    single = getattr(network, 'cam_layer', None)
    return CamLayers(dict.fromkeys(targets, single) if single else {}, {})


def compute_maps(
    model: nn.Module,
    inputs: Tensor,
    available: Tensor,
    labels: Mapping[str, int],
    shown: Mapping[str, int],
) -> ActivationMaps:
    """Grad-CAM of one case.

    Args:
        model: In evaluation mode.
        inputs: (S, C, Z, Y, X).
        available: Bool, (S,).
        labels: Class index by target, T of them: maps of targets.
        shown: Some of them, M: maps of sequences.

    Returns:
        What the network's layers allow.
    """
    network: Any = model.network
    layers = find_cam_layers(model, labels)
    names = {*layers.by_target.values(), *layers.by_sequence.values()}
    depth = inputs.shape[2] if getattr(network, 'dims', 3) == 3 else 1
    with (
        _record(network, names) as seen,
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        # A gradient must arrive even where weights are frozen.
        batch = inputs.clone()[None].requires_grad_()
        logits = model(batch, available[None].clone(), mode='tensor')
        grads = {
            name: _differentiate(logits[name][0, label], seen)
            for name, label in labels.items()
        }
    rows = _find_rows(layers, available)
    by_target = [
        _make_map(seen, grads[name], layers.by_target.get(name), 0, depth)
        for name in labels
    ]
    by_sequence = [
        _make_map(seen, grads[name], layer, rows.get(sequence), depth)
        for name in shown
        for sequence, layer in layers.by_sequence.items()
    ]
    sequences = _stack(by_sequence)
    if sequences is not None:
        shape = len(shown), len(layers.by_sequence), *sequences.shape[1:]
        sequences = sequences.reshape(shape)
    return ActivationMaps(_stack(by_target), sequences)


@contextmanager
def _record(network: nn.Module, names: set[str]) -> Iterator[dict[str, Tensor]]:
    """Outputs of modules by name, as long as the block runs."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Tensor) -> None:
            seen[name] = output

        return hook

    hooks = [
        network.get_submodule(name).register_forward_hook(keep(name))
        for name in sorted(names)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _differentiate(score: Tensor, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not seen or not score.requires_grad:
        return {}
    grads = torch.autograd.grad(
        score, list(seen.values()), retain_graph=True, allow_unused=True
    )
    return {k: g for k, g in zip(seen, grads, strict=True) if g is not None}


def _find_rows(layers: CamLayers, available: Tensor) -> dict[str, int]:
    """Row of each sequence in the output of its encoder, which skips absent ones."""
    shared = len(set(layers.by_sequence.values())) < len(layers.by_sequence)
    has = available.tolist()
    present = [
        s for s, is_there in zip(layers.by_sequence, has, strict=False) if is_there
    ]
    return {name: index if shared else 0 for index, name in enumerate(present)}


def _make_map(
    seen: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    layer: str | None,
    row: int | None,
    depth: int,
) -> Tensor | None:
    """Map (z, y, x) of one row; None where the layer did not run.

    A layer that does not reach the score (no gradient) is 0 everywhere.
    """
    if layer is None or row is None or layer not in seen:
        return None
    maps = seen[layer]
    gradients = grads.get(layer, torch.zeros_like(maps))
    if maps.ndim == 4 and depth > 1:  # slices as cases: (N * Z, C, y, x)
        part = slice(row * depth, (row + 1) * depth)
        maps, gradients = maps[part].movedim(0, 1), gradients[part].movedim(0, 1)
    else:
        maps, gradients = maps[row], gradients[row]
    cam = compute_grad_cam(maps.detach(), gradients)
    return (cam if cam.ndim == 3 else cam[None]).float().cpu()


def _stack(maps: list[Tensor | None]) -> NDArray[np.float32] | None:
    """Maps of one size, NaN for those that are not there."""
    sizes = {tuple(cam.shape) for cam in maps if cam is not None}
    if not sizes:
        return None
    size = max(sizes)
    blank = torch.full(size, torch.nan)
    return torch.stack([blank if cam is None else cam for cam in maps]).numpy()
