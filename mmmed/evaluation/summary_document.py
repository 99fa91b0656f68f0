"""The part of ``summary.json`` that is computed from tables, in one piece.

Not here: each number (``score_summary``), inputs and options (``results_folder``).
"""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mmmed.evaluation.case_groups import CaseGroups
from mmmed.evaluation.score_definitions import METRICS, RULES
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.evaluation.score_summary import (
    SummaryOptions,
    summarize_comparison,
    summarize_groups,
    summarize_structures,
)
from mmmed.evaluation.score_tables import ScoreTables

_PACKAGES = ('numpy', 'scipy')


def build_summary(
    tables: ScoreTables,
    comparison: Sequence[dict[str, Any]] | None,
    labels: Sequence[str],
    groups: CaseGroups,
    options: SummaryOptions,
    scoring: ScoreOptions,
) -> dict[str, Any]:
    """Definitions, and every number over cases.

    Args:
        tables: Of all cases.
        comparison: Rows of ``comparison.csv``; None without a second folder.
        labels: Structures.
        groups: Patients and groups of the cases.
        options: Of the summary.
        scoring: How the tables were made.
    """
    has_patients = groups.patients is not None
    summary: Mapping[str, Any] = {
        'packages': {name: importlib.metadata.version(name) for name in _PACKAGES},
        'summary_options': {
            **asdict(options),
            'strata_mm3': list(options.strata_mm3),
            'strata_radius_mm': options.strata_radius_mm
            and list(options.strata_radius_mm),
        },
        'bootstrap': {
            'unit': 'patient' if has_patients else 'case',
            'method': 'percentile',
            'seed': options.seed,
            'num_resamples': options.num_resamples,
            'confidence': options.confidence,
        },
        'definitions': RULES,
        'metrics': {name: one.as_dict() for name, one in METRICS.items()},
        'labels': list(labels),
        'structures': summarize_structures(
            tables.cases,
            tables.lesions,
            tables.slices,
            labels,
            groups,
            options,
            scoring,
        ),
        'groups': summarize_groups(tables.cases, labels, groups, options),
        'comparison': None,
    }
    if comparison is None:
        return dict(summary)
    return {
        **summary,
        'comparison': {
            'num_cases': len({row['case_id'] for row in comparison}),
            'structures': summarize_comparison(comparison, labels, groups, options),
        },
    }
