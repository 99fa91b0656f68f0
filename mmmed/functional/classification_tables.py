"""Rows and summaries of what was predicted of cases with several targets.

Plain values that CSV and JSON carry; a number that is not defined is None. Not here:
the scores themselves (``classification_scores``), files.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.calibration import (
    apply_temperature,
    compute_brier,
    compute_calibration_error,
    compute_log_loss,
    fit_temperature,
    list_reliability,
)
from mmmed.functional.classification_counts import Floats, count_confusion
from mmmed.functional.classification_ranking import find_youden_threshold
from mmmed.functional.classification_scores import (
    ClassPredictions,
    bound_scores,
    score_classes,
)
from mmmed.functional.statistics import Interval

Row = dict[str, Any]
# What a temperature changes, also reported without it.
PROBABILITY_SCORES = {
    'log_loss': compute_log_loss,
    'brier': compute_brier,
    'ece': compute_calibration_error,
}


@dataclass(frozen=True)
class TargetAnswers:
    """What was predicted of one target.

    Args:
        name: Of the target.
        classes: Names of its K classes.
        truth: Class indices, shape (n,); -1 where nobody knows.
        logits: Shape (n, K); logarithms of probabilities will do.
        temperature: That the logits are divided by.
        thresholds: Probability that each class must exceed, after the temperature,
            chosen on other cases; NaN where there is none. None without any.

    Raises:
        ValueError: Shapes differ.
    """

    name: str
    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    logits: Floats
    temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.truth), len(self.classes))
        if self.truth.ndim != 1 or self.logits.shape != expected:
            raise ValueError(
                f'{self.name}: logits have shape {self.logits.shape}, expected '
                f'{expected}, one column a class of {list(self.classes)}'
            )

    @property
    def prob(self) -> Floats:
        """Probabilities, shape (n, K)."""
        return apply_temperature(self.logits, self.temperature)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether each case is labelled, shape (n,)."""
        return self.truth >= 0


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    Args:
        num_resamples: 0 for no intervals.
        confidence: Nominal coverage.
        seed: Of the generator; every target has the same resamples.
    """

    num_resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0


def list_case_rows(
    cases: Sequence[Mapping[str, Any]], answers: Iterable[TargetAnswers]
) -> list[Row]:
    """One row a case and target.

    Args:
        cases: What is known of each case: ``case_id``, ``patient_id`` and more.
        answers: Of these cases, in their order.

    Returns:
        Rows with ``target``, ``truth`` (name of the class, None if nobody knows),
        ``pred``, ``correct``, ``confidence`` and ``prob_<k>`` of the k-th class.
    """
    rows = []
    for answer in answers:
        prob = answer.prob
        labels = prob.argmax(axis=1)
        for case, truth, label, values in zip(
            cases, answer.truth, labels, prob, strict=True
        ):
            rows.append(
                dict(case)
                | {
                    'target': answer.name,
                    'truth': answer.classes[truth] if truth >= 0 else None,
                    'pred': answer.classes[label],
                    'correct': int(truth == label) if truth >= 0 else None,
                    'confidence': float(values[label]),
                }
                | {f'prob_{k}': float(value) for k, value in enumerate(values)}
            )
    return rows


def summarize_target(
    answer: TargetAnswers, patients: Sequence[str], resampling: Resampling
) -> dict[str, Any]:
    """Everything that is said about one target; JSON-ready.

    Args:
        answer: Of all cases.
        patients: Patient of each case.
        resampling: How intervals are made.

    Returns:
        ``classes``, ``n``, ``n_missing``, ``counts`` (labelled cases of each class),
        ``scores`` (each with ``value``, ``low``, ``high``), ``class_scores`` (by class,
        likewise), ``confusion`` (true class in rows), ``reliability``, ``temperature``
        and ``thresholds``. With a temperature ``scores`` has ``log_loss_raw``,
        ``brier_raw`` and ``ece_raw`` of the probabilities without it.
    """
    known = answer.known
    truth, prob = answer.truth[known], answer.prob[known]
    units = [p for p, is_known in zip(patients, known, strict=True) if is_known]
    data = ClassPredictions(truth, prob, units)
    target, classes = score_classes(data, thresholds=answer.thresholds)
    bounds, class_bounds = _bound(data, answer, resampling)
    scores = {
        name: _describe(value[0], bounds.get(name)) for name, value in target.items()
    }
    if answer.temperature != 1:
        raw = apply_temperature(answer.logits[known], 1.0)
        for name, compute in PROBABILITY_SCORES.items():
            scores[f'{name}_raw'] = _describe(compute(raw, truth), None)
    return {
        'classes': list(answer.classes),
        'n': int(known.sum()),
        'n_missing': int((~known).sum()),
        'counts': np.bincount(truth, minlength=len(answer.classes)).tolist(),
        'scores': scores,
        'class_scores': {
            label: {
                name: _describe(value[0, k], _pick(class_bounds, name, k))
                for name, value in classes.items()
            }
            for k, label in enumerate(answer.classes)
        },
        'confusion': count_confusion(truth, prob.argmax(axis=1), len(answer.classes))
        .astype(int)
        .tolist(),
        'reliability': list_reliability(prob, truth),
        'temperature': answer.temperature,
        'thresholds': None
        if answer.thresholds is None
        else [to_cell(cut) for cut in answer.thresholds],
    }


def list_score_rows(targets: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """One row a target, class (``all`` for the target) and score.

    Args:
        targets: :func:`summarize_target` by name.
    """
    return [
        {'target': name, 'class': label, 'score': score, 'n': target['n']} | entry
        for name, target in targets.items()
        for label, scores in {'all': target['scores'], **target['class_scores']}.items()
        for score, entry in scores.items()
    ]


def list_confusion_rows(targets: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """One row a target, true and predicted class, with the number of cases."""
    return [
        {'target': name, 'truth': true, 'pred': pred, 'cases': count}
        for name, target in targets.items()
        for true, counts in zip(target['classes'], target['confusion'], strict=True)
        for pred, count in zip(target['classes'], counts, strict=True)
    ]


def fit_calibration(answers: Iterable[TargetAnswers]) -> dict[str, dict[str, Any]]:
    """Temperature and Youden thresholds of each target, from validation cases.

    Returns:
        By target ``temperature``, ``thresholds`` (one a class, None without cases of
        both kinds; they hold after the temperature), ``n``, and ``log_loss`` before and
        after (None without a labelled case), ``balanced_accuracy``; JSON-ready.
    """
    result = {}
    for answer in answers:
        truth, logits = answer.truth[answer.known], answer.logits[answer.known]
        temperature = fit_temperature(logits, truth)
        prob = apply_temperature(logits, temperature)
        data = ClassPredictions(truth, prob, [''] * len(truth))
        scores, _ = score_classes(data)
        raw = apply_temperature(logits, 1.0)
        result[answer.name] = {
            'temperature': temperature,
            'thresholds': [
                to_cell(find_youden_threshold(prob[:, k], truth == k))
                for k in range(len(answer.classes))
            ],
            'n': len(truth),
            'log_loss_raw': to_cell(float(compute_log_loss(raw, truth))),
            'log_loss': to_cell(float(scores['log_loss'][0])),
            'balanced_accuracy': to_cell(float(scores['balanced_accuracy'][0])),
        }
    return result


def to_cell(value: float) -> float | None:
    """A number as JSON and tables want it: None where it is NaN."""
    return None if math.isnan(value) else float(value)


def _bound(
    data: ClassPredictions, answer: TargetAnswers, resampling: Resampling
) -> tuple[Mapping[str, Interval], Mapping[str, Sequence[Interval]]]:
    if resampling.num_resamples:
        return bound_scores(
            data,
            rng=np.random.default_rng(resampling.seed),
            thresholds=answer.thresholds,
            num_resamples=resampling.num_resamples,
            confidence=resampling.confidence,
        )
    return {}, {}


def _pick(
    bounds: Mapping[str, Sequence[Interval]], name: str, index: int
) -> Interval | None:
    return bounds[name][index] if name in bounds else None


def _describe(value: Any, interval: Interval | None) -> dict[str, float | None]:
    entry = {'value': to_cell(float(value))}
    if interval is not None:
        entry |= {'low': to_cell(interval.low), 'high': to_cell(interval.high)}
    return entry
