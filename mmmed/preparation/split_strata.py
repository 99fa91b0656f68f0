"""Columns of a table to strata: categories as they are, numbers in bins.

Only sorting and comparing happens to numbers, no interpolation: bins are the same on
every platform.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_table import Table, is_missing

MISSING = 'missing'
_BINS = 4
# A numeric column of at most this many values is a code: a site, a grade.
_MAX_CODES = 10
# Far beyond what can be balanced; usually a free text or an id.
_MAX_LEVELS = 100
_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?')


@dataclass(frozen=True)
class Stratum:
    """One column to stratify by.

    Args:
        column: Its name.
        binning: ``'values'``, ``'quantiles'`` or ``'edges'``.
        levels: Level of each row.
        edges: Upper bounds of all bins but the last, as the table or the user wrote
            them; a value equal to an edge is in the lower bin.
    """

    column: str
    binning: str
    levels: tuple[str, ...]
    edges: tuple[str, ...] = field(default=())

    @property
    def names(self) -> list[str]:
        """Levels that occur: bins from low to high, else by name; missing last."""
        bins = {name: index for index, name in enumerate(_name_bins(self.edges))}
        return sorted(
            set(self.levels),
            key=lambda name: (name == MISSING, bins.get(name, 0), name),
        )

    def to_dict(self) -> dict[str, Any]:
        """What the split manifest records of it."""
        counts = Counter(self.levels)
        return {
            'column': self.column,
            'binning': self.binning,
            'edges': list(self.edges),
            'levels': {name: counts[name] for name in self.names},
        }


def make_stratum(table: Table, wish: str) -> Stratum:
    """Levels of one column.

    Args:
        table: Where it is.
        wish: ``NAME``: numbers of more than ten values in four quantile bins, all
            else as it is; ``NAME:values``: as it is; ``NAME:q5``: five quantile bins;
            ``NAME:5000,30000``: bins with these upper edges, and one above.

    Returns:
        The levels; rows without a value form a level of their own.

    Raises:
        InputError: No such column, a text where a number is needed, or a column with
            too many levels to be balanced.
    """
    name, _, rule = (wish, '', '') if wish in table.columns else wish.rpartition(':')
    name, rule = (name, rule) if name else (wish, '')
    values = table.column(name)
    if not rule:
        known = [value for value in values if not is_missing(value)]
        is_numeric = known and all(_NUMBER.fullmatch(value) for value in known)
        codes = len({Fraction(v) for v in known}) if is_numeric else 0
        rule = f'q{_BINS}' if codes > _MAX_CODES else 'values'
    if rule == 'values':
        levels = tuple(MISSING if is_missing(value) else value for value in values)
        number = len(set(levels))
        if number > _MAX_LEVELS:
            raise InputError(
                f'{table.path}: column {name!r} has {number} different values, too '
                f'many to balance; group them, or bin numbers with {name}:q4'
            )
        return Stratum(name, 'values', levels)
    numbers = _read_numbers(table, name, values)
    if re.fullmatch(r'q\d{1,3}', rule):
        if int(rule[1:]) < 2:
            raise InputError(f'--stratify {wish}: expected 2 or more quantile bins')
        edges = _find_quantiles(numbers, values, int(rule[1:]))
        binning = 'quantiles'
    else:
        edges, binning = _read_edges(wish, rule), 'edges'
    return Stratum(name, binning, _bin(numbers, edges), tuple(edges))


def _read_numbers(
    table: Table, name: str, values: Sequence[str]
) -> list[Fraction | None]:
    """Exact numbers; None where there is none."""
    numbers: list[Fraction | None] = []
    for value, line in zip(values, table.lines, strict=True):
        if is_missing(value):
            numbers.append(None)
        elif _NUMBER.fullmatch(value):
            numbers.append(Fraction(value))
        else:
            raise InputError(
                f'{table.path}: {line}, column {name!r}: {value!r} is not a number; '
                f'correct it, or take the values as they are with {name}:values'
            )
    return numbers


def _find_quantiles(
    numbers: Sequence[Fraction | None], values: Sequence[str], bins: int
) -> list[str]:
    """Upper edges: every edge is a value of the table, equal values stay together."""
    known = sorted(
        (number, value)
        for number, value in zip(numbers, values, strict=True)
        if number is not None
    )
    edges: dict[Fraction, str] = {}
    for index in range(1, bins):
        number, value = known[-(-index * len(known) // bins) - 1] if known else (0, '')
        if known and number < known[-1][0]:
            edges.setdefault(Fraction(number), value)
    return list(edges.values())


def _read_edges(wish: str, rule: str) -> list[str]:
    edges = [edge.strip() for edge in rule.split(',')]
    if not all(_NUMBER.fullmatch(edge) for edge in edges):
        raise InputError(
            f'--stratify {wish}: {rule!r} is neither "values", nor a number of '
            'quantile bins such as q4, nor edges such as 5000,30000'
        )
    numbers = [Fraction(edge) for edge in edges]
    if numbers != sorted(set(numbers)):
        raise InputError(f'--stratify {wish}: expected edges that rise')
    return edges


def _bin(numbers: Sequence[Fraction | None], edges: Sequence[str]) -> tuple[str, ...]:
    bounds = [Fraction(edge) for edge in edges]
    names = _name_bins(edges)
    return tuple(
        MISSING if number is None else names[bisect_left(bounds, number)]
        for number in numbers
    )


def _name_bins(edges: Sequence[str]) -> list[str]:
    return [
        f'({low}, {high}]'
        for low, high in zip(['-inf', *edges], [*edges, 'inf'], strict=True)
    ]
