"""Predicted label maps as files: slices as PNG, volumes as NIfTI on their own grid.

Not here: when they are written (``case_table_hook``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.io.base import write_volume
from mmmed.io.png import write_label
from mmmed.structures import Volume


def write_case_mask(
    folder: Path, labels: NDArray[Any], meta: Mapping[str, Any]
) -> Path:
    """Write the labels of one case.

    Args:
        folder: Where it goes.
        labels: (Y, X) or (1, Y, X) of a slice, or (1, Z, Y, X) of a volume.
        meta: ``case_id``; for volumes also ``affine`` (array index (z, y, x, 1) to
            RAS+ mm) or at least ``spacing``.

    Returns:
        ``<case_id>.png``, or ``<case_id>.nii.gz`` of a volume.

    Raises:
        ValueError: A volume without spacing.
    """
    if labels.ndim < 4:
        plane = labels[0] if labels.ndim == 3 else labels
        path = folder / f'{meta["case_id"]}.png'
        write_label(path, plane.astype('uint8'))
        return path
    spacing = meta.get('spacing')
    if spacing is None:
        raise ValueError(
            f'case {meta["case_id"]!r} has no spacing, so its mask has no grid; pack '
            "'spacing' and 'affine' with mmmed.PackMedVolumes"
        )
    affine = meta.get('affine')
    z, y, x = (float(mm) for mm in spacing)
    volume = Volume(
        labels[0].astype('uint8'),
        (z, y, x),
        None if affine is None else np.asarray(affine, np.float64),
    )
    path = folder / f'{meta["case_id"]}.nii.gz'
    write_volume(volume, path)
    return path
