"""How predictions of planes and their fusion agree with a reference: plain counts.

Counts can be added up and turned into any score later, so these are what is stored.
Not here: scores and tables over subjects (``mmmed.reporting.fusion_report``).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.overlap import count_masks
from mmmed.functional.planes import get_plane_axis
from mmmed.structures import Volume
from mmmed.structures.volume import CANONICAL

FUSED = 'fused'


def count_slices(masks: Mapping[str, Volume], target: Volume) -> list[dict[str, Any]]:
    """Voxels of each slice of each plane before and after fusion.

    Args:
        masks: By plane, and ``'fused'``; on one grid.
        target: Reference on the same grid.

    Returns:
        One row a slice, all slices of all planes that have a mask, in canonical
        order (index 0 is inferior, posterior or left): ``plane``, ``slice``,
        ``target_pixels`` and, for the plane's own mask (``before_``) and the fused
        one (``after_``), ``pixels`` and ``common_pixels`` with the reference.
    """
    reference = _turn(target)
    after = _turn(masks[FUSED])
    rows: list[dict[str, Any]] = []
    for plane, mask in masks.items():
        if plane == FUSED:
            continue
        axis = get_plane_axis(plane)
        before = _turn(mask)
        columns = {
            'target_pixels': _count(reference, axis),
            'before_pixels': _count(before, axis),
            'before_common_pixels': _count(before & reference, axis),
            'after_pixels': _count(after, axis),
            'after_common_pixels': _count(after & reference, axis),
        }
        for index in range(reference.shape[axis]):
            counts = {name: int(values[index]) for name, values in columns.items()}
            rows.append({'plane': plane, 'slice': index, **counts})
    return rows


def count_volumes(
    masks: Mapping[str, Volume], target: Volume
) -> dict[str, dict[str, int]]:
    """Voxels tp, fp, fn and tn of each mask."""
    names = ('tp', 'fp', 'fn', 'tn')
    reference = target.array > 0
    return {
        name: dict(
            zip(names, count_masks(mask.array > 0, reference).tolist(), strict=True)
        )
        for name, mask in masks.items()
    }


def _turn(volume: Volume) -> NDArray[np.bool_]:
    return volume.reorient(CANONICAL).array > 0


def _count(mask: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    other = tuple(k for k in range(3) if k != axis)
    return np.count_nonzero(mask, axis=other)
