"""Words and number formats that all sections of a page share."""

from collections.abc import Mapping
from typing import Any

from mmmed.functional.overlap import EmptyPolicy
from mmmed.reporting.findings import MIN_PATIENTS

# The order of the levels in tables: what matters for patients first.
LEVEL_WORDS = {
    'patient': 'Per patient',
    'image': 'Per image',
    'positive_image': 'Per image with it',
    'pooled': 'Pooled',
}
OUTCOME_WORDS = {
    'hit': 'found: at least one common pixel',
    'disjoint': 'marked, but only elsewhere',
    'missed': 'missed: nothing marked',
    'false_alarm': 'false alarm: marked, nothing there',
    'both_empty': 'rightly left empty',
}
SHORT_OUTCOMES = {
    'hit': 'found',
    'disjoint': 'marked elsewhere only',
    'missed': 'missed',
    'false_alarm': 'false alarm',
    'both_empty': 'rightly empty',
}
NONE = '\N{EN DASH}'


def format_score(value: float | None) -> str:
    """Three digits, or a dash where there is no number."""
    return NONE if value is None else f'{value:.3f}'


def format_count(number: int, unit: str) -> str:
    """A number with its unit in the right form."""
    return f'{number:,} {unit}' if number == 1 else f'{number:,} {unit}s'


def format_interval(entry: Mapping[str, Any]) -> str:
    """Bounds in brackets; empty where resampling says nothing.

    That is the case for one patient, and where all resamples agree: an interval
    without width would claim a certainty that nobody has.
    """
    if entry['low'] is None or entry['low'] == entry['high']:
        return ''
    return f'[{format_score(entry["low"])}, {format_score(entry["high"])}]'


def describe_interval(entry: Mapping[str, Any], confidence: float) -> str:
    """Interval and number of patients as a sentence."""
    patients = format_count(entry['n_patients'], 'patient')
    interval = format_interval(entry)
    if not interval:
        return f'{patients}: no interval can be given'
    text = f'{100 * confidence:g} % interval {interval}, {patients}'
    few = entry['n_patients'] < MIN_PATIENTS
    return f'{text} (too few for it to mean much)' if few else text


def describe_policy(policy: EmptyPolicy) -> str:
    """What empty masks score, in two sentences."""
    both = (
        'is left out of the mean and counted beside it'
        if policy.both_empty is None
        else f'scores {policy.both_empty:g}'
    )
    return (
        f'A case that is empty in truth and prediction {both}. A missed structure '
        f'scores {policy.pred_empty:g}, a false alarm {policy.target_empty:g}: '
        'neither can leave a mean.'
    )
