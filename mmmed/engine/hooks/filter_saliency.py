"""How much each filter of a network mattered in the batches that it was trained on.

Not here: the formulas and the choice (``mmmed.functional.filter_pruning``).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmmed.functional.filter_pruning import (
    draw_saliency,
    normalize_saliency,
    score_activations,
    score_weights,
)


class SaliencyCollector:
    """Sums of activation times gradient of every filter, over training steps.

    Nothing is computed twice: the steps of the training itself are listened to.

    Attributes:
        sums: For each group float64 of shape (filters,); empty before the first batch.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def attach(self, groups: Mapping[str, Any]) -> None:
        """Listen to the next forward and backward pass.

        Args:
            groups: Filter groups by name, each with the module ``site``.
        """
        self.detach()
        for name, group in groups.items():
            listen = partial(self._listen, name)
            self._handles.append(group.site.register_forward_hook(listen))

    def detach(self) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def clear(self) -> None:
        """Forget all sums."""
        self.sums = {}

    def _listen(self, name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        # Under checkpointing of activations the first pass has no gradient.
        if output.requires_grad:
            output.register_hook(partial(self._add, name, output.detach()))

    def _add(self, name: str, activation: Tensor, gradient: Tensor) -> None:
        # A gradient scaler of mixed precision tries scales that overflow, and skips
        # such steps; here they say nothing.
        score = score_activations(activation, gradient).nan_to_num(0.0, 0.0, 0.0)
        self.sums[name] = self.sums[name] + score if name in self.sums else score


def score_filters(
    groups: Mapping[str, Any],
    mode: str,
    *,
    sums: Mapping[str, Tensor],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Saliency of every filter, comparable between layers.

    Args:
        groups: Filter groups by name, with ``producers`` and ``count``.
        mode: ``'taylor'``, ``'l1'``, ``'l2'`` or ``'random'``.
        sums: What a :class:`SaliencyCollector` has, for ``'taylor'``.
        rng: For ``'random'``.

    Returns:
        Values >= 0, (filters,) a group. Where filters of two convolutions go
        together, their sizes are added.

    Raises:
        ValueError: A group has no sum, or a value is not finite.
    """
    if mode == 'random':
        return draw_saliency({n: group.count for n, group in groups.items()}, rng)
    if mode != 'taylor':
        sizes = {name: _score_group(group, mode) for name, group in groups.items()}
        return normalize_saliency(sizes)
    silent = sorted(set(groups) - set(sums))
    if silent:
        raise ValueError(
            f'no gradient passed {silent} since the last pruning; are their weights '
            'frozen, or did no training step fall into the span?'
        )
    return normalize_saliency({n: sums[n].cpu().numpy() for n in groups})


def _score_group(group: Any, mode: str) -> NDArray[np.float64]:
    total = np.zeros(group.count)
    for part in group.producers:
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            axis = 1 if isinstance(part, nn.ConvTranspose2d) else 0
            total += score_weights(part.weight, mode=mode, axis=axis)
    return total
