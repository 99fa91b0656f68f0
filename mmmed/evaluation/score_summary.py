"""Numbers over cases from the rows of tables: means, spread, intervals, comparison.

Not here: the rows (``score_tables``), files (``folder_evaluation``).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.evaluation.case_groups import CaseGroups
from mmmed.evaluation.case_scores import Row
from mmmed.evaluation.score_definitions import COMPARED, METRICS
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.functional.aggregation import summarize_mean
from mmmed.functional.lesions import stratify_lesions
from mmmed.functional.overlap import COUNT_NAMES, OUTCOMES, compute_scores
from mmmed.functional.paired import compare_paired
from mmmed.functional.statistics import draw_resample_weights

_SLICE_METRICS = ('dice', 'iou', 'precision', 'recall', 'specificity')
_LESION_COUNTS = (
    'target_lesions',
    'pred_lesions',
    'found_lesions',
    'missed_lesions',
    'false_positive_lesions',
)


@dataclass(frozen=True)
class SummaryOptions:
    """What only the summary needs.

    Args:
        strata_mm3: Rising inner bounds of lesion volume.
        strata_radius_mm: The same as radii of balls (discs, in a single slice) of
            equal volume, instead of ``strata_mm3``.
        seed: Of the bootstrap.
        num_resamples: Of the bootstrap, >= 1.
        confidence: Nominal coverage of the intervals.

    Raises:
        ValueError: Bounds that do not rise, or no resample.
    """

    strata_mm3: tuple[float, ...] = (100.0, 1000.0, 10000.0)
    strata_radius_mm: tuple[float, ...] | None = None
    seed: int = 0
    num_resamples: int = 2000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, 'strata_mm3', tuple(self.strata_mm3))
        stratify_lesions([], [], [], [], self.strata_mm3)
        if self.strata_radius_mm is not None:
            radii = tuple(map(float, self.strata_radius_mm))
            object.__setattr__(self, 'strata_radius_mm', radii)
            stratify_lesions([], [], [], [], radii)
        if self.num_resamples < 1 or not 0 < self.confidence < 1:
            raise ValueError(
                f'{self.num_resamples} resamples at confidence {self.confidence}, '
                'expected at least 1 and a share between 0 and 1'
            )


class _Units:
    """Independent units of a set of rows, and the resamples that all numbers share."""

    def __init__(
        self, rows: Sequence[Row], groups: CaseGroups, options: SummaryOptions
    ) -> None:
        cases = sorted({row['case_id'] for row in rows})
        units = groups.get_units(cases)
        names, index = np.unique(np.asarray(units, dtype=str), return_inverse=True)
        self._places = dict(zip(cases, index.tolist(), strict=True))
        self._confidence = options.confidence
        self._weights = draw_resample_weights(
            len(names),
            rng=np.random.default_rng(options.seed),
            num_resamples=options.num_resamples,
        )

    def summarize(self, rows: Sequence[Row], metric: str) -> dict[str, Any]:
        """Mean, interval and spread of a column."""
        places = np.array([self._places[row['case_id']] for row in rows], np.intp)
        values = _get_column(rows, metric)
        entry = summarize_mean(values, places, self._weights, self._confidence)
        names = {'value': 'mean', 'n_patients': 'n_units'}
        return {names.get(name, name): value for name, value in entry.items()}


def summarize_structures(
    cases: Sequence[Row],
    lesions: Sequence[Row],
    slices: Sequence[Row],
    labels: Sequence[str],
    groups: CaseGroups,
    options: SummaryOptions,
    scoring: ScoreOptions,
) -> dict[str, Any]:
    """Everything over all cases, per label; JSON-ready, undefined numbers None.

    Args:
        cases: Rows of ``cases.csv``.
        lesions: Rows of ``lesions.csv``.
        slices: Rows of ``slices.csv``.
        labels: Structures.
        groups: Patients of the cases.
        options: See :class:`SummaryOptions`.
        scoring: How the rows were made.
    """
    units = _Units(cases, groups, options)
    result = {}
    for label in labels:
        of_label = _select(cases, 'label', label)
        entry = _summarize_cases(of_label, units)
        entry['pooled'] = _pool_voxels(of_label, scoring)
        entry['lesions'] = {
            'pooled': _pool_lesions(of_label, scoring),
            'strata': _stratify(_select(lesions, 'label', label), options),
        }
        if scoring.plane is not None:
            of_label = _select(slices, 'label', label)
            entry['slices'] = _summarize_slices(of_label, units)
        result[label] = entry
    return result


def summarize_groups(
    cases: Sequence[Row],
    labels: Sequence[str],
    groups: CaseGroups,
    options: SummaryOptions,
) -> dict[str, Any]:
    """Scores by column, value and label; arguments as :func:`summarize_structures`."""
    result: dict[str, Any] = {}
    for column, values in groups.columns.items():
        result[column] = {}
        # Cases that failed have no row.
        for value in sorted({values[row['case_id']] for row in cases}):
            held = [row for row in cases if values[row['case_id']] == value]
            units = _Units(held, groups, options)
            result[column][value] = {
                label: _summarize_cases(_select(held, 'label', label), units)
                for label in labels
            }
    return result


def summarize_comparison(
    comparison: Sequence[Row],
    labels: Sequence[str],
    groups: CaseGroups,
    options: SummaryOptions,
) -> dict[str, Any]:
    """Paired differences by label and metric.

    Args:
        comparison: Rows of ``comparison.csv``.
        labels: Structures.
        groups: Patients of the cases.
        options: See :class:`SummaryOptions`.

    Returns:
        Fields of :class:`mmmed.functional.paired.PairedComparison`, and ``wins``,
        ``ties`` and ``losses`` of the first folder instead of higher and lower.
    """
    result: dict[str, Any] = {}
    for label in labels:
        of_label = _select(comparison, 'label', label)
        result[label] = {}
        for metric in COMPARED:
            rows = _select(of_label, 'metric', metric)
            entry = compare_paired(
                _get_column(rows, 'a'),
                _get_column(rows, 'b'),
                rng=np.random.default_rng(options.seed),
                units=groups.get_units([row['case_id'] for row in rows]),
                confidence=options.confidence,
                num_resamples=options.num_resamples,
            ).as_dict()
            higher, lower = entry.pop('higher'), entry.pop('lower')
            if METRICS[metric].best == 'low':
                higher, lower = lower, higher
            ties = entry.pop('ties')
            entry |= {'wins': higher, 'ties': ties, 'losses': lower}
            result[label][metric] = entry
    return result


def _summarize_cases(rows: Sequence[Row], units: _Units) -> dict[str, Any]:
    outcomes = Counter(row['outcome'] for row in rows)
    return {
        'num_cases': len(rows),
        'num_pred_missing': sum(row['pred_missing'] for row in rows),
        'outcomes': {name: outcomes[name] for name in OUTCOMES},
        'empty': {
            'both_empty': outcomes['both_empty'],
            'pred_empty': outcomes['missed'],
            'target_empty': outcomes['false_alarm'],
        },
        'scores': {name: units.summarize(rows, name) for name in METRICS},
    }


def _pool_voxels(rows: Sequence[Row], scoring: ScoreOptions) -> dict[str, Any]:
    counts = [sum(row[name] for row in rows) for name in COUNT_NAMES]
    scores = compute_scores(counts, policy=scoring.policy)
    return {
        **dict(zip(COUNT_NAMES, counts, strict=True)),
        **{name: _drop_nan(float(value)) for name, value in scores.items()},
    }


def _pool_lesions(rows: Sequence[Row], scoring: ScoreOptions) -> dict[str, Any]:
    total = {name: sum(row[name] for row in rows) for name in _LESION_COUNTS}
    found, missed = total['found_lesions'], total['missed_lesions']
    false = total['false_positive_lesions']
    scores = compute_scores([found, false, missed, 0], policy=scoring.policy)
    return {
        **total,
        'false_positives_per_scan': false / len(rows) if rows else None,
        'f1': _drop_nan(float(scores['dice'])),
        'sensitivity': _drop_nan(float(scores['recall'])),
        'precision': _drop_nan(float(scores['precision'])),
    }


def _stratify(lesions: Sequence[Row], options: SummaryOptions) -> list[dict[str, Any]]:
    """Rows with their bounds in ``low_mm3`` and ``high_mm3``, or ``..._radius_mm``."""
    targets = _select(lesions, 'side', 'target')
    alarms = _select(lesions, 'outcome', 'false_alarm')
    radii = options.strata_radius_mm
    column = 'volume_mm3' if radii is None else 'radius_mm'
    rows = stratify_lesions(
        [row[column] for row in targets],
        [row['outcome'] == 'found' for row in targets],
        [row['dice'] for row in targets],
        [row[column] for row in alarms],
        options.strata_mm3 if radii is None else radii,
    )
    unit = 'mm3' if radii is None else 'radius_mm'
    names = {'low': f'low_{unit}', 'high': f'high_{unit}'}
    return [{names.get(k, k): _drop_nan(v) for k, v in row.items()} for row in rows]


def _summarize_slices(rows: Sequence[Row], units: _Units) -> dict[str, Any]:
    lesion = [row for row in rows if row['has_lesion']]
    free = [row for row in rows if not row['has_lesion']]
    alarms = [{**row, 'alarm': float(row['fp'] > 0)} for row in free]
    return {
        'lesion': {
            'num_slices': len(lesion),
            'num_missed': sum(row['tp'] + row['fp'] == 0 for row in lesion),
            'scores': {m: units.summarize(lesion, m) for m in _SLICE_METRICS},
        },
        'lesion_free': {
            'num_slices': len(free),
            'num_false_alarms': sum(row['fp'] > 0 for row in free),
            'false_alarm_share': units.summarize(alarms, 'alarm'),
            'false_voxels': units.summarize(free, 'fp'),
        },
    }


def _select(rows: Iterable[Row], name: str, value: Any) -> list[Row]:
    return [row for row in rows if row[name] == value]


def _get_column(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """Values of a column, NaN where undefined."""
    values = [row[name] for row in rows]
    return np.array([math.nan if v is None else v for v in values], np.float64)


def _drop_nan(value: float) -> float | None:
    return value if math.isfinite(value) else None
