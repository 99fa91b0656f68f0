"""What there is to say about a mask: volumes, and one row per lesion.

Not here: scores against a reference (``mmmed.evaluation``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmed.functional.components import measure_components
from mmmed.inference.measure import CONNECTIVITY, measure_labels
from mmmed.structures import Volume

SHOWN_LESIONS = 200
_MM3_PER_ML = 1000.0


def describe_mask(mask: Volume, classes: Sequence[str]) -> dict[str, Any]:
    """Measures of a mask, for the report of a job.

    Args:
        mask: Labels (Z, Y, X), unsigned.
        classes: Names by label, the background first.

    Returns:
        As :func:`mmmed.inference.measure.measure_labels`, with ``volume_ml`` of all
        classes together and ``lesions``: the 200 largest components, largest first,
        each with ``class``, ``volume_ml``, ``voxels`` and ``center_ras_mm``, which is
        a point inside the lesion: its voxel next to the centroid.
    """
    facts = measure_labels(mask, classes)
    voxel_ml = abs(float(np.linalg.det(mask.grid[:3, :3]))) / _MM3_PER_ML
    rows: list[dict[str, Any]] = []
    for label, name in enumerate(classes[1:], start=1):
        rows += _list_lesions(mask, label, name, voxel_ml)
    rows.sort(key=lambda row: -row['voxels'])
    total = sum(row['voxels'] for row in facts['classes'].values())
    return {
        **facts,
        'volume_ml': round(total * voxel_ml, 6),
        'lesions': rows[:SHOWN_LESIONS],
        'lesions_left_out': max(0, len(rows) - SHOWN_LESIONS),
    }


def _list_lesions(
    mask: Volume, label: int, name: str, voxel_ml: float
) -> list[dict[str, Any]]:
    is_label = mask.array == label
    if not is_label.any():
        return []
    found = measure_components(is_label, mask.spacing, connectivity=CONNECTIVITY)
    order = np.argsort(-found.sizes, kind='stable')[:SHOWN_LESIONS]
    places = np.argwhere(is_label)
    rows = []
    for index in order:
        inside = places[found.labels == index + 1]
        apart = ((inside - found.centroids[index]) * mask.spacing) ** 2
        nearest = inside[apart.sum(axis=1).argmin()]
        center = mask.grid @ [*nearest, 1.0]
        rows.append(
            {
                'class': name,
                'volume_ml': round(int(found.sizes[index]) * voxel_ml, 6),
                'voxels': int(found.sizes[index]),
                'center_ras_mm': [round(float(mm), 2) for mm in center[:3]],
            }
        )
    return rows
