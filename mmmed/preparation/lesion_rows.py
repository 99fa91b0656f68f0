"""Lesions of one subject in numbers: in 3-D and on every slice of every plane.

Not here: many subjects and files (``lesion_tables``), the components themselves
(``mmmed.functional.components``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.components import measure_components
from mmmed.functional.masks import find_box
from mmmed.functional.planes import get_plane_axis, split_slices

NUM_SIZES = 10
"""Lesions with a column of their own."""

Row = dict[str, Any]


def list_columns(*, per_slice: bool) -> list[str]:
    """Columns of a table, in order."""
    sizes = [f'lesion_size_{k}' for k in range(1, NUM_SIZES + 1)]
    place = ['slice'] if per_slice else []
    return [
        'subject_name', *place, 'number_of_lesion', 'sum_voxel', 'max_size', *sizes
    ]  # fmt: skip


def measure_volume(mask: NDArray[np.bool_], subject: str) -> Row:
    """One row: the lesions of a volume, neighbours by face, edge or corner (26).

    Lesions are numbered in the order in which a scan along the file's axes meets
    them: slowest left to right, then posterior to anterior, fastest inferior to
    superior. That is the order of the published tables, so ``lesion_size_1`` is not
    the largest. Beyond ten, lesions are in the count and the sum only.

    Args:
        mask: Shape (Z, Y, X), towards superior, anterior and right.
        subject: Name of the row.

    Returns:
        Columns of :func:`list_columns`; ``None`` where there are fewer lesions. Sizes
        in voxels, 0 without a lesion.
    """
    found = measure_components(mask.transpose(2, 1, 0), (1, 1, 1), connectivity=26)
    return {'subject_name': subject, **_describe(found.sizes)}


def measure_slices(mask: NDArray[np.bool_], subject: str, plane: str) -> list[Row]:
    """One row for each slice with a lesion, neighbours by edge or corner (8).

    Lesions are numbered as in :func:`measure_volume`, without the axis of the plane.

    Args:
        mask: Shape (Z, Y, X).
        subject: Name of the rows.
        plane: Which slices.

    Returns:
        Rows by slice number, which counts from 0; sizes in pixels.
    """
    box = find_box(mask)
    if box is None:
        return []
    slices = split_slices(mask[box], plane).transpose(0, 2, 1)
    first = box[get_plane_axis(plane)].start
    number, sizes = _find_components(slices)
    bounds = np.searchsorted(number, np.arange(len(slices) + 1))
    return [
        {
            'subject_name': subject,
            'slice': first + k,
            **_describe(sizes[bounds[k] : bounds[k + 1]]),
        }
        for k in range(len(slices))
        if bounds[k] < bounds[k + 1]
    ]


def _find_components(
    slices: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slice and size of every component of a stack (N, H, W), in scan order."""
    count, height, width = slices.shape
    # One tall image with an empty row between slices: one search instead of N.
    tall = np.zeros((count, height + 1, width), np.bool_)
    tall[:, :height] = slices
    found = measure_components(tall.reshape(-1, width), (1, 1), connectivity=8)
    return found.boxes[:, 0, 0] // (height + 1), found.sizes


def _describe(sizes: Sequence[int] | NDArray[np.int64]) -> Row:
    values = np.asarray(sizes, np.int64).tolist()
    shown = [*values[:NUM_SIZES], *[None] * (NUM_SIZES - len(values))]
    return {
        'number_of_lesion': len(values),
        'sum_voxel': sum(values),
        'max_size': max(values, default=0),
        **{f'lesion_size_{k}': size for k, size in enumerate(shown, start=1)},
    }
