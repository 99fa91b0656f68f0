"""One image of the spine and its masks: read, checked, oriented, scaled.

Not here: which files belong together (``spine_layouts``), how they are stored
(``spine_storage``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.intensity import compute_percentile_window, quantize_intensity
from mmmed.functional.packed_bits import pack_mask
from mmmed.functional.planes import PLANES, split_slices
from mmmed.io import read_series, read_volume
from mmmed.preparation.findings import SourceError
from mmmed.preparation.parts import Task
from mmmed.preparation.spine_storage import CORD, SEQUENCE
from mmmed.preparation.volume_storage import VolumeItem
from mmmed.structures import Volume

PERCENTILES = (1.0, 99.0)
BITS = 16
_SOFT_THRESHOLD = 0.5


def convert_image(task: Task, target: str) -> VolumeItem:
    """Voxels of one image, its target mask, and for lesions the cord beside it.

    Args:
        task: Sources ``'image...'``, ``'cord'`` and ``'lesion'``.
        target: ``'cord'`` or ``'lesion'``; the latter has an empty mask where there
            is a cord and no lesion file.

    Raises:
        SourceError: A file is damaged, 4-D or on another grid, or a mask is none.
    """
    files = [path for role, path in task.sources.items() if role.startswith('image')]
    image = _read_image(files)
    facts: dict[str, Any] = {'orientation': image.orientation, 'mask_values': {}}
    if image.source is not None and image.source.notes:
        facts['notes'] = list(image.source.notes)
    masks = {}
    for role in ('cord', 'lesion'):
        if path := task.sources.get(role):
            masks[role], odd = _read_mask(path, image)
            if odd:
                facts['mask_values'][role] = odd
    image = image.reorient()
    images = {SEQUENCE: _scale(image.array, files[0], facts)}
    mask = masks.get(target)
    cord = masks.get('cord')
    facts['cord_voxels'] = None if cord is None else int(np.count_nonzero(cord))
    if target == 'lesion' and cord is not None:
        if mask is None:
            mask = np.zeros(cord.shape, np.bool_)
        images[CORD] = pack_mask(cord)
        facts['cord_pixels'] = count_slice_pixels(cord)
        facts['voxels_outside_cord'] = int(np.count_nonzero(mask & ~cord))
    facts['lesion_pixels'] = None if mask is None else count_slice_pixels(mask)
    return VolumeItem(
        task.name, task.patient_id, images, mask, image.spacing, image.grid, facts
    )


def count_slice_pixels(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Pixels of a mask (Z, Y, X) on every slice of every plane."""
    return {
        plane: np.count_nonzero(split_slices(mask, plane), axis=(1, 2)).tolist()
        for plane in PLANES
    }


def binarize_mask(array: NDArray) -> tuple[NDArray[np.bool_], list[float]]:
    """What is inside, and the values of a mask that has more than two.

    Args:
        array: Numbers; any positive one is inside, but of shares between 0 and 1
            those from a half on.

    Returns:
        Boolean mask, and up to eight of its values, none of a binary one.

    Raises:
        ValueError: A value is negative.
    """
    if array.min() < 0:
        raise ValueError(f'values from {array.min():g}, a mask has none below 0')
    top = array.max()
    if ((array == 0) | (array == top)).all():
        return array > 0, []
    values = [float(value) for value in np.unique(array)[:8]]
    if top <= 1:
        return array >= _SOFT_THRESHOLD, values
    return array > 0, values


def _read_image(files: list[Path]) -> Volume:
    try:
        if len(files) > 1 or files[0].name.lower()[-3:] not in ('.gz', 'nii'):
            image = read_series(files)
        else:
            image = read_volume(files[0], ndim=3)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(files[0], error) from error
    if image.array.ndim != 3:
        shape = image.array.shape
        raise SourceError(
            files[0], f'{len(shape)}-D image of shape {shape}', 'choose one volume'
        )
    return image


def _read_mask(path: Path, image: Volume) -> tuple[NDArray[np.bool_], list[float]]:
    try:
        volume = read_volume(path, ndim=3)
        image.check_grid(volume)
    except (OSError, ValueError) as error:
        raise SourceError.from_reader(path, error) from error
    try:
        return binarize_mask(volume.reorient(image.reorient().orientation).array)
    except ValueError as error:
        raise SourceError(path, str(error), 'is it a mask? fetch it again') from error


def _scale(array: NDArray, path: Path, facts: dict[str, Any]) -> NDArray:
    try:
        window = compute_percentile_window(array, *PERCENTILES, nonzero=True)
    except ValueError as error:
        raise SourceError(path, str(error), 'fetch it again') from error
    facts['range'] = list(window)
    return quantize_intensity(array, window, BITS)


def describe_intensity() -> Mapping[str, Any]:
    """The rule of the manifest, which inference repeats."""
    low, high = PERCENTILES
    rule = {'rule': 'percentile', 'low': low, 'high': high, 'nonzero': True}
    return {**rule, 'bits': BITS}
