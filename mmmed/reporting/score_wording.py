"""Words and number formats of the pages about scores of folders of masks.

Not here: what every page shares (``wording``).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.functional.overlap import EmptyPolicy
from mmmed.reporting.findings import MIN_PATIENTS
from mmmed.reporting.wording import NONE, format_count

# Columns of counts: their means need fewer digits than shares.
_COUNTS = (
    'target_lesions',
    'pred_lesions',
    'found_lesions',
    'missed_lesions',
    'false_positive_lesions',
    'lesion_count_difference',
)
SIGNIFICANT = 0.05


def format_number(value: float | None, metric: str, unit: str = '') -> str:
    """Three decimals of a share, about three digits of a length or volume.

    Args:
        value: The number; a dash stands for ``None`` and NaN.
        metric: Column it is from.
        unit: Of the column; empty for shares and counts.
    """
    if value is None or math.isnan(value):
        return NONE
    if metric in _COUNTS:
        return f'{value:,.2f}'.rstrip('0').rstrip('.')
    if not unit:
        return f'{value:.3f}'
    size = abs(value)
    if size < 0.001:
        # What rounding left of zero is zero.
        return f'{value:.2g}' if size > 1e-9 else '0'
    digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f'{value:,.{digits}f}'


def format_bounds(
    entry: Mapping[str, Any], metric: str, unit: str, keys: Sequence[str]
) -> str:
    """Two numbers in brackets; nothing where there are none, or no width.

    An interval without width would claim a certainty that nobody has.
    """
    low, high = (entry.get(key) for key in keys)
    if low is None or (keys == ('low', 'high') and low == high):
        return ''
    bounds = f'{format_number(low, metric, unit)}, {format_number(high, metric, unit)}'
    return f'[{bounds}]'


def format_range(
    entry: Mapping[str, Any], metric: str, unit: str, keys: Sequence[str]
) -> str:
    """From one number to another; a dash where there are none, or one case only."""
    low, high = (entry.get(key) for key in keys)
    if low is None or entry['n'] < 2:
        return NONE
    ends = (format_number(value, metric, unit) for value in (low, high))
    return ' to '.join(ends)


def describe_mean(entry: Mapping[str, Any], unit: str, confidence: float) -> str:
    """Number of cases and interval of a mean share as a sentence."""
    text = format_count(entry['n'], 'case')
    if unit == 'patient':
        text += f' of {format_count(entry["n_units"], "patient")}'
    bounds = format_bounds(entry, 'dice', '', ('low', 'high'))
    if not bounds:
        return f'{text}: no interval can be given'
    few = entry['n_units'] < MIN_PATIENTS
    text = f'{100 * confidence:g} % interval {bounds}, {text}'
    return f'{text} (too few for it to mean much)' if few else text


def describe_outcomes(
    label: str, structure: Mapping[str, Any], policy: EmptyPolicy
) -> str:
    """How many cases were empty, and what became of them, in words."""
    outcomes = structure['outcomes']
    total = structure['num_cases']
    both = outcomes['both_empty']
    present = outcomes['hit'] + outcomes['disjoint'] + outcomes['missed']
    value = (
        'left out of the means'
        if policy.both_empty is None
        else f'counted as {policy.both_empty:g} in the means'
    )
    parts = [f'{label}: {format_count(total, "case")}.']
    if present:
        words = f'{outcomes["hit"]} of {present} with it were found'
        if outcomes['disjoint']:
            words += f', {outcomes["disjoint"]} marked only elsewhere'
        parts.append(
            f'{words}, {outcomes["missed"]} missed altogether '
            f'(scored {policy.pred_empty:g}).'
        )
    else:
        parts.append('No reference holds it.')
    absent = both + outcomes['false_alarm']
    if absent:
        parts.append(
            f'Of {format_count(absent, "case")} without it, {both} stayed rightly '
            f'empty ({value}) and {outcomes["false_alarm"]} raised a false alarm '
            f'(scored {policy.target_empty:g}).'
        )
    else:
        parts.append('No reference is empty, so false alarms could not be seen.')
    if structure['num_pred_missing']:
        parts.append(
            f'{format_count(structure["num_pred_missing"], "prediction")} did not '
            'exist and counted as empty.'
        )
    return ' '.join(parts)


def format_p(value: float | None) -> str:
    """A probability as papers print it."""
    if value is None:
        return NONE
    return 'p < 0.001' if value < 0.001 else f'p = {value:.3f}'


def judge_difference(
    entry: Mapping[str, Any], best: str, names: tuple[str, str], unit: str
) -> str:
    """What a paired comparison says, in plain words.

    Args:
        entry: Summary of the differences, first minus second.
        best: ``high`` or ``low``: which is better.
        names: Of the two sides.
        unit: What is independent: ``case`` or ``patient``.
    """
    if not entry['n']:
        return 'no case in which both are defined'
    if not entry['n_nonzero']:
        return 'both are equal in every case'
    if entry['n_units'] < MIN_PATIENTS:
        return f'too few {unit}s to tell: {entry["n_units"]}'
    low, high, p_value = entry['low'], entry['high'], entry['p_value']
    by_interval = low is not None and (low > 0 or high < 0)
    by_test = p_value is not None and p_value < SIGNIFICANT
    is_higher = entry['mean_difference'] > 0
    better = names[0] if is_higher == (best == 'high') else names[1]
    if by_interval and by_test:
        return f'{better} is better'
    if by_interval or by_test:
        return 'interval and test disagree: look at the cases'
    return 'no difference beyond chance'
