"""What a reader must know before believing a number.

Not here: the numbers themselves, and how a finding is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmmed.files import hash_file
from mmmed.reporting.evaluation_folder import Evaluation
from mmmed.reporting.exposure import HELD_OUT, MIXED, UNKNOWN, Exposure
from mmmed.reporting.tables import find_contradictions
from mmmed.reporting.training_log import TrainingLog

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
# Percentile intervals of fewer units are set by their extremes.
MIN_PATIENTS = 10


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Args:
        level: ``error`` (numbers mislead), ``warning`` (numbers say less than they
            seem to) or ``note`` (something is not in the report).
        text: One or two sentences.
    """

    level: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """Ready for JSON."""
        return {'level': self.level, 'text': self.text}


def collect_findings(
    evaluations: Sequence[Evaluation],
    exposures: Mapping[str, Exposure],
    levels: Mapping[str, Mapping[str, Mapping[str, Any]]],
    log: TrainingLog,
) -> list[Finding]:
    """Everything to know about a run, the gravest first."""
    found = _judge_run(evaluations, exposures, log)
    for evaluation in evaluations:
        exposure = exposures[evaluation.name]
        found += _judge_exposure(evaluation, exposure)
        found += _judge_numbers(evaluation, levels[evaluation.name])
        found += _judge_data(evaluation)
    order = (ERROR, WARNING, NOTE)
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.level))


def _judge_run(
    evaluations: Sequence[Evaluation],
    exposures: Mapping[str, Exposure],
    log: TrainingLog,
) -> list[Finding]:
    found = []
    if not any(exposures[e.name].kind == HELD_OUT for e in evaluations):
        text = (
            'No evaluation here is of patients known to be held out: nothing in this '
            'report says how the network does on new patients.'
        )
        found.append(Finding(WARNING, text))
    found += _judge_numbers_of_patients(evaluations)
    if not log.files:
        text = (
            'No training log was found below this folder (*/vis_data/scalars.json), '
            'so there are no training curves.'
        )
        found.append(Finding(NOTE, text))
    if log.damaged_lines:
        text = (
            f'{log.damaged_lines} lines of the training log were damaged and left out.'
        )
        found.append(Finding(NOTE, text))
    return found


def _judge_numbers_of_patients(evaluations: Sequence[Evaluation]) -> list[Finding]:
    few = [e for e in evaluations if len(e.patients) < MIN_PATIENTS]
    if not few:
        return []
    counts = [
        f'{e.name} holds {len(e.patients)} patient{"s" * (len(e.patients) != 1)}'
        for e in few
    ]
    text = (
        f'{", ".join(counts)}. Below {MIN_PATIENTS} patients an interval is not '
        'meaningful: images of one patient resemble each other, so more images do '
        'not help.'
    )
    return [Finding(WARNING, text)]


def _judge_exposure(evaluation: Evaluation, exposure: Exposure) -> list[Finding]:
    name, split = evaluation.name, evaluation.summary.get('split')
    found = []
    claims_held_out = split not in ('train', None)
    if exposure.kind == MIXED or (exposure.seen and claims_held_out):
        text = (
            f'{name}: {len(exposure.seen)} of {exposure.num_patients} evaluated '
            f'patients were trained on ({list_some(exposure.seen)}). These numbers '
            'are not those of new patients.'
        )
        found.append(Finding(ERROR, text))
    if exposure.kind == UNKNOWN:
        text = (
            f'{name}: it could not be checked whether these patients were trained on: '
            f'{exposure.reason}.'
        )
        found.append(Finding(ERROR if claims_held_out else WARNING, text))
    elif not exposure.certain:
        found.append(Finding(WARNING, f'{name}: {exposure.reason}.'))
    return found


def _judge_numbers(
    evaluation: Evaluation, levels: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    name = evaluation.name
    found = [
        Finding(ERROR, f'{name}: {text}.')
        for text in find_contradictions(evaluation, levels)
    ]
    for label, summary in levels.items():
        if not summary['detection']['image']['sensitivity']['n']:
            text = f'{name}: no image holds {label}; Dice and recall say nothing here.'
            found.append(Finding(WARNING, text))
    return found


def _judge_data(evaluation: Evaluation) -> list[Finding]:
    name, found = evaluation.name, []
    if not evaluation.run:
        found.append(Finding(NOTE, f'{name}: there is no run record (run.json).'))
    if evaluation.manifest is None or evaluation.manifest_path is None:
        text = f'{name}: images cannot be shown: {evaluation.problem}.'
        return [*found, Finding(NOTE, text)]
    stored = evaluation.summary.get('manifest_hash')
    if stored and stored != hash_file(evaluation.manifest_path):
        text = (
            f'{name}: the manifest has changed since the evaluation; images and '
            'splits shown here may not be those that were evaluated.'
        )
        found.append(Finding(ERROR, text))
    try:
        expected = evaluation.manifest.select(
            evaluation.summary.get('split'), evaluation.fold
        )
    except ValueError as error:
        return [*found, Finding(WARNING, f'{name}: {error}.')]
    # Slices of a volume have names that no manifest lists: there, subjects count.
    key = 'patient_id' if evaluation.manifest.unit == 'volume' else 'case_id'
    seen = {getattr(row, key) for row in evaluation.rows}
    missing = {getattr(case, key) for case in expected} - seen
    if missing:
        text = (
            f'{name}: {len(missing)} of {len(expected)} cases were not evaluated '
            f'({list_some(sorted(missing))}).'
        )
        found.append(Finding(ERROR, text))
    return found


def list_some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    shown = ', '.join(names[:most])
    return shown if len(names) <= most else f'{shown} and {len(names) - most} more'
