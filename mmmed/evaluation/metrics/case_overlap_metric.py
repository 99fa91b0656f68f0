"""Overlap per image, per patient and pooled, as a metric of MMEngine's loops.

Not here: counting, scoring and averaging (``mmmed.functional.overlap`` and
``aggregation``), and files (``mmmed.engine`` writes the tables).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.evaluation.metrics.case_metric import (
    CaseMetric,
    Row,
    describe_case,
    make_suffix,
    to_cell,
    to_number,
)
from mmmed.functional.aggregation import (
    DEFINITIONS,
    LEVELS,
    sum_by_group,
    summarize_levels,
)
from mmmed.functional.overlap import COUNT_NAMES, SCORE_NAMES, compute_scores
from mmmed.registry import METRICS


@METRICS.register_module()
class CaseOverlapMetric(CaseMetric):
    """Dice, IoU, precision and recall of every structure at every level.

    Each image is counted once, in integers. A structure that was missed scores as
    the empty policy says and never leaves a mean. Data samples and constructor
    arguments are those of :class:`~mmmed.evaluation.metrics.case_metric.CaseMetric`.

    Returned keys, after the prefix ``overlap/``, shares in [0, 1]:

    - ``{dice,iou,precision,recall}_{image,patient,pooled}_<class>`` and
      ``dice_positive_image_<class>`` (images whose truth holds the class), for every
      class but the background (the first);
    - ``{hit,disjoint,missed,false_alarm,both_empty}_{image,patient}_<class>``:
      numbers of cases, see :func:`mmmed.functional.overlap.label_outcomes`;
    - ``detection_{sensitivity,specificity}_{image,patient}``: is any foreground
      predicted where there is any, and none where there is none;
    - ``mIoU``, ``mDice``: the host's pooled means, background included, in percent;
    - ``num_images``, ``num_patients``.

    A number without a single case behind it is NaN. After ``evaluate`` the object
    holds, in every process:

    - ``tables``: ``cases`` and ``patients``, lists of rows (one row a case and
      class) with counts, scores (``None`` where undefined) and the outcome;
    - ``summary``: JSON-ready definitions, policy, spread and bootstrap intervals,
      and the pooled counts.

    Source:
        The pooled means follow mmseg 1.2.2 ``IoUMetric`` (a class that occurs
        nowhere leaves its mean). Differs: int64 sums instead of float32, no rounding.
    """

    default_prefix = 'overlap'

    def summarize_results(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Scores, outcomes and detection at every level, and the pooled counts."""
        classes = self.get_classes()
        # Counts of "any foreground" are those of the background with roles swapped.
        layers = {'any_foreground': counts[:, 0, [3, 2, 1, 0]]} | {
            name: counts[:, index] for index, name in enumerate(classes) if index
        }
        levels = {
            name: summarize_levels(
                layer,
                [result['patient_id'] for result in results],
                policy=self.policy,
                rng=self.make_rng(),
                confidence=self.confidence,
                num_resamples=self.num_resamples,
            )
            for name, layer in layers.items()
        }
        pooled = counts.sum(axis=0)
        return {
            'definitions': DEFINITIONS,
            'detection': levels.pop('any_foreground')['detection'],
            'structures': levels,
            'host': _compute_host_means(pooled),
            'pooled_counts': {
                name: dict(zip(COUNT_NAMES, pooled[index].tolist(), strict=True))
                for index, name in enumerate(classes)
            },
        }

    def make_tables(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, list[Row]]:
        """Rows of cases and of patients, one per structure."""
        patients = [result['patient_id'] for result in results]
        names, sums = sum_by_group(counts, patients)
        facts = [
            {'patient_id': name, 'num_images': patients.count(name)} for name in names
        ]
        cases = [describe_case(result) for result in results]
        return {
            'cases': self._list_scored(cases, counts),
            'patients': self._list_scored(facts, sums),
        }

    def _list_scored(
        self, facts: Sequence[Row], counts: NDArray[np.int64]
    ) -> list[Row]:
        scores = {
            name: array[:, 1:].reshape(-1).tolist()
            for name, array in compute_scores(counts, policy=self.policy).items()
        }
        return [
            row | {name: to_cell(values[place]) for name, values in scores.items()}
            for place, row in enumerate(self.list_rows(facts, counts))
        ]

    def flatten_summary(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Names and numbers as the class lists them."""
        metrics: dict[str, float] = {}
        for label, levels in summary['structures'].items():
            suffix = make_suffix(label)
            for level in LEVELS:
                # The log line is long enough; the summary has every score.
                names = ('dice',) if level == 'positive_image' else SCORE_NAMES
                for name in names:
                    value = levels['scores'][level][name]['value']
                    metrics[f'{name}_{level}_{suffix}'] = to_number(value)
            for level, outcomes in levels['outcomes'].items():
                for name, number in outcomes.items():
                    metrics[f'{name}_{level}_{suffix}'] = number
        for level, shares in summary['detection'].items():
            for name, entry in shares.items():
                metrics[f'detection_{name}_{level}'] = to_number(entry['value'])
        for name in ('mIoU', 'mDice'):
            metrics[name] = to_number(summary['host'][name])
        for name in ('num_images', 'num_patients'):
            metrics[name] = summary[name]
        return metrics


def _compute_host_means(pooled: NDArray[np.int64]) -> dict[str, Any]:
    """The host's mIoU and mDice in percent: absent classes leave the mean."""
    scores = compute_scores(pooled)
    result: dict[str, Any] = {}
    for name, key in (('iou', 'mIoU'), ('dice', 'mDice')):
        # The default policy equals the host's arithmetic: 0/0 is the only NaN.
        present = [value * 100 for value in scores[name].tolist() if value == value]
        result[key] = sum(present) / len(present) if present else None
        result[f'{key}_num_classes'] = len(present)
    return result
