"""How bright the labelled voxels are: of one case, and of many together.

Not here: applying any of it to an image (the training pipeline does).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.5, 5.0, 50.0, 95.0, 99.5)
# Enough for the 0.5th percentile of many cases together, and small in a journal.
_LEVELS = 401


def describe_foreground(
    image: NDArray, mask: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """Intensities under a mask.

    Args:
        image: (Z, Y, X).
        mask: (Z, Y, X).

    Returns:
        ``voxels``, ``mean``, ``std`` (of the population), and ``quantiles``: 401
        values at even steps from minimum to maximum. None for an empty mask.
    """
    values = image[mask].astype(np.float64)
    if not values.size:
        return None
    quantiles = np.quantile(values, np.linspace(0, 1, _LEVELS))
    return {
        'voxels': int(values.size),
        'mean': float(values.mean()),
        'std': float(values.std()),
        'quantiles': [float(np.float32(value)) for value in quantiles],
    }


def pool_foreground(parts: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Intensities under the masks of several cases, each voxel counted once.

    Args:
        parts: Results of :func:`describe_foreground`; None is passed over.

    Returns:
        ``voxels``, ``mean`` and ``std`` (exact), ``min``, ``max`` and ``percentiles``
        (by name, e.g. ``'99.5'``; interpolated from the cases' quantiles, exact to
        within 1/400 of a case's voxels). All but ``voxels`` are None without a voxel.
    """
    known = [part for part in parts if part]
    total = sum(part['voxels'] for part in known)
    if not total:
        return {'voxels': 0, 'mean': None, 'std': None, 'min': None, 'max': None,
                'percentiles': None}  # fmt: skip
    weights = np.array([part['voxels'] for part in known]) / total
    means = np.array([part['mean'] for part in known])
    mean = float(weights @ means)
    deviations = np.array([part['std'] for part in known])
    variance = float(weights @ (deviations**2 + (means - mean) ** 2))
    quantiles = np.array([part['quantiles'] for part in known])
    return {
        'voxels': total,
        'mean': mean,
        'std': float(np.sqrt(variance)),
        'min': float(quantiles.min()),
        'max': float(quantiles.max()),
        'percentiles': _find_percentiles(quantiles, weights),
    }


def _find_percentiles(quantiles: NDArray, weights: NDArray) -> dict[str, float]:
    """Percentiles of a mixture: each interval between quantiles weighs the same."""
    middles = (quantiles[:, :-1] + quantiles[:, 1:]) / 2
    shares = np.repeat(weights / middles.shape[1], middles.shape[1])
    values = middles.ravel()
    order = np.argsort(values, kind='stable')
    # An interval's middle stands for the middle of its share.
    reached = np.cumsum(shares[order]) - shares[order] / 2
    found = np.interp(np.array(PERCENTILES) / 100, reached, values[order])
    return {f'{p:g}': float(v) for p, v in zip(PERCENTILES, found, strict=True)}
