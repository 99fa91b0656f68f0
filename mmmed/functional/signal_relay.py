"""What a signal relay says, and would say if a sign were another.

A relay is linear: final logits of the main target = weight @ signals + bias, where
``signals`` are the activated logits of every sign, and last of the main target itself.
Not here: the layer (``mmmed.models.cls_heads``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.calibration import apply_temperature

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Relay:
    """The relay of a network and its input for one case.

    Args:
        order: Target and class index behind each of the J signals.
        weight: Shape (K, J).
        bias: Shape (K,).
        signals: Shape (J,).
        main_target: Name of the target that is decided.
        temperature: That the logits are divided by.

    Raises:
        ValueError: Shapes differ, or a number is not finite.
    """

    order: tuple[tuple[str, int], ...]
    weight: Floats
    bias: Floats
    signals: Floats
    main_target: str
    temperature: float = 1.0

    def __post_init__(self) -> None:
        expected = (len(self.bias), len(self.order))
        if self.weight.shape != expected or self.signals.shape != expected[1:]:
            raise ValueError(
                f'relay weight {self.weight.shape} with signals {self.signals.shape}, '
                f'expected {expected} and {expected[1:]}'
            )
        arrays = self.weight, self.bias, self.signals
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError('the relay has a number that is not finite')

    @property
    def signs(self) -> list[str]:
        """Targets that are read, without the main one."""
        names = dict.fromkeys(name for name, _ in self.order)
        return [name for name in names if name != self.main_target]


def compute_relay(relay: Relay, signals: Floats | None = None) -> Floats:
    """Probabilities (K,) of the main target.

    Args:
        relay: The relay.
        signals: Instead of its own, shape (J,).
    """
    used = relay.signals if signals is None else signals
    logits = relay.weight @ used + relay.bias
    return apply_temperature(logits[None], relay.temperature)[0]


def set_sign(relay: Relay, sign: str, label: int) -> Floats:
    """Signals (J,) with one sign decided: 1 for its class and 0 for its others.

    Args:
        relay: The relay.
        sign: Name of a sign.
        label: Class index; 0 is "absent" where classes are ordered so.

    Raises:
        ValueError: There is no such sign or class.
    """
    if sign not in relay.signs or (sign, label) not in relay.order:
        raise ValueError(
            f'{sign!r} has no class {label!r} in the relay, expected one of '
            f'{[place for place in relay.order if place[0] != relay.main_target]}'
        )
    signals = relay.signals.copy()
    for place, (name, k) in enumerate(relay.order):
        if name == sign:
            signals[place] = float(k == label)
    return signals


def list_interventions(
    relay: Relay, signs: Sequence[str] | None = None
) -> list[tuple[str, int, Floats]]:
    """What if a sign were this? Every class of every sign, one at a time.

    Args:
        relay: The relay.
        signs: Names; None for all.

    Returns:
        Sign, class index and change (K,) of the main target's probabilities.

    Source:
        Interventions on concepts: Koh et al. 2020, arXiv:2007.04612.
        Differs: a sign is set to a certain 0 or 1, not to a percentile of training.
    """
    own = compute_relay(relay)
    names = relay.signs if signs is None else signs
    return [
        (name, k, compute_relay(relay, set_sign(relay, name, k)) - own)
        for name, k in relay.order
        if name in names
    ]
