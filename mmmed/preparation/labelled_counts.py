"""Counts of labelled volumes by part and class, and strata by labelled volume.

Not here: strata of lesion sizes (``lesion_volumes``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmmed.preparation.volume_storage import VolumeRecord
from mmmed.structures import VolumeCase

_MOST_RANKS = 4
# A rank with fewer patients a fold than this balances nothing.
_LEAST_A_FOLD = 2


def rank_strata(
    volumes: Mapping[str, float], num_folds: int, *, empty: str = 'empty'
) -> dict[str, str]:
    """Stratum of each patient by the rank of a volume.

    Args:
        volumes: Volume of each patient, 0 for none.
        num_folds: Folds among which each rank is to be shared.
        empty: Stratum of those without any.

    Returns:
        ``'volume 1 of 4'`` (smallest) and so on by patient, in the given order.
    """
    filled = sorted((v, p) for p, v in volumes.items() if v > 0)
    ranks = min(max(len(filled) // (num_folds * _LEAST_A_FOLD), 1), _MOST_RANKS)
    rank = {p: i * ranks // len(filled) for i, (_, p) in enumerate(filled)}
    return {
        patient: f'volume {rank[patient] + 1} of {ranks}' if patient in rank else empty
        for patient in volumes
    }


def sum_volumes(
    records: Sequence[VolumeRecord], classes: Sequence[int]
) -> dict[str, float]:
    """Labelled volume in mm3 of each patient, of the case where it is largest.

    Args:
        records: Converted cases; those without labels are passed over.
        classes: Class numbers that count.
    """
    volumes: dict[str, float] = {}
    for record in records:
        if record.foreground_voxels is not None:
            number = sum(record.facts['label_voxels'][i] for i in classes)
            size = number * math.prod(record.spacing)
            volumes[record.patient_id] = max(volumes.get(record.patient_id, 0.0), size)
    return volumes


def count_labelled(
    cases: Sequence[VolumeCase], classes: Sequence[str], num_folds: int
) -> dict[str, Any]:
    """Patients, cases and voxels of every class in each part.

    Returns:
        ``splits`` (train, val, test, all) and ``folds``, each with ``patients``,
        ``cases``, ``labelled``, ``positive``, and by class ``class_cases`` and
        ``class_voxels``.
    """

    def count(chosen: Iterable[VolumeCase]) -> dict[str, Any]:
        chosen = list(chosen)
        rows = [c.extra['label_voxels'] for c in chosen if c.extra['label_voxels']]
        numbers = list(enumerate(classes))[1:]
        return {
            'patients': len({c.patient_id for c in chosen}),
            'cases': len(chosen),
            'labelled': len(rows),
            'positive': sum(bool(c.positive) for c in chosen),
            'class_cases': {n: sum(row[i] > 0 for row in rows) for i, n in numbers},
            'class_voxels': {n: sum(row[i] for row in rows) for i, n in numbers},
        }

    sides = {
        side: count(c for c in cases if c.split == side)
        for side in ('train', 'val', 'test')
    }
    return {
        'splits': {**sides, 'all': count(cases)},
        'folds': [count(c for c in cases if c.fold == k) for k in range(num_folds)],
    }


def format_labelled(summary: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Table of :func:`count_labelled` as text lines."""
    names = list(classes)[1:]
    parts = [*summary['splits'].items()]
    parts += [(f'fold {i}', part) for i, part in enumerate(summary['folds'])]
    table = [['', 'patients', 'cases', 'labelled', *(f'with {n}' for n in names)]]
    table += [
        [name, *(str(part[k]) for k in ('patients', 'cases', 'labelled')),
         *(str(part['class_cases'][n]) for n in names)]
        for name, part in parts
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return [
        '  '.join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in table
    ]
