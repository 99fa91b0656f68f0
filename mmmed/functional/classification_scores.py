"""All scores of one categorical target, with patient-level bootstrap intervals.

Not here: each score (``classification_counts``, ``classification_ranking``,
``calibration``), several targets (``mmmed.evaluation``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.calibration import (
    compute_brier,
    compute_calibration_error,
    compute_log_loss,
)
from mmmed.functional.classification_counts import (
    Floats,
    average_defined,
    compute_accuracy,
    compute_balanced_accuracy,
    compute_class_scores,
    compute_kappa,
    compute_macro_f1,
    count_confusion,
)
from mmmed.functional.classification_ranking import (
    compute_auc,
    compute_average_precision,
)
from mmmed.functional.statistics import (
    Interval,
    compute_percentile_interval,
    draw_resample_weights,
)

TARGET_SCORES = (
    'accuracy', 'balanced_accuracy', 'f1_macro', 'kappa', 'kappa_quadratic',
    'auc_macro', 'auc_micro', 'ap_macro', 'log_loss', 'brier', 'ece',
)  # fmt: skip
CUT_SCORES = ('sensitivity', 'specificity', 'ppv', 'npv')
# Weights held at a time, as in ``statistics``.
_BLOCK = 1 << 22

Scores = dict[str, Floats]


@dataclass(frozen=True)
class ClassPredictions:
    """Probabilities of the labelled cases of one target.

    Args:
        truth: Class indices in 0..K-1, shape (n,).
        prob: Shape (n, K), rows add up to 1.
        patients: Patient of each case, whose cases are drawn together.

    Raises:
        ValueError: Shapes differ, or a probability is not finite.
    """

    truth: NDArray[np.int64]
    prob: Floats
    patients: Sequence[str]

    def __post_init__(self) -> None:
        shape = self.prob.shape
        if self.prob.ndim != 2 or not (
            self.truth.shape == shape[:1] == (len(self.patients),)
        ):
            raise ValueError(
                f'truth has shape {self.truth.shape}, prob {shape}, and there are '
                f'{len(self.patients)} patients, expected (n,), (n, K) and n'
            )
        if not np.isfinite(self.prob).all():
            raise ValueError('a probability is not finite; the network diverged')

    @property
    def num_classes(self) -> int:
        """K."""
        return self.prob.shape[1]


def score_classes(
    data: ClassPredictions,
    weights: Floats | None = None,
    thresholds: ArrayLike | None = None,
) -> tuple[Scores, Scores]:
    """Scores of the target and of each of its classes.

    Args:
        data: Truth and probabilities.
        weights: How often each case counts, shape (B, n); None for once.
        thresholds: Threshold of each class, chosen on other cases, shape (K,), NaN
            where there is none.

    Returns:
        By name: :data:`TARGET_SCORES`, shape (B,); scores of each class against the
        rest, shape (B, K): ``sensitivity``, ``specificity``, ``ppv`` and ``npv`` where
        its probability must exceed 0.5, the same with ``_youden`` for ``thresholds``,
        ``f1`` of the most probable class, ``auc``, ``ap``. Means of classes leave out
        those without a case. B = 1 without weights.
    """
    given = np.ones((1, len(data.truth))) if weights is None else weights
    confusion = count_confusion(
        data.truth, data.prob.argmax(axis=1), data.num_classes, given
    )
    classes = _rank_classes(data, given) | _cut_classes(data, given, 0.5, '')
    classes['f1'] = compute_class_scores(confusion)['f1']
    if thresholds is not None:
        classes |= _cut_classes(data, given, thresholds, '_youden')
    exact = np.eye(data.num_classes, dtype=bool)[data.truth]
    target = {
        'accuracy': compute_accuracy(confusion),
        'balanced_accuracy': compute_balanced_accuracy(confusion),
        'f1_macro': compute_macro_f1(confusion),
        'kappa': compute_kappa(confusion),
        'kappa_quadratic': compute_kappa(confusion, quadratic=True),
        'auc_macro': average_defined(classes['auc']),
        'auc_micro': compute_auc(
            data.prob.reshape(-1),
            exact.reshape(-1),
            np.repeat(given, data.num_classes, axis=1),
        ),
        'ap_macro': average_defined(classes['ap']),
        'log_loss': compute_log_loss(data.prob, data.truth, given),
        'brier': compute_brier(data.prob, data.truth, given),
        'ece': compute_calibration_error(data.prob, data.truth, given),
    }
    return target, classes


def bound_scores(
    data: ClassPredictions,
    *,
    rng: np.random.Generator,
    thresholds: ArrayLike | None = None,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> tuple[dict[str, Interval], dict[str, list[Interval]]]:
    """Bootstrap intervals of all scores; patients are drawn, with all their cases.

    Args:
        data: Truth and probabilities.
        rng: Source of the resamples.
        thresholds: As in :func:`score_classes`.
        num_resamples: Resamples.
        confidence: Nominal coverage.

    Returns:
        Intervals by name; of the scores of classes a list of K.
    """
    _, unit = np.unique(np.asarray(data.patients, dtype=str), return_inverse=True)
    count = int(unit.max()) + 1 if unit.size else 0
    drawn = draw_resample_weights(count, rng=rng, num_resamples=num_resamples)
    rows = max(1, _BLOCK // max(data.prob.size, 1))
    blocks = [
        score_classes(data, drawn[start : start + rows][:, unit], thresholds)
        for start in range(0, num_resamples, rows)
    ]
    target = {
        name: compute_percentile_interval(
            np.concatenate([block[name] for block, _ in blocks]),
            n=count,
            confidence=confidence,
        )
        for name in blocks[0][0]
    }
    classes = {
        name: [
            compute_percentile_interval(
                np.concatenate([block[name][:, k] for _, block in blocks]),
                n=count,
                confidence=confidence,
            )
            for k in range(data.num_classes)
        ]
        for name in blocks[0][1]
    }
    return target, classes


def _rank_classes(data: ClassPredictions, weights: Floats) -> Scores:
    rank = {'auc': compute_auc, 'ap': compute_average_precision}
    return {
        name: np.stack(
            [
                compute(data.prob[:, k], data.truth == k, weights)
                for k in range(data.num_classes)
            ],
            axis=1,
        )
        for name, compute in rank.items()
    }


def _cut_classes(
    data: ClassPredictions, weights: Floats, thresholds: ArrayLike, suffix: str
) -> Scores:
    """Scores of each class against the rest; NaN for a threshold that is NaN."""
    cuts = np.broadcast_to(np.asarray(thresholds, np.float64), data.num_classes)
    parts: dict[str, list[Floats]] = {name: [] for name in CUT_SCORES}
    for k, cut in enumerate(cuts):
        confusion = count_confusion(data.truth == k, data.prob[:, k] > cut, 2, weights)
        scores = compute_class_scores(confusion)
        for name in CUT_SCORES:
            value = scores[name][:, 1]
            parts[name].append(np.full_like(value, np.nan) if np.isnan(cut) else value)
    return {f'{name}{suffix}': np.stack(part, axis=1) for name, part in parts.items()}
