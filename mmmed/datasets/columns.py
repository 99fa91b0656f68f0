"""One value of every case of a dataset, as an array.

Not here: what a sampler does with them.
"""

from collections.abc import Sized

import numpy as np
from mmengine.dataset import ConcatDataset

UNKNOWN = -1


def read_foreground(dataset: Sized) -> np.ndarray:
    """Foreground pixels of every case, shape (len(dataset),), int64; -1 if unknown.

    Raises:
        ValueError: The dataset does not tell.
    """
    return _read(dataset, 'foreground_pixels').astype(np.int64)


def read_pixel_areas(dataset: Sized) -> np.ndarray:
    """Area of a pixel of every case in mm2, shape (len(dataset),); 1 if unknown.

    Raises:
        ValueError: The dataset does not tell.
    """
    return _read(dataset, 'pixel_area_mm2').astype(np.float64)


def read_lesion_distances(dataset: Sized) -> np.ndarray:
    """Slices from every case to the nearest lesion of its scan; -1 if there is none.

    Returns:
        Shape (len(dataset),), int64; 0 on a lesion.

    Raises:
        ValueError: The dataset does not tell.
    """
    return _read(dataset, 'lesion_distance').astype(np.int64)


def read_patients(dataset: Sized) -> np.ndarray:
    """Patient of every case, and plane of a slice, shape (len(dataset),), str.

    Raises:
        ValueError: The dataset does not tell.
    """
    return _read(dataset, 'patient')


def read_labels(dataset: Sized, target: str) -> np.ndarray:
    """Class number of every case, shape (len(dataset),), int64; -1 if unknown.

    Args:
        dataset: A data set of ours for classification, alone, joined or wrapped.
        target: Name of the target.

    Raises:
        ValueError: The dataset does not know the target.
    """
    if hasattr(dataset, 'get_labels'):
        return np.asarray(dataset.get_labels(target), np.int64)
    if hasattr(dataset, 'get_column'):
        return np.asarray(dataset.get_column(target), np.int64)
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([read_labels(part, target) for part in dataset.datasets])
    try:
        infos = (dataset.get_data_info(i) for i in range(len(dataset)))  # type: ignore[attr-defined]
        return np.array([info['targets'][target] for info in infos], np.int64)
    except (AttributeError, KeyError) as error:
        raise ValueError(
            f'{type(dataset).__name__} has no target {target!r}; use a dataset of '
            "mmmed for classification, whose entries have 'targets'"
        ) from error


def _read(dataset: Sized, name: str) -> np.ndarray:
    """A column from the dataset, its parts, or entry by entry."""
    if hasattr(dataset, 'get_column'):
        return np.asarray(dataset.get_column(name))
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([_read(part, name) for part in dataset.datasets])
    try:
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]  # type: ignore[attr-defined]
        return np.array([_FROM_INFO[name](info) for info in infos])
    except (AttributeError, KeyError) as error:
        raise ValueError(
            f'{type(dataset).__name__} does not tell {name}; use '
            'mmmed.VolumeSliceDataset or another of ours'
        ) from error


def _get_foreground(info: dict) -> int:
    count = info['foreground_pixels']
    return UNKNOWN if count is None else count


def _get_pixel_area(info: dict) -> float:
    spacing = info.get('spacing')
    return 1.0 if spacing is None else float(np.prod(spacing))


def _get_patient(info: dict) -> str:
    return f'{info["patient_id"]} {info.get("plane", "")}'.rstrip()


# Without a neighbour known, an image of its own has no distance to a lesion.
_FROM_INFO = {
    'foreground_pixels': _get_foreground,
    'pixel_area_mm2': _get_pixel_area,
    'patient': _get_patient,
}
