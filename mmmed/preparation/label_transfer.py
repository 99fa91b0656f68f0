"""Labels of a source to the classes of a task, and values to compact types.

Not here: which source has which labels (``organ_sources``, ``decathlon_layout``).
"""

from collections.abc import Mapping, Set

import numpy as np
from numpy.typing import NDArray

_SHOWN = 8
_EXACT_IN_FLOAT32 = 1 << 24


def transfer_labels(
    labels: NDArray, classes: Mapping[int, int], *, ignored: Set[int] = frozenset()
) -> NDArray[np.uint8]:
    """Replace the numbers of a source by class numbers.

    Args:
        labels: (Z, Y, X), integers in whatever type.
        classes: Class of each number that means something here.
        ignored: Numbers of other structures, which become background; 0 is one.

    Returns:
        (Z, Y, X), 0 where there is none of the classes.

    Raises:
        ValueError: A value is no integer, or a number that is not known.
    """
    whole = _to_integers(labels)
    numbers = _list_numbers(whole)
    unknown = [n for n in numbers if n and n not in classes and n not in ignored]
    if unknown:
        counts = {n: int(np.count_nonzero(whole == n)) for n in unknown[:_SHOWN]}
        text = ', '.join(f'{n} ({count} voxels)' for n, count in counts.items())
        raise ValueError(
            f'labels that are not known: {text}; expected '
            f'{sorted({0, *classes, *ignored})}'
        )
    result = np.zeros(whole.shape, np.uint8)
    for number, value in classes.items():
        if number in numbers:
            result[whole == number] = value
    return result


def compact_values(array: NDArray, *, is_rounded: bool = False) -> NDArray:
    """The same values in the smallest type that a cache has.

    Args:
        array: Real numbers, finite.
        is_rounded: Round to whole numbers first, as CT numbers were before they were
            interpolated.

    Returns:
        uint8, int16 or uint16 where all values are whole numbers in their range, else
        float32.

    Raises:
        ValueError: float32 cannot hold the values: whole numbers beyond 2**24, or
            numbers beyond its range.
    """
    if is_rounded:
        array = np.rint(array)
    low, high = array.min(), array.max()
    is_whole = array.dtype.kind in 'bui' or bool((array == np.rint(array)).all())
    if is_whole:
        for dtype in (np.uint8, np.int16, np.uint16):
            limits = np.iinfo(dtype)
            if limits.min <= low and high <= limits.max:
                return array.astype(dtype, copy=False)
        if array.dtype.kind in 'ui' and max(-int(low), int(high)) > _EXACT_IN_FLOAT32:
            raise ValueError(f'values from {low} to {high}, too large to keep exactly')
    if max(-float(low), float(high)) > float(np.finfo(np.float32).max):
        raise ValueError(f'values from {low} to {high}, too large for float32')
    return array.astype(np.float32, copy=False)


def _to_integers(labels: NDArray) -> NDArray:
    if labels.dtype.kind in 'bui':
        return labels
    whole = np.rint(labels)
    if not (whole == labels).all():
        odd = labels[whole != labels]
        raise ValueError(
            f'labels that are no integers: {odd.size} voxels, first '
            f'{float(odd.flat[0]):g}; it was interpolated, or is no label map'
        )
    if np.abs(whole).max() > np.iinfo(np.int32).max:
        raise ValueError(f'labels up to {float(np.abs(whole).max()):g}')
    return whole.astype(np.int32)


def _list_numbers(whole: NDArray) -> list[int]:
    low, high = int(whole.min()), int(whole.max())
    if low >= 0 and high < 1 << 16:  # counting is much faster than sorting
        counts = np.bincount(whole.reshape(-1), minlength=1)
        return [int(n) for n in np.flatnonzero(counts)]
    return [int(n) for n in np.unique(whole)]
