"""Rows of all cases in one order, whoever computed them.

Not here: the rows of a case (``case_scores``), numbers over cases (``score_summary``).
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmmed.evaluation.case_groups import CaseGroups
from mmmed.evaluation.case_records import ScoreRecord
from mmmed.evaluation.case_scores import Row, score_absent_label
from mmmed.evaluation.score_definitions import COMPARED
from mmmed.evaluation.score_options import ScoreOptions


@dataclass(frozen=True)
class ScoreTables:
    """What ``cases.csv``, ``lesions.csv`` and ``slices.csv`` hold.

    Args:
        cases: One row per case and label, every label for every case.
        lesions: One row per lesion.
        slices: One row per slice and label; empty without a plane.
    """

    cases: list[Row]
    lesions: list[Row]
    slices: list[Row]


def list_labels(
    records: Iterable[ScoreRecord], named: Mapping[str, Any] | None
) -> list[str]:
    """Structures to report: as named, or all that occur in any case, by number."""
    if named is not None:
        return list(named)
    found = {row['label'] for record in records for row in record.scores.cases}
    return sorted(found, key=int)


def build_tables(
    records: Sequence[ScoreRecord],
    labels: Sequence[str],
    options: ScoreOptions,
    groups: CaseGroups,
) -> ScoreTables:
    """Rows by case id, then label.

    A label that is on neither side of a case gets its row there too: the summary
    counts such cases.

    Args:
        records: Scored cases, in any order.
        labels: Structures, in the order to report them.
        options: Of the scores.
        groups: Columns to add to the rows of cases.
    """
    tables = ScoreTables([], [], [])
    for record in sorted(records, key=lambda one: one.case_id):
        scores = copy.copy(record.scores)
        known = {row['label'] for row in scores.cases}
        parts = [scores]
        for label in labels:
            if label not in known:
                parts.append(
                    score_absent_label(record.case_id, label, scores.grid, options)
                )
        facts = _get_facts(record.case_id, groups)
        for name in ('cases', 'lesions', 'slices'):
            rows = [row for part in parts for row in getattr(part, name)]
            # Stable: lesions and slices keep their order within a label.
            rows.sort(key=lambda row: labels.index(row['label']))
            more = facts if name == 'cases' else {}
            getattr(tables, name).extend(row | more for row in rows)
    return tables


def compare_tables(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """One row per case, label and metric that both tables of cases have.

    Returns:
        ``case_id``, ``label``, ``metric``, ``a``, ``b`` and ``difference``, a minus b,
        None where a value is undefined.
    """
    others = {(row['case_id'], row['label']): row for row in second}
    rows = []
    for row in first:
        other = others.get((row['case_id'], row['label']))
        if other is None:
            continue
        for metric in COMPARED:
            a, b = row[metric], other[metric]
            difference = None if a is None or b is None else a - b
            rows.append(
                {
                    'case_id': row['case_id'],
                    'label': row['label'],
                    'metric': metric,
                    'a': a,
                    'b': b,
                    'difference': difference,
                }
            )
    return rows


def _get_facts(case_id: str, groups: CaseGroups) -> Row:
    facts = {name: column[case_id] for name, column in groups.columns.items()}
    if groups.patients is not None:
        facts = {'patient_id': groups.patients[case_id], **facts}
    return facts
