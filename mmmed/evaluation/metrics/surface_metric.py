"""Distances between surfaces per case, as a metric of MMEngine's loops.

Not here: the distances (``mmmed.functional.surface``), gathering (``case_metric``).
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
from mmmed.functional.aggregation import sum_by_group, summarize_mean
from mmmed.functional.overlap import OUTCOMES, label_outcomes
from mmmed.functional.statistics import draw_resample_weights
from mmmed.functional.surface import compute_surface_metrics
from mmmed.registry import METRICS

# Names in tables and summaries; the same as in the tables of tools/evaluate.py.
SURFACE_NAMES = (
    'surface_dice',
    'hausdorff_mm',
    'hausdorff95_mm',
    'average_surface_distance_mm',
)
LEVELS = ('image', 'positive_image')
DEFINITIONS = {
    'surface_dice': (
        'share of both surfaces that lies within the tolerance of the other, by area'
    ),
    'hausdorff_mm': 'greatest distance between the surfaces',
    'hausdorff95_mm': 'the same, without the farthest twentieth of either surface',
    'average_surface_distance_mm': 'mean distance over both surfaces, by area',
}


@METRICS.register_module()
class SurfaceMetric(CaseMetric):
    """Surface Dice, Hausdorff and average surface distance of every structure.

    Each slice or volume is measured on its own, in the plane for a slice. A structure
    that was missed has surface Dice 0 and the diagonal of its image as its distances,
    unless the empty policy says otherwise; it never leaves a mean.

    Returned keys, after the prefix ``surface/``, for every class but the background:

    - ``{surface_dice,hausdorff_mm,hausdorff95_mm,average_surface_distance_mm}_image_
      <class>``: means over images; ``..._positive_image_<class>``: over those whose
      truth holds the class;
    - ``both_empty_image_<class>``: images that hold the class on neither side.

    ``tables['cases']`` has one row a case and class, ``summary`` the spread and the
    intervals, which resample patients. Numbers without a case behind them are NaN.

    Args:
        tolerance_mm: Of the surface Dice, in mm, >= 0.
        default_spacing: In mm per axis, for data that do not say their spacing. With
            ``(1, 1)`` all lengths are in pixels, whatever their names say.
        **options: As :class:`~mmmed.evaluation.metrics.case_metric.CaseMetric`, the
            data samples too; they also need ``spacing``.

    Source:
        As :func:`mmmed.functional.surface.compute_surface_metrics`.
    """

    default_prefix = 'surface'

    def __init__(
        self,
        tolerance_mm: float = 2.0,
        default_spacing: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not tolerance_mm >= 0:
            raise ValueError(f'tolerance_mm is {tolerance_mm}, expected a length >= 0')
        self.tolerance_mm = float(tolerance_mm)
        self.default_spacing = default_spacing

    def measure_case(
        self,
        pred: NDArray[Any],
        target: NDArray[Any],
        spacing: Sequence[float] | None,
    ) -> list[Row]:
        """Surface metrics of each structure, ``None`` where undefined."""
        spacing = spacing or self.default_spacing
        if spacing is None:
            raise ValueError(
                'the data sample has no spacing, expected mm per axis; let the '
                'manifest state it and the packing transform keep it, or give the '
                'metric default_spacing, for instance (1, 1) to measure in pixels'
            )
        rows = []
        for pred_mask, target_mask in self.split_masks(pred, target):
            found = compute_surface_metrics(
                pred_mask,
                target_mask,
                spacing,
                tolerance_mm=self.tolerance_mm,
                policy=self.policy,
            )
            values = (
                found.surface_dice,
                found.hausdorff_mm,
                found.hausdorff95_mm,
                found.average_distance_mm,
            )
            rows.append(dict(zip(SURFACE_NAMES, map(to_cell, values), strict=True)))
        return rows

    def summarize_results(
        self, results: Sequence[Row], counts: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Means over images with intervals over patients, and outcomes."""
        return {
            'tolerance_mm': self.tolerance_mm,
            'default_spacing': None
            if self.default_spacing is None
            else list(map(float, self.default_spacing)),
            'definitions': DEFINITIONS,
            'structures': {
                label: self._summarize_structure(results, counts[:, index], index - 1)
                for index, label in enumerate(self.get_classes())
                if index
            },
        }

    def _summarize_structure(
        self, results: Sequence[Row], counts: NDArray[np.int64], place: int
    ) -> dict[str, Any]:
        patients = [result['patient_id'] for result in results]
        names, _ = sum_by_group(counts, patients)
        units = np.searchsorted(names, np.asarray(patients, dtype=str))
        weights = draw_resample_weights(
            len(names), rng=self.make_rng(), num_resamples=self.num_resamples
        )
        positive = counts[:, 0] + counts[:, 2] > 0
        masks = {'image': np.ones_like(positive), 'positive_image': positive}
        scores: dict[str, Any] = {level: {} for level in LEVELS}
        for name in SURFACE_NAMES:
            cells = [result['measures'][place][name] for result in results]
            values = np.array(cells, np.float64)  # None becomes NaN
            for level, held in masks.items():
                scores[level][name] = summarize_mean(
                    values[held], units[held], weights, self.confidence
                )
        outcomes = label_outcomes(counts)
        numbers = {name: int(np.count_nonzero(outcomes == name)) for name in OUTCOMES}
        return {'scores': scores, 'outcomes': {'image': numbers}}

    def flatten_summary(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Names and numbers as the class lists them."""
        metrics: dict[str, float] = {}
        for label, structure in summary['structures'].items():
            suffix = make_suffix(label)
            for level in LEVELS:
                for name in SURFACE_NAMES:
                    value = structure['scores'][level][name]['value']
                    metrics[f'{name}_{level}_{suffix}'] = to_number(value)
            empty = structure['outcomes']['image']['both_empty']
            metrics[f'both_empty_image_{suffix}'] = empty
        return metrics
