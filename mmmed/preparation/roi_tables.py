"""How many lesions of each class there are, where, and in which sequences.

Not here: figures of it (``mmmed.visualization``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmmed.structures import Manifest, ROICase
from mmmed.structures.roi_case import ROLES

_SHOWN_TARGETS = 20


def count_rois(
    cases: Sequence[ROICase], targets: Mapping[str, Sequence[str]], num_folds: int
) -> dict[str, Any]:
    """Patients, lesions and classes of every part.

    Returns:
        ``splits`` (train, val, test, all) and ``folds`` (by the fold that tests
        them), each with ``patients``, ``cases`` and ``classes``: lesions of each
        class, and ``missing``, by target.
    """

    def count(chosen: Iterable[ROICase]) -> dict[str, Any]:
        chosen = list(chosen)
        return {
            'patients': len({case.patient_id for case in chosen}),
            'cases': len(chosen),
            'classes': {
                name: _count_classes([c.targets[name] for c in chosen], classes)
                for name, classes in targets.items()
            },
        }

    sides = {
        side: count(c for c in cases if c.split == side)
        for side in ('train', 'val', 'test')
    }
    return {
        'splits': {**sides, 'all': count(cases)},
        'folds': [count(c for c in cases if c.fold == k) for k in range(num_folds)],
    }


def count_sequences(
    cases: Sequence[ROICase], sequences: Sequence[str]
) -> dict[str, int]:
    """Lesions that have each sequence."""
    found = Counter(name for case in cases for name in case.img_paths)
    return {name: found[name] for name in sequences}


def format_rois(summary: Mapping[str, Any]) -> list[str]:
    """Table of :func:`count_rois` as text lines: classes down, parts across."""
    parts = [*summary['splits'].items()]
    parts += [(f'fold {i}', part) for i, part in enumerate(summary['folds'])]
    rows = [['', *(name for name, _ in parts)]]
    rows += [
        [name, *(str(part[name]) for _, part in parts)]
        for name in ('patients', 'cases')
    ]
    for target, classes in [*summary['splits']['all']['classes'].items()][
        :_SHOWN_TARGETS
    ]:
        rows += [
            [f'{target} {name}', *(str(p['classes'][target][name]) for _, p in parts)]
            for name, count in classes.items()
            if count or name != 'missing'
        ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        '  '.join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]


def count_roles(
    manifest: Manifest, fold: int | None
) -> dict[str, dict[str, dict[str, int]]]:
    """Lesions of each class, and ``missing``, by target, by role in a fold.

    Args:
        manifest: Of ROIs.
        fold: None for the hold-out partition.

    Raises:
        ValueError: Not a manifest of ROIs, or no such fold.
    """
    targets = manifest.metainfo.get('targets', {})
    return {
        role: {
            name: _count_classes([c.targets[name] for c in cases], classes)
            for name, classes in targets.items()
        }
        for role in ROLES
        if (cases := manifest.select_role(role, fold))
    }


def tabulate_roles(
    counts: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> list[dict[str, Any]]:
    """Tidy rows of :func:`count_roles`: part, target, class, lesions."""
    return [
        {'part': part, 'target': target, 'class': name, 'lesions': count}
        for part, targets in counts.items()
        for target, classes in targets.items()
        for name, count in classes.items()
    ]


def list_rois(manifest: Manifest, fold: int | None) -> list[dict[str, Any]]:
    """One tidy row a lesion: names, role, size, number of sequences, class names."""
    classes = manifest.metainfo['targets']
    return [
        {
            'case_id': case.case_id,
            'patient_id': case.patient_id,
            'role': case.get_role(fold),
            'fold': case.fold,
            'size_mm': case.size_mm,
            'sequences': len(case.img_paths),
            **{
                name: None if label is None else classes[name][label]
                for name, label in case.targets.items()
            },
        }
        for case in manifest.cases
    ]


def _count_classes(
    labels: Sequence[int | None], classes: Sequence[str]
) -> dict[str, int]:
    found = Counter(labels)
    counts = {name: found[index] for index, name in enumerate(classes)}
    return counts | {'missing': found[None]}
