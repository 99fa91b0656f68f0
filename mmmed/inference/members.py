"""Member: networks whose mean probability counts as one opinion.

Several networks and mirrored views are averaged as probabilities, on the spot, so
that an ensemble needs no more memory than its largest part. Not here: votes of
members (``functional.label_fusion``), windows and slices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.functional.probabilities import activate_logits
from mmmed.inference.networks import Network
from mmmed.inference.recipe import ScanRecipe


@dataclass(frozen=True)
class Member:
    """Networks and views that are averaged.

    Args:
        networks: At least one.
        recipe: Of all of them.
        use_tta: Whether mirrored views (``recipe.flips``) are added.
    """

    networks: tuple[Network, ...]
    recipe: ScanRecipe
    use_tta: bool = False

    def average(
        self,
        inputs: Tensor,
        predict: Callable[[Network, Tensor], Tensor] | None = None,
        restore: Callable[[Tensor], Tensor] | None = None,
    ) -> list[Tensor]:
        """Mean probability over networks and views.

        Args:
            inputs: Normalised, shape (N, C, *space).
            predict: Logits of a network for one view, (N, K, *space); None calls it.
            restore: Applied to the logits of each image, (1, K, *space), after the
                view is turned back and before they become probabilities.

        Returns:
            For each image (K, *space), or as ``restore`` makes it, float32: for
            K = 1 the foreground, else every class.

        Raises:
            ValueError: A network's answer has another shape than expected.
        """
        totals: list[Tensor] = []
        views = 0
        for logits in self._run(inputs, predict):
            views += 1
            for index in range(len(logits)):
                image = logits[index : index + 1]
                prob = activate_logits(restore(image) if restore else image)[0]
                if views == 1:
                    totals.append(prob)
                else:
                    totals[index] += prob
        # A single view is left as it is: dividing would round nothing, but costs time.
        return totals if views == 1 else [total.div_(views) for total in totals]

    def _run(
        self, inputs: Tensor, predict: Callable[[Network, Tensor], Tensor] | None
    ) -> Iterator[Tensor]:
        flips = ((), *self.recipe.flips) if self.use_tta else ((),)
        for network in self.networks:
            for axes in flips:
                view = inputs.flip(axes) if axes else inputs
                logits = predict(network, view) if predict else network(view)
                self._check(logits, view)
                yield logits.flip(axes) if axes else logits

    def _check(self, logits: Tensor, inputs: Tensor) -> None:
        expected = (len(inputs), self.recipe.out_channels, *inputs.shape[2:])
        if tuple(logits.shape) != expected:
            raise ValueError(
                f'the network gave logits of shape {tuple(logits.shape)}, expected '
                f'{expected}; correct out_channels, or choose sizes that it keeps '
                '(size_divisor)'
            )


def normalize(values: Sequence[NDArray], recipe: ScanRecipe) -> Tensor:
    """Inputs of the network from arrays on the training scale.

    Args:
        values: N arrays (C, *space), uint8 or float32.
        recipe: Whose mean and standard deviation count.

    Returns:
        float32, shape (N, C, *space).
    """
    stacked = torch.from_numpy(np.stack(values)).float()
    shape = (1, -1, *(1 for _ in stacked.shape[2:]))
    mean = torch.tensor(recipe.mean, dtype=torch.float32).view(shape)
    std = torch.tensor(recipe.std, dtype=torch.float32).view(shape)
    return (stacked - mean) / std
