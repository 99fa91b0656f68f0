"""Markdown of tables and numbers.

Not here: which tables there are (``study_page``).
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mmmed.reporting.wording import NONE

_WORD = re.compile(r'[^\W\d_]{4}')


def make_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; columns of numbers stand right, the first one left.

    Raises:
        ValueError: A row has another length than the header.
    """
    body = [list(row) for row in rows]
    for row in body:
        if len(row) != len(header):
            raise ValueError(f'{len(row)} cells under {len(header)} heads')
    columns = list(zip(*body, strict=True)) or [()] * len(header)
    rules = ['---', *('---' if _is_text(cells) else '---:' for cells in columns[1:])]
    return [_make_line(line) for line in (header, rules, *body)]


def format_number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    if value is None or math.isnan(value):
        return NONE
    return f'{value:,.{digits}f}'


def format_pair(mean: float, sd: float, digits: int = 3) -> str:
    """Mean and standard deviation; the mean alone where there is no other."""
    text = format_number(mean, digits)
    return text if math.isnan(sd) else f'{text} ± {format_number(sd, digits)}'


def format_bounds(low: float, high: float) -> str:
    """Bounds of an interval; a dash where resampling says nothing."""
    if math.isnan(low) or low == high:
        return NONE
    return f'{format_number(low)} to {format_number(high)}'


def format_share(value: float) -> str:
    """A share in per cent."""
    return NONE if math.isnan(value) else f'{100 * value:.1f} %'


def format_signed(value: float) -> str:
    """A difference with its sign."""
    if math.isnan(value):
        return NONE
    text = f'{value:+.3f}'
    return '0.000' if float(text) == 0 else text.replace('-', '\N{MINUS SIGN}')


def format_p(value: float) -> str:
    """A probability as papers print it."""
    if math.isnan(value):
        return NONE
    return '< 0.001' if value < 0.001 else f'{value:.3f}'


def format_seconds(value: float | None) -> str:
    """A duration in the unit that suits it."""
    if value is None:
        return NONE
    if value < 120:
        return f'{value:.0f} s'
    return f'{value / 60:.0f} min' if value < 7200 else f'{value / 3600:.1f} h'


def format_value(value: Any) -> str:
    """Anything else; whole numbers with commas."""
    if value is None or value == '':
        return NONE
    return f'{value:,}' if isinstance(value, int) else str(value)


def _is_text(cells: Sequence[str]) -> bool:
    """Whether a column holds words; units and ``SD`` are none."""
    return any(_WORD.search(cell) for cell in cells)


def _make_line(cells: Sequence[str]) -> str:
    # A bar inside a cell would begin a new one.
    return f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in cells)} |'
