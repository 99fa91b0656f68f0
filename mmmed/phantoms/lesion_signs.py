"""What the generated liver lesions show: signs by type, and sequences by sign.

The truth that a classifier is to find. A type is recognized only by several signs
together, and each sign only in the sequences that a radiologist reads it from. Not
here: images (``lesion_images``).
"""

from collections.abc import Sequence

import numpy as np

TYPES = ('hcc', 'icc', 'metastasis', 'hemangioma', 'fnh', 'cyst')
SEQUENCES = (
    'preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2', 'dwi_b0', 'dwi_b1', 'adc',
)  # fmt: skip
SIGNS = {
    't1': ('iso', 'low'),
    't2': ('iso', 'mid_high', 'high'),
    'ap': ('none', 'wash_in', 'ring', 'nodular'),
    'pvp': ('none', 'wash_out', 'ring'),
    'dp': ('none', 'wash_out', 'capsule'),
    'cent': ('no', 'delayed_center'),
    'prog': ('no', 'progressive'),
    'inner': ('plain', 'mosaic'),
    'fat': ('no', 'yes'),
    'dwi': ('no', 'increased'),
    'adc': ('low', 'high'),
}
"""Classes of each sign; ``adc`` is also the name of a sequence."""

SOURCES = {
    't1': ('preartery',),
    't2': ('t2',),
    'ap': ('lap',),
    'pvp': ('pv',),
    'dp': ('delay',),
    'cent': ('lap', 'pv', 'delay'),
    'prog': ('lap', 'pv', 'delay'),
    'inner': ('preartery', 't2', 'lap', 'pv', 'delay'),
    'fat': ('ip', 'op'),
    'dwi': ('dwi_b0', 'dwi_b1'),
    'adc': ('adc',),
    'type': ('preartery', 't2', 'lap', 'pv', 'delay'),
}
"""Sequences that a target is read from: routing of a Correlation Routing Network."""

# Signs of a typical lesion of each type, in the order of SIGNS.
_TYPICAL = {
    'hcc': (1, 1, 1, 1, 2, 0, 0, 1, 1, 1, 0),
    'icc': (1, 1, 2, 0, 0, 1, 1, 0, 0, 1, 0),
    'metastasis': (1, 1, 2, 2, 1, 0, 0, 0, 0, 1, 0),
    'hemangioma': (1, 2, 3, 0, 0, 0, 1, 0, 0, 0, 1),
    'fnh': (0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0),
    'cyst': (1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1),
}
# Half of the HCCs have no visible fat, many of other types wash in.
_UNSURE = {('hcc', 'fat'): 0.5, ('hcc', 'inner'): 0.7, ('hcc', 'dp'): 0.8}


def draw_signs(
    rng: np.random.Generator, kind: str, *, atypical: float = 0.1
) -> dict[str, int]:
    """Class index of every sign of one lesion.

    Args:
        rng: Source of chance.
        kind: One of ``TYPES``.
        atypical: Probability that a sign is another than is typical, in [0, 1].

    Raises:
        ValueError: No such type, or no probability.
    """
    if kind not in _TYPICAL or not 0 <= atypical <= 1:
        raise ValueError(
            f'type {kind!r} with {atypical}, expected one of {TYPES} and a probability'
        )
    signs = {}
    for (name, classes), typical in zip(SIGNS.items(), _TYPICAL[kind], strict=True):
        # Always as many numbers, so that one lesion does not shift the next.
        chance, other = rng.random(2)
        sure = _UNSURE.get((kind, name), 1.0) * (1 - atypical)
        shift = 1 + int(other * (len(classes) - 1))
        signs[name] = typical if chance < sure else (typical + shift) % len(classes)
    return signs


def list_classes() -> dict[str, list[str]]:
    """Class names of all targets: the signs, and last the type."""
    return {name: list(classes) for name, classes in SIGNS.items()} | {
        'type': list(TYPES)
    }


def choose_sources(sequences: Sequence[str]) -> dict[str, list[str]]:
    """Routing by target that uses only some sequences; targets without one are gone."""
    found = {t: [s for s in names if s in sequences] for t, names in SOURCES.items()}
    return {target: names for target, names in found.items() if names}
