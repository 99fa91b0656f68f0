"""Tables and summaries of several metrics of one evaluator, joined where they agree.

Not here: writing them (``case_table_hook``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
# Columns that say which row is which.
KEYS = ('case_id', 'patient_id', 'label')


def join_metrics(
    metrics: Iterable[Any],
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """One set of tables and one summary of everything that was measured.

    Tables of one name get the columns of all metrics, row by row, and summaries the
    entries of all. A metric that contradicts an earlier one (another empty policy, say)
    keeps its own: ``<prefix>_<table>``, and its summary under its prefix. Nothing is
    overwritten.

    Args:
        metrics: In the order of the evaluator; those without ``tables`` or ``summary``
            are passed over.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    summary: dict[str, Any] = {}
    for metric in metrics:
        prefix = getattr(metric, 'prefix', None) or type(metric).__name__
        for name, rows in getattr(metric, 'tables', {}).items():
            joined = join_rows(tables.get(name), rows)
            tables[name if joined is not None else f'{prefix}_{name}'] = (
                [dict(row) for row in rows] if joined is None else joined
            )
        own = getattr(metric, 'summary', {})
        whole = join_mappings(summary, own)
        summary = {**summary, prefix: own} if whole is None else whole
    return tables, summary


def join_rows(
    first: Sequence[Row] | None, second: Sequence[Row]
) -> list[dict[str, Any]] | None:
    """Rows side by side, or ``None`` if they are not the same rows or contradict.

    Args:
        first: Rows so far; ``None`` if there are none of that name.
        second: Rows to add, in any order.
    """
    if first is None:
        return [dict(row) for row in second]
    places = {_get_key(row): row for row in second}
    keys = [_get_key(row) for row in first]
    if (
        len(places) != len(second)
        or len(keys) != len(second)
        or set(keys) ^ set(places)
    ):
        return None
    joined = []
    for key, row in zip(keys, first, strict=True):
        other = places[key]
        if any(other[name] != row[name] for name in row.keys() & other.keys()):
            return None
        joined.append({**row, **other})
    return joined


def join_mappings(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Entries of both, down to the leaves; ``None`` if one contradicts the other."""
    joined = dict(first)
    for name, value in second.items():
        if name not in joined or joined[name] == value:
            joined[name] = value
        elif isinstance(value, Mapping) and isinstance(joined[name], Mapping):
            joined[name] = join_mappings(joined[name], value)
            if joined[name] is None:
                return None
        else:
            return None
    return joined


def _get_key(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in KEYS)
