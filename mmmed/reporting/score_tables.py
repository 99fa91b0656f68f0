"""Numbers of a page about scores as rows of CSV files beside it.

Not here: computing them (``mmmed.evaluation``), HTML.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmmed.reporting.score_folder import Row, ScoreFolder

_FIELDS = (
    'n', 'n_undefined', 'n_units', 'mean', 'low', 'high', 'sd', 'median', 'q25', 'q75',
    'minimum', 'maximum',
)  # fmt: skip


def list_score_rows(scores: ScoreFolder) -> list[Row]:
    """Rows of ``scores.csv``: every mean of the page with its spread.

    ``part`` is ``all``, ``lesion_slices``, ``lesion_free_slices`` or the name of a
    column of groups, with its value in ``group``.
    """
    return [
        {'part': part, 'group': group, 'label': label, 'metric': metric}
        | {name: entry.get(name) for name in _FIELDS}
        for part, group, label, metric, entry in _list_entries(scores.summary)
    ]


def _list_entries(
    summary: Mapping[str, Any],
) -> Iterator[tuple[str, str, str, str, Mapping[str, Any]]]:
    for label, structure in summary['structures'].items():
        for metric, entry in structure['scores'].items():
            yield 'all', '', label, metric, entry
        slices = structure.get('slices')
        if slices:
            for metric, entry in slices['lesion']['scores'].items():
                yield 'lesion_slices', '', label, metric, entry
            for metric in ('false_alarm_share', 'false_voxels'):
                entry = slices['lesion_free'][metric]
                yield 'lesion_free_slices', '', label, metric, entry
    for column, values in (summary.get('groups') or {}).items():
        for value, structures in values.items():
            for label, structure in structures.items():
                for metric, entry in structure['scores'].items():
                    yield column, value, label, metric, entry


def list_lesion_rows(scores: ScoreFolder) -> list[Row]:
    """Rows of ``lesion_scores.csv``: all lesions of a structure, then by size."""
    rows = []
    for label in scores.labels:
        lesions = scores.get_structure(label)['lesions']
        pooled = lesions['pooled']
        bounds = [n for n in lesions['strata'][0] if n.startswith(('low_', 'high_'))]
        rows.append(
            {
                'label': label,
                'stratum': 'all',
                **dict.fromkeys(bounds),
                'lesions': pooled['target_lesions'],
                'found': pooled['found_lesions'],
                'false_alarms': pooled['false_positive_lesions'],
                'sensitivity': pooled['sensitivity'],
                'precision': pooled['precision'],
                'f1': pooled['f1'],
                'false_positives_per_scan': pooled['false_positives_per_scan'],
            }
        )
        for number, stratum in enumerate(lesions['strata'], 1):
            rows.append({'label': label, 'stratum': number, **stratum})
    return rows


def list_comparison_rows(scores: ScoreFolder) -> list[Row]:
    """Rows of ``comparison_scores.csv``: one per structure and score."""
    comparison = scores.summary['comparison']
    return [
        {'label': label, 'metric': metric, **entry}
        for label, metrics in comparison['structures'].items()
        for metric, entry in metrics.items()
    ]


def rank_worst(rows: Sequence[Row], number: int) -> list[int]:
    """Places of the worst rows: lowest Dice, then greatest HD95, then by name.

    Args:
        rows: Of ``cases.csv``; those without a Dice are no candidates.
        number: How many at most.
    """

    def judge(place: int) -> tuple[float, float, str]:
        row = rows[place]
        distance = row.get('hausdorff95_mm', math.nan)
        return row['dice'], 0.0 if math.isnan(distance) else -distance, row['case_id']

    defined = [p for p, row in enumerate(rows) if not math.isnan(row['dice'])]
    return sorted(defined, key=judge)[:number]
