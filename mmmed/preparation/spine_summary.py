"""Counts of prepared spinal cord volumes, for ``summary.json`` and for the terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmmed.functional.planes import PLANES
from mmmed.structures import VolumeCase
from mmmed.structures.spine_classes import SERIES_TARGETS

_UNKNOWN = 'unknown'


def count_images(cases: Iterable[VolumeCase]) -> dict[str, Any]:
    """Patients, images, masks and known targets of some cases."""
    cases = tuple(cases)
    return {
        'patients': len({case.patient_id for case in cases}),
        'images': len(cases),
        'masked': sum(case.seg_map_path is not None for case in cases),
        'positive': sum(case.positive is True for case in cases),
        'foreground_voxels': sum(case.foreground_voxels or 0 for case in cases),
        'targets': {name: _count_names(cases, name) for name in SERIES_TARGETS},
        'foreground_slices': {
            plane: sum(_count_filled(case, plane) for case in cases) for plane in PLANES
        },
    }


def format_parts(summary: Mapping[str, Any]) -> list[str]:
    """Table of counted parts as text lines, then the targets of all."""
    keys = ('patients', 'images', 'masked', 'positive', 'foreground_voxels')
    rows = [('', *(key.replace('_', ' ') for key in keys))]
    parts = [*summary['splits'].items()]
    parts += [(f'fold {k}', part) for k, part in enumerate(summary['folds'])]
    rows += [(name, *(str(part[key]) for key in keys)) for name, part in parts]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        row[0].ljust(widths[0])
        + ''.join(f'  {c.rjust(w)}' for c, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    for name, counts in summary['splits']['all']['targets'].items():
        text = ', '.join(f'{value} {count}' for value, count in counts.items())
        lines.append(f'{name}: {text}')
    return lines


def _count_names(cases: Sequence[VolumeCase], target: str) -> dict[str, int]:
    names = (case.extra['targets'][target] or _UNKNOWN for case in cases)
    return dict(sorted(Counter(names).items()))


def _count_filled(case: VolumeCase, plane: str) -> int:
    pixels = case.extra['lesion_pixels']
    return int(np.count_nonzero(pixels[plane])) if pixels else 0
