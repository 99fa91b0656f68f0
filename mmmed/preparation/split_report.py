"""How balanced a split is and what an audit found, as counts and as text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.preparation.split_rows import MAX_SHOWN, Audit
from mmmed.preparation.split_strata import Stratum
from mmmed.structures.split_manifest import SplitCase, SplitManifest


def count_balance(
    cases: Sequence[SplitCase], columns: Sequence[Stratum], num_folds: int
) -> dict[str, Any]:
    """Cases, patients and levels of each part.

    Returns:
        ``cases``, ``patients`` and, for each column, its levels: each a mapping with
        ``total``, ``val`` (of the hold-out) and ``folds``. ``scarce`` names levels
        with fewer patients than folds, which cannot be in every fold.
    """
    patients = {case.patient_id: case for case in cases}
    levels: dict[str, dict[str, Any]] = {}
    scarce = []
    for column in columns:
        of_level: dict[str, list[SplitCase]] = {}
        for case, level in zip(cases, column.levels, strict=True):
            of_level.setdefault(level, []).append(case)
        levels[column.column] = {
            level: _count(of_level[level], num_folds) for level in column.names
        }
        for level in column.names:
            owners = len({case.patient_id for case in of_level[level]})
            if owners < num_folds:
                scarce.append(f'{column.column} {level}: {owners} patient(s)')
    return {
        'cases': _count(cases, num_folds),
        'patients': _count(list(patients.values()), num_folds),
        'levels': levels,
        'scarce': scarce,
    }


def format_balance(split: SplitManifest) -> list[str]:
    """The counts as lines of a table for a terminal, then what to know about them."""
    folds = range(split.metainfo['num_folds'])
    rows = [['', 'all', 'val', *(f'fold {fold}' for fold in folds)]]
    balance = split.balance
    rows += [_format_row(name, balance[name]) for name in ('cases', 'patients')]
    for column, levels in balance['levels'].items():
        rows += [_format_row(f'{column} {level}', n) for level, n in levels.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        '  '.join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    if scarce := balance['scarce']:
        more = f' and {len(scarce) - MAX_SHOWN} more' if len(scarce) > MAX_SHOWN else ''
        lines.append(
            f'note: too rare to be in every fold: {"; ".join(scarce[:MAX_SHOWN])}{more}'
        )
    return lines


def format_audit(audit: Audit) -> list[str]:
    """The findings, worst first, and a last line that sums up."""
    kinds = Counter(finding.kind for finding in audit.findings)
    counts = [f'{kinds[kind]} {kind}(s)' for kind in sorted(kinds)]
    checked = f'{audit.cases} cases of {audit.patients} patients'
    if audit.images:
        checked += f', {audit.images} images'
    verdict = {0: 'no overlap', 2: 'THE SPLIT LEAKS', 3: 'not all could be compared'}
    return [
        *map(str, audit.findings),
        f'{audit.path}: {verdict[audit.exit_code]} in {", ".join(audit.sides)} '
        f'({"; ".join([checked, *counts])})',
    ]


def _count(cases: Sequence[SplitCase], num_folds: int) -> dict[str, Any]:
    folds = Counter(case.fold for case in cases)
    return {
        'total': len(cases),
        'val': sum(case.split == 'val' for case in cases),
        'folds': [folds[fold] for fold in range(num_folds)],
    }


def _format_row(name: str, count: Mapping[str, Any]) -> list[str]:
    return [name, *(str(n) for n in (count['total'], count['val'], *count['folds']))]
