"""DrawnTransform: first draw the parameters, then apply them.

Not here: any particular transform.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform


class DrawnTransform(BaseTransform):
    """A random transform in two steps, so that what happened can be read and redone.

    :meth:`draw` turns random numbers into named parameters; :meth:`apply` is a pure
    function of the sample and these parameters. What was applied is listed in
    ``results['applied']``, one dict per transform with its class name under ``type``;
    a transform that was not applied adds nothing.

    A transform never writes into the arrays it is given, because they may be shared.

    Args:
        prob: Probability that the transform is applied, in [0, 1].

    Raises:
        ValueError: ``prob`` is outside [0, 1], or the sample carries no ``rng``.
    """

    def __init__(self, prob: float = 1.0) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob is {prob}, expected a probability in [0, 1]')
        self.prob = prob

    @abstractmethod
    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Parameters for one sample, as plain numbers, strings and booleans."""

    @abstractmethod
    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Sample with the parameters applied."""

    def transform(self, results: dict) -> dict:
        """Draw and apply; the host calls this."""
        params = self.decide(results)
        return results if params is None else self.apply(results, params)

    def decide(self, results: dict) -> dict[str, Any] | None:
        """Draw and record the parameters; None where it is not to be applied."""
        rng = results.get('rng')
        if rng is None:
            raise ValueError(
                f"{type(self).__name__} needs a generator in results['rng'], got "
                'none; use mmmed.MedSegDataset or put one there'
            )
        if rng.random() >= self.prob:
            return None
        params = self.draw(results, rng)
        record = {'type': type(self).__name__, **params}
        results['applied'] = [*results.get('applied', []), record]
        return params

    def __repr__(self) -> str:
        values = ', '.join(f'{key}={value!r}' for key, value in vars(self).items())
        return f'{type(self).__name__}({values})'


def draw_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number from [low, high), at a third of the cost of ``rng.uniform``."""
    return low + (high - low) * rng.random()


def draw_log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number from [low, high), every ratio equally likely."""
    return low * (high / low) ** rng.random()


def check_probs(probs: Mapping[str, float]) -> dict[str, float]:
    """Probability of each step of a transform, as given.

    Raises:
        ValueError: One is none; the message calls it ``<name>_prob``.
    """
    for name, value in probs.items():
        if not 0 <= value <= 1:
            raise ValueError(f'{name}_prob is {value}, expected a probability')
    return dict(probs)


def draw_steps(rng: np.random.Generator, probs: Mapping[str, float]) -> dict[str, bool]:
    """Which steps of a transform happen.

    Always as many numbers, so that one probability does not shift the others.
    """
    chances = rng.random(len(probs))
    return {
        name: bool(chance < prob)
        for (name, prob), chance in zip(probs.items(), chances, strict=True)
    }


def check_range(
    name: str, value: Sequence[float], *, low: float, high: float
) -> tuple[float, float]:
    """A (least, largest) pair of floats within limits.

    Raises:
        ValueError: Not two numbers, reversed, or outside the limits.
    """
    first, last = (float(v) for v in value) if len(value) == 2 else (1.0, 0.0)
    if not low <= first <= last <= high:
        raise ValueError(
            f'{name} is {value}, expected (least, largest) within [{low}, {high}]'
        )
    return first, last
