"""Lesions found, missed and invented, as a metric of MMEngine's loops.

Not here: finding and matching lesions (``mmmed.functional.lesions``), gathering
(``case_metric``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.evaluation.metrics.case_metric import (
    CaseMetric,
    Row,
    make_suffix,
    to_cell,
    to_number,
)
from mmmed.functional.aggregation import (
    LEVELS,
    sum_by_group,
    summarize_levels,
    summarize_mean,
)
from mmmed.functional.lesions import Criterion, match_lesions
from mmmed.functional.overlap import compute_scores
from mmmed.functional.statistics import draw_resample_weights
from mmmed.registry import METRICS

# Lesion-wise names of the scores that counts of lesions give.
SCORES = {'f1': 'dice', 'sensitivity': 'recall', 'precision': 'precision'}
DEFINITIONS = {
    'lesion': 'connected component of a mask; of a slice, a cross-section of one',
    'lesion_f1': 'TP / (TP + (FP + FN) / 2), in lesions of the truth',
    'lesion_sensitivity': 'TP / (TP + FN): share of the lesions that was found',
    'lesion_precision': 'TP / (TP + FP): share of the predicted lesions that is right',
    'false_alarms_per_image': 'predicted lesions that are none, mean over images',
    'count_difference': 'predicted minus true number of lesions, mean of its size',
}


@METRICS.register_module()
class LesionMetric(CaseMetric):
    """Lesion-wise F1, sensitivity, precision and false alarms of every structure.

    A lesion is a connected component of one case: of a volume, or of a slice, where
    one lesion of the patient may count many times.

    Returned keys, after the prefix ``lesion/``, for every class but the background:

    - ``{f1,sensitivity,precision}_{image,positive_image,patient,pooled}_<class>``:
      mean over images, over images whose truth holds a lesion, over patients (counts
      of a patient's images are summed first), and of all lesions together;
    - ``false_alarms_per_image_<class>``, ``count_difference_<class>``;
    - ``num_{lesions,found,missed,false_alarms}_<class>``, sums over all images.

    A side without a lesion scores as the empty policy says; numbers without a case
    behind them are NaN. ``tables['cases']`` has one row a case and class,
    ``tables['lesions']`` one row a lesion of the truth and a row a false alarm;
    ``summary`` has the spread and the intervals, which resample patients.

    Args:
        criterion: As :func:`mmmed.functional.lesions.match_lesions`, as are the next
            two.
        min_iou: Smallest IoU of a pair.
        connectivity: Neighbours of an element within a lesion.
        default_spacing: In mm per axis, for data that do not say their spacing;
            without one, lesions have sizes in voxels only.
        **options: As :class:`~mmmed.evaluation.metrics.case_metric.CaseMetric`, the
            data samples too.

    Source:
        As :func:`mmmed.functional.lesions.match_lesions`.
    """

    default_prefix = 'lesion'

    def __init__(
        self,
        criterion: Criterion = 'overlap',
        min_iou: float = 0.5,
        connectivity: int | None = None,
        default_spacing: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.criterion = criterion
        self.min_iou = min_iou
        self.connectivity = connectivity
        self.default_spacing = default_spacing

    def measure_case(
        self,
        pred: NDArray[Any],
        target: NDArray[Any],
        spacing: Sequence[float] | None,
    ) -> list[Row]:
        """Counts of lesions, and the lesions themselves, of each structure."""
        known = spacing or self.default_spacing
        rows = []
        for pred_mask, target_mask in self.split_masks(pred, target):
            match = match_lesions(
                pred_mask,
                target_mask,
                known or [1.0] * target_mask.ndim,
                criterion=self.criterion,
                min_iou=self.min_iou,
                connectivity=self.connectivity,
            )
            lesions = match.as_rows()
            if known is None:
                lesions = [
                    {k: None if '_mm' in k else v for k, v in lesion.items()}
                    for lesion in lesions
                ]
            rows.append(
                {
                    'target_lesions': len(match.target),
                    'pred_lesions': len(match.pred),
                    'found_lesions': match.num_found,
                    'missed_lesions': match.num_missed,
                    'false_positive_lesions': match.num_false_alarms,
                    'lesions': lesions,
                }
            )
        return rows

    def make_tables(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, list[Row]]:
        """One row a case, with its lesion-wise scores; one row a lesion."""
        tables = super().make_tables(results, counts)
        labels = self.get_classes()[1:]
        scores = compute_scores(
            np.array([_count(row) for row in tables['cases']]).reshape(-1, 4),
            policy=self.policy,
        )
        cases = [
            row | {f'lesion_{k}': to_cell(scores[v][place]) for k, v in SCORES.items()}
            for place, row in enumerate(tables['cases'])
        ]
        lesions = [
            {
                'case_id': result['case_id'],
                'patient_id': result['patient_id'],
                'label': label,
            }
            | lesion
            for result in results
            for label, cells in zip(labels, result['measures'], strict=True)
            for lesion in cells['lesions']
        ]
        return {'cases': cases, 'lesions': lesions}

    def summarize_results(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Lesion-wise scores at every level, and sums of lesions."""
        spacing = self.default_spacing
        return {
            'lesion_matching': {
                'criterion': self.criterion,
                'min_iou': None if self.criterion == 'overlap' else self.min_iou,
                'connectivity': self.connectivity,
                'default_spacing': None if spacing is None else [*map(float, spacing)],
            },
            'definitions': DEFINITIONS,
            'structures': {
                label: {'lesions': self._summarize_structure(results, place)}
                for place, label in enumerate(self.get_classes()[1:])
            },
        }

    def _summarize_structure(
        self, results: Sequence[Row], place: int
    ) -> dict[str, Any]:
        patients = [result['patient_id'] for result in results]
        measures = [result['measures'][place] for result in results]
        counts = np.array([_count(cells) for cells in measures], np.int64)
        counts = counts.reshape(-1, 4)
        levels = summarize_levels(
            counts,
            patients,
            rng=self.make_rng(),
            policy=self.policy,
            confidence=self.confidence,
            num_resamples=self.num_resamples,
        )['scores']
        names, _ = sum_by_group(counts, patients)
        units = np.searchsorted(names, np.asarray(patients, dtype=str))
        weights = draw_resample_weights(
            len(names), rng=self.make_rng(), num_resamples=self.num_resamples
        )
        differences = [c['pred_lesions'] - c['target_lesions'] for c in measures]
        means = {
            'false_alarms_per_image': counts[:, 1].astype(float),
            'count_difference': np.abs(np.array(differences, float)),
        }
        return {
            'num_lesions': sum(cells['target_lesions'] for cells in measures),
            'num_found': int(counts[:, 0].sum()),
            'num_missed': int(counts[:, 2].sum()),
            'num_false_alarms': int(counts[:, 1].sum()),
            'scores': {
                level: {name: levels[level][score] for name, score in SCORES.items()}
                for level in LEVELS
            },
        } | {
            name: summarize_mean(values, units, weights, self.confidence)
            for name, values in means.items()
        }

    def flatten_summary(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Names and numbers as the class lists them."""
        metrics: dict[str, float] = {}
        for label, structure in summary['structures'].items():
            suffix, lesions = make_suffix(label), structure['lesions']
            for level in LEVELS:
                for name, entry in lesions['scores'][level].items():
                    metrics[f'{name}_{level}_{suffix}'] = to_number(entry['value'])
            for name in ('false_alarms_per_image', 'count_difference'):
                metrics[f'{name}_{suffix}'] = to_number(lesions[name]['value'])
            for name in ('lesions', 'found', 'missed', 'false_alarms'):
                metrics[f'num_{name}_{suffix}'] = lesions[f'num_{name}']
        return metrics


def _count(cells: Mapping[str, Any]) -> list[int]:
    """TP, FP, FN and TN of a case in lesions; there are no true negatives."""
    names = ('found_lesions', 'false_positive_lesions', 'missed_lesions')
    return [*(cells[name] for name in names), 0]
