"""Tables of several metrics become one, and nothing is overwritten."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from mmmed.engine.hooks.case_table_join import (
    join_mappings,
    join_metrics,
    join_rows,
)


@dataclass
class Metric:
    prefix: str
    tables: dict[str, list] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


def test_columns_are_joined_by_case_and_label() -> None:
    first = [{'case_id': 'a', 'label': k, 'n': 2, 'dice': d} for k, d in ('x1', 'y2')]
    second = [{'case_id': 'a', 'label': k, 'n': 2, 'hd': h} for k, h in ('y4', 'x3')]
    tables, _ = join_metrics(
        [Metric('o', {'cases': first}), object(), Metric('s', {'cases': second})]
    )
    assert tables == {
        'cases': [
            {'case_id': 'a', 'label': 'x', 'n': 2, 'dice': '1', 'hd': '3'},
            {'case_id': 'a', 'label': 'y', 'n': 2, 'dice': '2', 'hd': '4'},
        ]
    }


@pytest.mark.parametrize(
    'rows',
    [
        [{'case_id': 'a', 'dice': 0.6}],  # another value
        [{'case_id': 'b', 'dice': 0.5}],  # another case
        [],
        [{'case_id': 'a', 'hd': 1}, {'case_id': 'a', 'hd': 2}],  # not one row a case
    ],
)
def test_contradicting_tables_keep_apart(rows) -> None:
    first = [{'case_id': 'a', 'dice': 0.5}]
    assert join_rows(first, rows) is None
    tables, _ = join_metrics(
        [Metric('o', {'cases': first}), Metric('p', {'cases': rows})]
    )
    assert tables == {'cases': first, 'p_cases': rows}


def test_summaries_are_joined_to_the_leaves() -> None:
    first = {'policy': None, 'structures': {'x': {'dice': 1}}}
    second = {'policy': None, 'structures': {'x': {'hd': 2}}, 'tolerance_mm': 2}
    _, summary = join_metrics([Metric('o', {}, first), Metric('s', {}, second)])
    assert summary == {
        'policy': None,
        'structures': {'x': {'dice': 1, 'hd': 2}},
        'tolerance_mm': 2,
    }
    assert first == {'policy': None, 'structures': {'x': {'dice': 1}}}


def test_contradicting_summary_stays_under_its_prefix() -> None:
    first = {'policy': None, 'dice': 1}
    second = {'hd': 2, 'policy': 1.0}
    _, summary = join_metrics([Metric('o', {}, first), Metric('s', {}, second)])
    assert summary == {'policy': None, 'dice': 1, 's': second}
    assert join_mappings({'a': {'b': 1}}, {'a': {'b': 2}}) is None
    assert join_mappings({'a': {'b': 1}}, {'a': 2}) is None
