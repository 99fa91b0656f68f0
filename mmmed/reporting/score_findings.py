"""What a reader must know before believing scores of a folder of masks.

Not here: the scores, and how a finding is shown (``frame``).
"""

import math

import numpy as np

from mmmed.functional.statistics import summarize
from mmmed.reporting.findings import (
    ERROR,
    MIN_PATIENTS,
    NOTE,
    WARNING,
    Finding,
    list_some,
)
from mmmed.reporting.score_folder import ScoreFolder
from mmmed.reporting.wording import format_count


def collect_score_findings(scores: ScoreFolder) -> list[Finding]:
    """Everything to know about an evaluation, the gravest first."""
    found = _judge_numbers(scores) + _judge_files(scores) + _judge_size(scores)
    order = (ERROR, WARNING, NOTE)
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.level))


def _judge_numbers(scores: ScoreFolder) -> list[Finding]:
    """Means and counts that the table of cases does not confirm."""
    found = []
    for label in scores.labels:
        structure = scores.get_structure(label)
        for metric, entry in structure['scores'].items():
            values = scores.get_column(label, metric)
            ours = summarize(values)
            mean = math.nan if entry['mean'] is None else entry['mean']
            if ours.n != entry['n'] or not np.isclose(
                ours.mean, mean, rtol=1e-9, atol=1e-12, equal_nan=True
            ):
                text = (
                    f'{metric} of {label} is {entry["mean"]} over {entry["n"]} cases '
                    f'in summary.json, but {ours.mean:.6g} over {ours.n} in cases.csv: '
                    'a file was changed; evaluate again.'
                )
                found.append(Finding(ERROR, text))
    return found


def _judge_files(scores: ScoreFolder) -> list[Finding]:
    summary, found = scores.summary, []
    failed = summary.get('failed') or []
    if failed:
        some = '; '.join(f'{one["case_id"]}: {one["error"]}' for one in failed[:3])
        more = f'; and {len(failed) - 3} more' if len(failed) > 3 else ''
        text = (
            f'{format_count(len(failed), "case")} could not be scored and stand in no '
            f'number here: {some}{more}.'
        )
        found.append(Finding(ERROR, text))
    for name, side in (('missing_predictions', 'prediction'), ('missing_in_compared',
                       'prediction in the compared folder')):  # fmt: skip
        missing = summary.get(name) or []
        if missing:
            text = (
                f'{format_count(len(missing), "case")} had no {side} and counted as '
                f'missed ({list_some(missing)}).'
            )
            found.append(Finding(WARNING, text))
    unused = summary.get('missing_references') or []
    if unused:
        text = (
            f'{format_count(len(unused), "prediction")} had no reference and could not '
            f'be scored ({list_some(unused)}).'
        )
        found.append(Finding(WARNING, text))
    for note, number in (summary.get('notes') or {}).items():
        found.append(Finding(NOTE, f'{format_count(number, "case")}: {note}'))
    if not scores.run:
        found.append(Finding(NOTE, 'There is no run record (run.json).'))
    return found


def _judge_size(scores: ScoreFolder) -> list[Finding]:
    found = []
    units = scores.summary.get('num_patients') or scores.summary['num_cases']
    if units < MIN_PATIENTS:
        text = (
            f'There {"is" if units == 1 else "are"} only '
            f'{format_count(units, scores.unit)}. Below {MIN_PATIENTS} an '
            'interval is not meaningful.'
        )
        found.append(Finding(WARNING, text))
    if scores.unit == 'case':
        text = (
            'Patients are not known here: the intervals take every case for a patient '
            'of its own. If several cases are of one patient they are too narrow.'
        )
        found.append(Finding(NOTE, text))
    value = scores.summary['options']['empty_policy']['both_empty']
    for label in scores.labels:
        structure = scores.get_structure(label)
        both = structure['empty']['both_empty']
        if value is not None and both:
            text = (
                f'{label}: {both} of {format_count(structure["num_cases"], "case")} '
                f'are empty on both sides and enter the means as {value:g}.'
            )
            found.append(Finding(WARNING, text))
        if structure['empty']['target_empty'] + both == structure['num_cases']:
            text = f'No reference holds {label}; Dice and recall say nothing of it.'
            found.append(Finding(WARNING, text))
    return found
