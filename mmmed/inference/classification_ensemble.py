"""What several classifiers say together about each case, in rows and scores.

Models may differ in network, sequences and targets, and need not have seen the same
cases: each case is decided by the models that have an answer. Not here: predicting
(``classifier_prediction``), files (``classification_run``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.calibration import apply_temperature
from mmmed.functional.classification_counts import Floats
from mmmed.functional.classification_selection import compute_composite_score
from mmmed.functional.classification_tables import (
    Resampling,
    TargetAnswers,
    list_case_rows,
    summarize_target,
)
from mmmed.functional.classification_votes import combine_classifiers
from mmmed.inference.classifier_prediction import ModelAnswers, RegionAnswer

# Shares of votes above which accuracy is reported, as long as enough cases are left.
_SHARES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
_SMALLEST_SHARE = 0.2
# Of probabilities that are written; logarithms know no zero.
_TINY, _DIGITS = 1e-15, 12

Row = dict[str, Any]


@dataclass(frozen=True)
class Voter:
    """One model and its answers.

    Args:
        name: Unique.
        targets: Class names by target.
        answers: By case id.
        calibration: By target; empty to take probabilities as they are.
        weight: For the rule ``'weighted'``; None for what its validation says: how far
            its balanced accuracy lay above chance.
    """

    name: str
    targets: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, RegionAnswer]
    calibration: Mapping[str, Mapping[str, Any]]
    weight: float | None = None

    def compute_prob(self, case_ids: Sequence[str], target: str) -> Floats:
        """Probabilities (n, K) of n cases."""
        temperature = self.calibration.get(target, {}).get('temperature', 1.0)
        logits = [self.answers[name].logits[target] for name in case_ids]
        return apply_temperature(logits, temperature)

    def get_weight(self, target: str) -> float:
        """Weight of its opinion, >= 0; 1 if its validation is not known."""
        if self.weight is not None:
            return self.weight
        score = self.calibration.get(target, {}).get('balanced_accuracy')
        if score is None:
            return 1.0
        return max(0.0, score - 1 / len(self.targets[target]))


@dataclass(frozen=True)
class Verdict:
    """Decision of all models on one target.

    Args:
        cases: Those that some model which knows the target has answered.
        answers: Combined probabilities (as logarithms) of these cases.
        vote_share: Share of the models that agree, shape (n,).
        num_models: Models with an answer, shape (n,).
        labels: Class index by model name and case id.
    """

    cases: tuple[RegionAnswer, ...]
    answers: TargetAnswers
    vote_share: Floats
    num_models: NDArray[np.int64]
    labels: Mapping[str, Mapping[str, int]]


def make_voter(
    name: str,
    targets: Mapping[str, tuple[str, ...]],
    answers: ModelAnswers,
    calibration: Mapping[str, Mapping[str, Any]],
    weight: float | None = None,
) -> Voter:
    """Voter of a model's answers."""
    by_case = {case.case_id: case for case in answers.cases}
    return Voter(name, targets, by_case, calibration, weight)


def list_cases(voters: Sequence[Voter]) -> list[RegionAnswer]:
    """Every case that some model has answered, once, by patient and name."""
    cases: dict[str, RegionAnswer] = {}
    for voter in voters:
        for name, case in voter.answers.items():
            cases.setdefault(name, case)
    return sorted(cases.values(), key=lambda case: (case.patient_id, case.case_id))


def decide(
    voters: Sequence[Voter], cases: Sequence[RegionAnswer], *, rule: str
) -> dict[str, Verdict]:
    """Decide every target of every case.

    Args:
        voters: At least one.
        cases: See :func:`list_cases`.
        rule: See :func:`mmmed.functional.classification_votes.combine_classifiers`.

    Returns:
        By target, in the order in which the models name them.

    Raises:
        ValueError: Models give a target different classes.
    """
    names = list(dict.fromkeys(name for voter in voters for name in voter.targets))
    return {name: _decide_target(voters, cases, name, rule) for name in names}


def list_prediction_rows(verdicts: Mapping[str, Verdict]) -> list[Row]:
    """Rows of ``predictions.csv``: one a case and target, a column for each model."""
    rows = []
    for verdict in verdicts.values():
        classes = verdict.answers.classes
        names = ('case_id', 'patient_id', 'size_mm', 'sequences')
        facts = [{name: getattr(c, name) for name in names} for c in verdict.cases]
        own = list_case_rows(facts, [verdict.answers])
        for index, row in enumerate(own):
            extra: Row = {
                'vote_share': float(verdict.vote_share[index]),
                'num_models': int(verdict.num_models[index]),
            }
            for name, labels in verdict.labels.items():
                label = labels.get(row['case_id'])
                extra[f'model_{name}'] = None if label is None else classes[label]
            prob = {
                name: round(row.pop(name), _DIGITS)
                for name in [key for key in row if key.startswith('prob_')]
            }
            row['confidence'] = round(row['confidence'], _DIGITS)
            rows.append(row | extra | prob)
    return rows


