"""From stored values of a sequence to the scale of a network: all rules in one place.

A rule needs facts of the image (mean, percentiles), which are measured once, so that
a recipe may choose another rule without another preparation. Not here: who measures
when, or random changes (``volume_intensity``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.0, 0.5, 1.0, 2.0, 5.0, 25.0, 50.0, 75.0, 95.0, 98.0, 99.0, 99.5, 100.0)
# Beyond so many standard deviations a voxel is an artefact, not tissue.
_MOST_DEVIATIONS = 5.0

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class SequenceScale:
    """What becomes of a value: clipped, shifted, multiplied.

    Args:
        low: Least value that stays what it is.
        high: Largest.
        offset: Value that becomes 0.
        factor: Of what is left; 0 for an image without contrast.
    """

    low: float
    high: float
    offset: float
    factor: float

    def apply(self, array: NDArray) -> NDArray[np.float32]:
        """Values on the scale of the network, a new array."""
        result = np.clip(array, self.low, self.high).astype(np.float32)
        result -= np.float32(self.offset)
        result *= np.float32(self.factor)
        return result


def measure_values(values: NDArray) -> dict[str, Any]:
    """Facts that every rule needs, as plain numbers.

    Args:
        values: Any shape, not empty; only real voxels, no padding.

    Returns:
        ``mean``, ``std`` and ``percentiles``, those of ``PERCENTILES``.
    """
    flat = np.asarray(values, np.float64).ravel()
    found = np.percentile(flat, PERCENTILES)
    return {
        'mean': float(flat.mean()),
        'std': float(flat.std()),
        'percentiles': [float(value) for value in found],
    }


def check_rule(rule: Rule) -> dict[str, Any]:
    """A rule with its defaults.

    Args:
        rule: ``{'rule': 'zscore'}``; ``{'rule': 'percentile', 'low': 1, 'high': 99}``,
            which become 0 and 1; ``{'rule': 'window', 'low': 0, 'high': 3000}``,
            likewise, in the unit of the file, for quantitative images;
            ``{'rule': 'minmax'}``; ``{'rule': 'none'}``.

    Raises:
        ValueError: No such rule, a window that is empty, or percentiles that are not
            among ``PERCENTILES``.
    """
    name = rule.get('rule')
    if name not in _RULES:
        raise ValueError(f'rule {name!r}, expected one of {", ".join(_RULES)}')
    defaults = {'percentile': {'low': 0.5, 'high': 99.5}}.get(name, {})
    full = {**defaults, **rule}
    keys = {'rule', 'low', 'high'} if name in ('percentile', 'window') else {'rule'}
    if set(full) != keys:
        raise ValueError(f'rule {dict(rule)}, expected exactly {sorted(keys)}')
    if len(keys) > 1:
        low, high = float(full['low']), float(full['high'])
        if not -math.inf < low < high < math.inf:
            raise ValueError(f'rule {dict(rule)}, expected low < high')
        if name == 'percentile' and not {low, high} <= set(PERCENTILES):
            raise ValueError(f'rule {dict(rule)}, expected two of {PERCENTILES}')
        full |= {'low': low, 'high': high}
    return full


def plan_scale(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    """Scale of one image.

    Args:
        rule: As for :func:`check_rule`.
        facts: Of :func:`measure_values`.

    Raises:
        ValueError: The rule is wrong.
    """
    full = check_rule(rule)
    return _RULES[full['rule']](full, facts)


def choose_rule(sequence: str) -> dict[str, Any]:
    """Rule for a sequence by its name, where the user names none.

    ADC (1e-6 mm2/s), QSM (ppm) and CT (HU) are quantitative and get a fixed window:
    their values mean the same in every patient. All else gets the z-score.
    """
    parts = sequence.lower().replace('-', '_').split('_')
    for name, low, high in _WINDOWS:
        if name in parts:
            return {'rule': 'window', 'low': low, 'high': high}
    return {'rule': 'zscore'}


def parse_rule(text: str) -> tuple[str, dict[str, Any]]:
    """Sequence and rule of ``'adc=window:0:3000'`` or ``'t2=zscore'``.

    Raises:
        ValueError: Another form, or the rule is wrong.
    """
    sequence, found, rest = text.partition('=')
    name, *numbers = rest.split(':')
    if not found or not sequence or len(numbers) not in (0, 2):
        raise ValueError(f'{text!r}, expected such as t2=zscore or adc=window:0:3000')
    try:
        ends = dict(zip(('low', 'high'), map(float, numbers), strict=False))
    except ValueError:
        raise ValueError(f'{text!r}: low and high are no numbers') from None
    return sequence, check_rule({'rule': name, **ends})


def _plan_zscore(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    mean, std = facts['mean'], facts['std']
    reach = _MOST_DEVIATIONS * std
    return SequenceScale(mean - reach, mean + reach, mean, _invert(std))


def _plan_percentile(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    known: Sequence[float] = facts['percentiles']
    low, high = (known[PERCENTILES.index(rule[end])] for end in ('low', 'high'))
    return SequenceScale(low, high, low, _invert(high - low))


def _plan_minmax(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    low, high = facts['percentiles'][0], facts['percentiles'][-1]
    return SequenceScale(low, high, low, _invert(high - low))


def _plan_window(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    low, high = rule['low'], rule['high']
    return SequenceScale(low, high, low, _invert(high - low))


def _plan_none(rule: Rule, facts: Mapping[str, Any]) -> SequenceScale:
    return SequenceScale(-math.inf, math.inf, 0.0, 1.0)


def _invert(extent: float) -> float:
    """1 / extent; 0 where there is no contrast, so that all voxels become 0."""
    return 1 / extent if extent > 1e-12 else 0.0


_RULES: dict[str, Callable[[Rule, Mapping[str, Any]], SequenceScale]] = {
    'zscore': _plan_zscore,
    'percentile': _plan_percentile,
    'window': _plan_window,
    'minmax': _plan_minmax,
    'none': _plan_none,
}
RULES = tuple(_RULES)
_WINDOWS = (('adc', 0.0, 3000.0), ('qsm', -0.2, 0.2), ('ct', -160.0, 240.0))
