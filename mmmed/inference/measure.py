"""Volumes and lesions of a label map; not here: scores against a reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from mmmed.functional.components import label_components
from mmmed.structures import Volume

CONNECTIVITY = 26
_MM3_PER_ML = 1000.0


def measure_labels(mask: Volume, classes: Sequence[str]) -> dict[str, Any]:
    """Voxels, volume and connected components of each foreground class.

    Args:
        mask: Labels (Z, Y, X), unsigned.
        classes: Names by label, the background first.

    Returns:
        ``{'lesion_count': int, 'connectivity': 26, 'classes': {name: {'label',
        'voxels', 'volume_ml', 'components'}}}``; ``lesion_count`` is the sum of all
        components. A class that is absent has zeros. Volumes count the true size of a
        voxel, also of an oblique one.
    """
    voxel_ml = abs(float(np.linalg.det(mask.grid[:3, :3]))) / _MM3_PER_ML
    counts = np.bincount(mask.array.reshape(-1), minlength=len(classes))
    boxes = ndimage.find_objects(mask.array, max_label=len(classes) - 1)
    rows: dict[str, Any] = {}
    for label, name in enumerate(classes[1:], start=1):
        box = boxes[label - 1]
        components = 0
        if box is not None:
            # Within its own box: a label of the whole scan takes four bytes a voxel.
            is_label = mask.array[box] == label
            components = label_components(is_label, connectivity=CONNECTIVITY)[1]
        voxels = int(counts[label])
        rows[name] = {
            'label': label,
            'voxels': voxels,
            'volume_ml': round(voxels * voxel_ml, 6),
            'components': int(components),
        }
    total = sum(row['components'] for row in rows.values())
    return {'lesion_count': total, 'connectivity': CONNECTIVITY, 'classes': rows}
