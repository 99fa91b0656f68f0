"""Which sequences answer which question: tables of the correlation routing network."""

from collections.abc import Mapping, Sequence

# The bracket of the published figure from t1 to delay, read as the first five of its
# list; it can also be read as ('preartery', 'delay'). Not published in words.
_BRACKET = ('preartery', 't2', 'lap', 'pv', 'delay')

# Signs of a liver lesion, and last its type, of ten MR sequences: T1 before and in
# three phases after contrast, in and out of phase, T2, diffusion (b0, b1 = b 800), ADC.
# INNER (internal structure) and TYPE are ambiguous in the source, see above: where it
# matters, set them in a recipe (model.network.routing.inner, .type).
LIVER_ROUTING: dict[str, tuple[str, ...]] = {
    't1': ('preartery',),
    't2': ('t2',),
    'ap': ('lap',),
    'pvp': ('pv',),
    'dp': ('delay',),
    'cent': ('lap', 'pv', 'delay'),
    'prog': ('lap', 'pv', 'delay'),
    'inner': _BRACKET,
    'fat': ('ip', 'op'),
    'dwi': ('dwi_b0', 'dwi_b1'),
    'adc': ('adc',),
    'type': _BRACKET,
}


def check_routing(
    routing: Mapping[str, str | Sequence[str]],
    sequences: Sequence[str],
    *,
    all_used: bool = True,
) -> dict[str, tuple[str, ...]]:
    """A routing table whose names are those of the data.

    Args:
        routing: Names of sequences for each target; one name may stand alone.
        sequences: What the data has.
        all_used: Whether a sequence of no target is an error.

    Returns:
        The table, each entry a tuple, targets in their order.

    Raises:
        ValueError: A name is unknown or comes twice, a target has none, or a sequence
            is used by no target (``all_used``).
    """
    table = {
        target: (names,) if isinstance(names, str) else tuple(names)
        for target, names in routing.items()
    }
    if not table:
        raise ValueError('routing names no target; expected {target: [sequences]}')
    for target, names in table.items():
        unknown = [name for name in names if name not in sequences]
        if unknown:
            raise ValueError(
                f'routing of {target!r} names unknown sequences {unknown}; the data '
                f'has {list(sequences)}: name these, or pass another routing'
            )
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f'routing of {target!r} must name one or more different sequences, '
                f'got {list(names)}'
            )
    used = {name for names in table.values() for name in names}
    idle = [name for name in sequences if name not in used]
    if idle and all_used:
        raise ValueError(
            f'no target uses the sequences {idle}; route them, or leave them out of '
            '"sequences"'
        )
    return table
