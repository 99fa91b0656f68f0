"""SequenceDropout: train for examinations in which sequences are missing."""

from typing import Any

import numpy as np

from mmmed.datasets.transforms.base import DrawnTransform
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SequenceDropout(DrawnTransform):
    """Take sequences away as if they had not been acquired: 0, not ``available``.

    Required keys: ``img`` (S, ...), ``available`` (S,), ``sequences``, ``rng``.

    Modified keys: ``img``, ``available``. Added keys: ``applied``.

    Args:
        drop_prob: Probability of each sequence that is there.
        least: Sequences that stay in any case, >= 1.
        prob: Probability that any is taken away.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, drop_prob: float = 0.25, least: int = 1, prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        if not 0 <= drop_prob <= 1 or least < 1:
            raise ValueError(
                f'drop_prob is {drop_prob} and least {least}, expected a probability '
                'and 1 or more'
            )
        self.drop_prob = drop_prob
        self.least = least

    def draw(self, results: dict, rng: np.random.Generator) -> dict[str, Any]:
        """Names of the sequences to drop."""
        chances = rng.random(len(results['available']))
        there = np.flatnonzero(results['available'])
        # Those closest to staying stay where too few would be left.
        order = there[np.argsort(-chances[there], kind='stable')]
        dropped = [i for i in order[self.least :] if chances[i] < self.drop_prob]
        return {'dropped': [results['sequences'][i] for i in sorted(dropped)]}

    def apply(self, results: dict, params: dict[str, Any]) -> dict:
        """Drop them."""
        if not params['dropped']:
            return results
        names = list(results['sequences'])
        index = [names.index(name) for name in params['dropped']]
        img, available = results['img'].copy(), results['available'].copy()
        img[index] = 0
        available[index] = False
        results.update(img=img, available=available)
        return results
