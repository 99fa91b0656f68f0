"""Counts of a prepared data set, for ``summary.json`` and for the terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmmed.structures import Case

_SHOWN_FINDINGS = 12


def count_cases(cases: Iterable[Case]) -> dict[str, Any]:
    """Patients, slices and foreground of some cases.

    Returns:
        Counts, and ``foreground_share`` of all pixels in [0, 1], None without pixels.
    """
    cases = tuple(cases)
    pixels = sum(case.height * case.width for case in cases)
    foreground = sum(case.foreground_pixels for case in cases)
    return {
        'patients': len({case.patient_id for case in cases}),
        'positive_patients': len({c.patient_id for c in cases if c.positive}),
        'slices': len(cases),
        'positive_slices': sum(case.positive for case in cases),
        'pixels': pixels,
        'foreground_pixels': foreground,
        'foreground_share': foreground / pixels if pixels else None,
    }


def count_parts(
    cases: Sequence[Any],
    num_folds: int,
    count: Callable[[Iterable[Any]], dict[str, Any]] = count_cases,
) -> dict[str, Any]:
    """Counts of each side of the hold-out split, of all, and of each fold.

    Args:
        cases: All of them, slices or volumes.
        num_folds: Folds are counted from 0.
        count: Counts of some cases.
    """
    return {
        'splits': {
            'train': count(c for c in cases if c.split == 'train'),
            'val': count(c for c in cases if c.split == 'val'),
            'all': count(cases),
        },
        'folds': [
            count(c for c in cases if c.fold == fold) for fold in range(num_folds)
        ],
    }


def count_strata(strata: Mapping[str, Any]) -> dict[str, Any]:
    """Patients of each stratum; of several columns, rows of each level by column."""
    if all(isinstance(value, str) for value in strata.values()):
        return dict(sorted(Counter(strata.values()).items()))
    rows = [row for value in strata.values() for row in value]
    return {
        str(index): dict(sorted(Counter(column).items()))
        for index, column in enumerate(zip(*rows, strict=True))
    }


def format_parts(summary: Mapping[str, Any]) -> list[str]:
    """Table of :func:`count_parts` as text lines."""
    header = ('', 'patients', 'positive', 'slices', 'positive', 'foreground')
    rows = [*summary['splits'].items()]
    rows += [(f'fold {i}', part) for i, part in enumerate(summary['folds'])]
    table = [header] + [
        (
            name,
            str(part['patients']),
            str(part['positive_patients']),
            str(part['slices']),
            str(part['positive_slices']),
            format_share(part['foreground_share']),
        )
        for name, part in rows
    ]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return [
        row[0].ljust(widths[0])
        + ''.join(
            f'  {cell.rjust(w)}' for cell, w in zip(row[1:], widths[1:], strict=True)
        )
        for row in table
    ]


def format_share(share: float | None) -> str:
    """Percent with four digits, or a dash where there is nothing to share."""
    return '-' if share is None else f'{100 * share:.4f} %'


def format_findings(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Skipped data first, then what is worth knowing; long lists are cut short."""
    lines = []
    for skipped, title in ((True, 'skipped'), (False, 'worth knowing')):
        chosen = [f for f in findings if f['skipped'] is skipped]
        if not chosen:
            continue
        lines.append(f'{title}: {len(chosen)}')
        lines += [
            f'  {f["path"]}: {f["problem"]}; {f["remedy"]}'
            for f in chosen[:_SHOWN_FINDINGS]
        ]
        if len(chosen) > _SHOWN_FINDINGS:
            more = len(chosen) - _SHOWN_FINDINGS
            lines.append(f'  ... and {more} more, all in summary.json')
    return lines
