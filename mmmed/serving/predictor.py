"""Predictor: what turns a scan into labels, whatever is behind it.

Not here: files, jobs and processes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mmmed.inference import Inferencer, load_networks
from mmmed.structures import Volume


@dataclass(frozen=True)
class Segmentation:
    """What a predictor found.

    Args:
        mask: Labels on the grid of the scan, uint8.
        notes: What a user should know, in sentences.
    """

    mask: Volume
    notes: tuple[str, ...] = ()


class Predictor(Protocol):
    """One model."""

    @property
    def classes(self) -> Sequence[str]:
        """Names by label, the background first."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What decides the result, for reports: hashes of weights, rules."""
        ...

    def predict(
        self, volume: Volume, on_progress: Callable[[float], None]
    ) -> Segmentation:
        """Labels of a scan.

        Args:
            volume: The scan, in any orientation, (Z, Y, X) or (C, Z, Y, X).
            on_progress: Told the share that is done, in [0, 1].

        Raises:
            ValueError: The scan is not what the model expects; the message says what
                to do.
        """
        ...


class NetworkPredictor:
    """A network, or an ensemble of one recipe, on :mod:`mmmed.inference`.

    Args:
        config: Config of the training; None for ONNX files.
        weights: Checkpoints of that config, or ONNX files.
        device: As for torch.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: See :func:`mmmed.inference.load_networks`.
    """

    def __init__(
        self, config: Path | None, weights: Sequence[Path], device: str = 'cpu'
    ) -> None:
        loaded = load_networks(config, weights, device=device)
        self._inferencer = Inferencer(loaded.networks, loaded.recipe)
        self._weights = loaded.weights
        self.classes = loaded.recipe.classes

    def describe(self) -> Mapping[str, Any]:
        """Names and hashes of the weights, and the recipe."""
        return {
            'weights_sha256': dict(self._weights),
            'recipe': self._inferencer.recipe.to_dict(),
        }

    def predict(
        self, volume: Volume, on_progress: Callable[[float], None]
    ) -> Segmentation:
        """See :class:`Predictor`."""
        prediction = self._inferencer.predict(volume, on_progress=on_progress)
        return Segmentation(prediction.volume, prediction.notes)
