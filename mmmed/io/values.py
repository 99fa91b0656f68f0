"""Checks that every volume format shares: finite values, axes, scaling."""

import numpy as np
from numpy.typing import NDArray


def check_finite(
    array: NDArray, nonfinite: float | None
) -> tuple[NDArray, tuple[str, ...]]:
    """Refuse or replace NaN and infinity.

    Args:
        array: Any shape; replaced in place.
        nonfinite: Replacement; None refuses.

    Returns:
        The array, and a note if values were replaced.

    Raises:
        ValueError: Such values are present and ``nonfinite`` is None.
    """
    if array.dtype.kind != 'f':
        return array, ()
    # Least and largest are NaN if any value is: two passes that take no memory.
    with np.errstate(invalid='ignore'):
        if np.isfinite(array.min()) and np.isfinite(array.max()):
            return array, ()
    wrong = ~np.isfinite(array)
    count = int(np.count_nonzero(wrong))
    if nonfinite is None:
        raise ValueError(
            f'{count} of {array.size} voxels are NaN or infinite, expected numbers; '
            'mend the file, or pass nonfinite=0 (or another value) to replace them'
        )
    array[wrong] = nonfinite
    return array, (f'{count} voxels were NaN or infinite and became {nonfinite:g}.',)


def apply_scaling(stored: NDArray, scaling: tuple[float, float]) -> NDArray:
    """Real values from stored ones.

    Up to 16 bits become float32, which still tells neighbouring stored values apart;
    wider types become float64.
    """
    slope, intercept = scaling
    if scaling == (1.0, 0.0):
        return stored
    values = stored.astype(np.float64)
    values *= slope
    values += intercept
    narrow = stored.dtype.kind in 'iu' and stored.dtype.itemsize <= 2
    return values.astype(np.float32) if narrow else values


def undo_scaling(
    array: NDArray, scaling: tuple[float, float], dtype: np.dtype
) -> NDArray | None:
    """Stored values that give exactly this array, or None if there are none.

    Args:
        array: Real values.
        scaling: Slope and intercept of the file that they came from.
        dtype: Type in that file.
    """
    slope, intercept = scaling
    if scaling == (1.0, 0.0) or array.dtype.kind != 'f':
        return None
    values = (array.astype(np.float64) - intercept) / slope
    if dtype.kind in 'iu':
        values = np.rint(values)
        limits = np.iinfo(dtype)
        if values.min() < limits.min or values.max() > limits.max:
            return None
    stored = values.astype(dtype)
    again = apply_scaling(stored, scaling)
    return stored if np.array_equal(again.astype(array.dtype), array) else None
