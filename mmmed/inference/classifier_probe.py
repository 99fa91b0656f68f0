"""Questions to a classifier about one case: what if a part of it were not there?

Not here: gradients (``classifier_maps``), files (``explanation_run``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmmed.functional.calibration import apply_temperature
from mmmed.functional.saliency import Block
from mmmed.functional.signal_relay import Relay

FILLS = ('mean', 'zero')
Prob = dict[str, NDArray[np.float64]]
# Image and mask of one variant of the case.
_Variant = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class ClassifierProbe:
    """A model and one case.

    Args:
        model: A ``VolumeClassifier`` or alike, in evaluation mode.
        inputs: The case, (S, C, Z, Y, X); further channels (a box) are kept as they
            are.
        available: Bool, (S,).
        temperature: By target, 1 where nothing is said.
        batch_size: Variants at a time.
    """

    model: nn.Module
    inputs: Tensor
    available: Tensor
    temperature: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 16

    def predict(self) -> Prob:
        """Probabilities (K_t,) by target."""
        prob = self._predict([(self.inputs, self.available)])
        return {name: values[0] for name, values in prob.items()}

    def ablate(self) -> Prob:
        """Change of the probabilities without each sequence, (S, K_t) by target.

        The sequence is missing as the network knows missing ones: its voxels are 0 and
        the mask says so. A sequence that the case does not have changes nothing.
        """
        own = self.predict()

        def list_variants() -> Iterator[_Variant]:
            for index in range(len(self.inputs)):
                inputs, available = self.inputs.clone(), self.available.clone()
                inputs[index] = 0
                available[index] = False
                yield inputs, available

        changed = self._predict(list_variants())
        has = self.available.cpu().numpy()[:, None]
        # Rounding differs with the size of a batch: nothing changed is 0.
        return {name: np.where(has, v - own[name], 0.0) for name, v in changed.items()}

    def occlude(
        self,
        targets: Mapping[str, int],
        blocks: Sequence[Block],
        *,
        fill: str = 'mean',
    ) -> NDArray[np.float32]:
        """Change of a class's probability where a block of one sequence is hidden.

        Args:
            targets: Class index by target, M of them.
            blocks: See :func:`mmmed.functional.saliency.list_blocks`.
            fill: ``'mean'`` of the sequence, or ``'zero'``.

        Returns:
            Shape (M, S, B), below 0 where the block speaks for the class; NaN for
            sequences that the case does not have.

        Raises:
            ValueError: ``fill`` is neither.
        """
        if fill not in FILLS:
            raise ValueError(f'fill is {fill!r}, expected one of {FILLS}')
        own = self.predict()
        present = self.available.nonzero().flatten().tolist()

        def list_variants() -> Iterator[_Variant]:
            for index in present:
                value = self.inputs[index, 0].mean() if fill == 'mean' else 0.0
                for block in blocks:
                    inputs = self.inputs.clone()
                    part = tuple(slice(start, stop) for start, stop in block)
                    inputs[(index, 0, *part)] = value
                    yield inputs, self.available

        shape = len(targets), len(self.inputs), len(blocks)
        result = np.full(shape, np.nan, np.float32)
        if not present or not blocks:
            return result
        prob = self._predict(list_variants())
        for row, (name, label) in enumerate(targets.items()):
            change = prob[name][:, label] - own[name][label]
            result[row, present] = change.reshape(len(present), len(blocks))
        return result

    def read_relay(self) -> Relay | None:
        """The signal relay of the head and its input; None without one."""
        head: Any = self.model.head
        layer = getattr(head, 'relay', None)
        if layer is None:
            return None
        seen: list[Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        try:
            self.predict()
        finally:
            hook.remove()
        return Relay(
            order=tuple(head.relay_order),
            weight=_to_array(layer.weight),
            bias=_to_array(layer.bias),
            signals=_to_array(seen[-1][0]),
            main_target=head.main_target,
            temperature=self.temperature.get(head.main_target, 1.0),
        )

    def read_attention(self) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
        """Attention of the network, and what it is among.

        Returns:
            (T, T) among targets, mean over heads, rows look at columns; or (S,), the
            weight of each sequence; or None. Names of the targets or sequences.
        """
        network: Any = self.model.network
        attention = getattr(network, 'attention', None)
        # Of targets it is wrapped in a transformer layer.
        layer = getattr(getattr(attention, 'attention', attention), 'weights', None)
        if not isinstance(layer, nn.Module):
            return None, ()
        seen: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _m, _a, out: seen.append(out))
        try:
            self.predict()
        finally:
            hook.remove()
        if not seen:
            return None, ()
        weights = seen[-1]
        if weights.ndim == 4:
            return _to_array(weights[0].mean(0)), tuple(network.targets)
        return _to_array(weights[0] * self.available), tuple(network.sequences)

    @torch.no_grad()
    def _predict(self, variants: Iterable[_Variant]) -> Prob:
        logits: dict[str, list[NDArray]] = {}
        pending = iter(variants)
        while batch := list(islice(pending, self.batch_size)):
            inputs, available = map(torch.stack, zip(*batch, strict=True))
            for name, value in self.model(inputs, available, mode='tensor').items():
                logits.setdefault(name, []).append(_to_array(value))
        return {
            name: apply_temperature(
                np.concatenate(parts), self.temperature.get(name, 1.0)
            )
            for name, parts in logits.items()
        }


def _to_array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().double().cpu().numpy()