def summarize_verdicts(
    verdicts: Mapping[str, Verdict],
    voters: Sequence[Voter],
    resampling: Resampling,
) -> dict[str, Any]:
    """Scores of the ensemble and of each model; JSON-ready.

    Returns:
        ``ensemble`` (:func:`~mmmed.functional.classification_tables.summarize_target`
        by target, with ``by_vote_share``), ``composite``, and ``models``: scores by
        model and target, over the cases that the model answered.
    """
    ensemble = {
        name: summarize_target(verdict.answers, _list_patients(verdict), resampling)
        | {'by_vote_share': _list_shares(verdict)}
        for name, verdict in verdicts.items()
    }
    return {
        'ensemble': ensemble,
        'composite': _compose(ensemble),
        'models': {voter.name: _summarize_voter(voter) for voter in voters},
    }


def _decide_target(
    voters: Sequence[Voter], cases: Sequence[RegionAnswer], target: str, rule: str
) -> Verdict:
    asked = [voter for voter in voters if target in voter.targets]
    classes = asked[0].targets[target]
    for voter in asked:
        if voter.targets[target] != classes:
            raise ValueError(
                f'classes of {target!r} are {list(classes)} in {asked[0].name} and '
                f'{list(voter.targets[target])} in {voter.name}; models that vote must '
                'know the same classes'
            )
    cases = [case for case in cases if any(case.case_id in v.answers for v in asked)]
    prob = np.zeros((len(cases), len(classes)))
    share = np.zeros(len(cases))
    count = np.zeros(len(cases), np.int64)
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, case in enumerate(cases):
        able = [k for k, voter in enumerate(asked) if case.case_id in voter.answers]
        groups.setdefault(tuple(able), []).append(index)
    labels: dict[str, dict[str, int]] = {voter.name: {} for voter in asked}
    for members, places in groups.items():
        some = [asked[k] for k in members]
        names = [cases[place].case_id for place in places]
        stack = np.stack([voter.compute_prob(names, target) for voter in some])
        together = combine_classifiers(
            stack, rule=rule, weights=_weigh(some, target, rule)
        )
        prob[places] = together.prob
        share[places] = together.vote_share
        count[places] = len(some)
        for voter, own in zip(some, stack.argmax(axis=2), strict=True):
            labels[voter.name] |= dict(zip(names, own.tolist(), strict=True))
    # Rounded as for the decision, so that ties stay ties.
    logits = np.log(np.round(prob, _DIGITS).clip(_TINY))
    truth = np.array([case.truth.get(target, -1) for case in cases], np.int64)
    answers = TargetAnswers(
        target, classes, truth, logits, thresholds=_average_thresholds(asked, target)
    )
    return Verdict(tuple(cases), answers, share, count, labels)


def _weigh(voters: Sequence[Voter], target: str, rule: str) -> Sequence[float] | None:
    if rule != 'weighted':
        return None
    weights = [voter.get_weight(target) for voter in voters]
    # Nobody was better than chance: all are equally (un)reliable.
    return weights if sum(weights) else [1.0] * len(weights)


def _average_thresholds(
    voters: Sequence[Voter], target: str
) -> tuple[float, ...] | None:
    """Mean of the thresholds that the models chose on their validation cases."""
    found = [voter.calibration.get(target, {}).get('thresholds') for voter in voters]
    known = [cuts for cuts in found if cuts]
    if not known:
        return None
    means = []
    for cuts in zip(*known, strict=True):
        values = [cut for cut in cuts if cut is not None]
        means.append(sum(values) / len(values) if values else math.nan)
    return tuple(means)


def _list_shares(verdict: Verdict) -> list[dict[str, float]]:
    """Accuracy of the cases on which most models agree."""
    known = verdict.answers.known
    hits = verdict.answers.logits.argmax(axis=1) == verdict.answers.truth
    rows = []
    for share in _SHARES:
        kept = known & (verdict.vote_share > share)
        if kept.any() and kept.sum() >= _SMALLEST_SHARE * known.sum():
            accuracy = float(hits[kept].mean())
            rows.append({'above': share, 'n': int(kept.sum()), 'accuracy': accuracy})
    return rows


def _list_patients(verdict: Verdict) -> list[str]:
    return [case.patient_id for case in verdict.cases]


def _compose(targets: Mapping[str, Mapping[str, Any]]) -> float | None:
    score = compute_composite_score(
        [int(np.trace(target['confusion'])) for target in targets.values()],
        [target['n'] for target in targets.values()],
        [len(target['classes']) for target in targets.values()],
    )
    return None if math.isnan(score) else score


def _summarize_voter(voter: Voter) -> dict[str, Any]:
    cases = list_cases([voter])
    if not cases:
        return {}
    own = decide([voter], cases, rule='mean')
    targets = {
        name: summarize_target(verdict.answers, _list_patients(verdict), Resampling(0))
        for name, verdict in own.items()
    }
    return {
        'composite': _compose(targets),
        'targets': {
            name: {'n': target['n']}
            | {score: entry['value'] for score, entry in target['scores'].items()}
            for name, target in targets.items()
        },
    }
