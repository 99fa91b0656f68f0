"""Strata of lesion volume, and whether the parts of a split have like volumes.

Not here: tables of single lesions, or splits themselves (``splits``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmmed.functional.lesion_strata import assign_strata, name_strata

NO_LESION = 'none'
STRATA = (NO_LESION, *name_strata('volume'))
"""Names of the strata of lesion volume in mm3, from small to large."""

LIMITS = (
    'A large p says only that this test sees no difference: the parts are matched by '
    'volume on purpose, so it cannot fail by much; it compares volumes, not sites, '
    'scanners or difficulty; and with few subjects it sees little.'
)


def name_stratum(volume_mm3: float) -> str:
    """Stratum of a lesion volume, one of ``STRATA``, e.g. ``'5,000 to 30,000'``."""
    return STRATA[1 + int(assign_strata(volume_mm3, 'volume'))]


def compare_volumes(part: Sequence[float], rest: Sequence[float]) -> dict[str, Any]:
    """Mann-Whitney test of two groups of subjects, two-sided.

    Args:
        part: Lesion volumes of one part.
        rest: Those of everybody else: unlike the published check, which compared a
            fold with a whole that contains it.

    Returns:
        Numbers and medians of both, ``p``, and ``effect``: the probability that a
        subject of the part has the larger lesion, ties counting half; 0.5 is none.
        All but the numbers are None if a group is empty.
    """
    result: dict[str, Any] = {'n': len(part), 'n_rest': len(rest)}
    if not part or not rest:
        return {
            **result,
            'median': None,
            'median_rest': None,
            'p': None,
            'effect': None,
        }
    from scipy import stats  # half a second that only this table needs

    test = stats.mannwhitneyu(part, rest, alternative='two-sided')
    return {
        **result,
        'median': float(np.median(part)),
        'median_rest': float(np.median(rest)),
        'p': float(test.pvalue),
        'effect': float(test.statistic / (len(part) * len(rest))),
    }


def compare_parts(cases: Iterable[Any], num_folds: int) -> dict[str, Any]:
    """Hold-out against training side, and every fold against the others.

    Args:
        cases: Labelled volume cases.
        num_folds: Of the manifest.
    """
    cases = [case for case in cases if case.foreground_voxels is not None]

    def compare(chosen: Iterable[Any], others: Iterable[Any]) -> dict[str, Any]:
        return compare_volumes(
            [c.foreground_voxels for c in chosen], [c.foreground_voxels for c in others]
        )

    parts = {
        'val': compare(
            (c for c in cases if c.split == 'val'),
            (c for c in cases if c.split == 'train'),
        )
    }
    folded = [c for c in cases if c.fold is not None]
    for fold in range(num_folds):
        parts[f'fold {fold}'] = compare(
            (c for c in folded if c.fold == fold), (c for c in folded if c.fold != fold)
        )
    return {'test': 'Mann-Whitney U, two-sided', 'limits': LIMITS, 'parts': parts}


def count_volumes(cases: Sequence[Any], num_folds: int) -> dict[str, Any]:
    """Subjects of every stratum in each part.

    Returns:
        ``splits`` (train, val, test, all) and ``folds``, each with ``patients``,
        ``cases``, ``labelled``, ``positive``, ``foreground_voxels`` and ``strata``.
    """

    def count(chosen: Iterable[Any]) -> dict[str, Any]:
        chosen = list(chosen)
        labelled = [c for c in chosen if c.foreground_voxels is not None]
        strata = Counter(c.extra.get('stratum') for c in labelled)
        return {
            'patients': len({c.patient_id for c in chosen}),
            'cases': len(chosen),
            'labelled': len(labelled),
            'positive': sum(bool(c.positive) for c in labelled),
            'foreground_voxels': sum(c.foreground_voxels for c in labelled),
            'strata': {name: strata.get(name, 0) for name in STRATA},
        }

    return {
        'splits': {
            **{
                side: count(c for c in cases if c.split == side)
                for side in ('train', 'val', 'test')
            },
            'all': count(cases),
        },
        'folds': [count(c for c in cases if c.fold == k) for k in range(num_folds)],
    }


def format_counts(summary: Mapping[str, Any]) -> list[str]:
    """Table of :func:`count_volumes` as text lines."""
    header = ['', 'patients', 'cases', 'labelled', *STRATA]
    parts = [*summary['splits'].items()]
    parts += [(f'fold {i}', part) for i, part in enumerate(summary['folds'])]
    table = [header] + [
        [name, *(str(part[k]) for k in ('patients', 'cases', 'labelled')),
         *(str(part['strata'][s]) for s in STRATA)]
        for name, part in parts
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return [
        '  '.join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in table
    ]


def format_comparison(comparison: Mapping[str, Any]) -> list[str]:
    """Lines of :func:`compare_parts` for a terminal, with what they do not say."""
    lines = [f'lesion volume, {comparison["test"]}:']
    for name, part in comparison['parts'].items():
        if part['p'] is None:
            lines.append(f'  {name}: nothing to compare')
            continue
        lines.append(
            f'  {name}: median {part["median"]:.0f} voxels (n = {part["n"]}) against '
            f'{part["median_rest"]:.0f} (n = {part["n_rest"]}), p = {part["p"]:.3f}, '
            f'effect {part["effect"]:.2f}'
        )
    return [*lines, f'  {comparison["limits"]}']
