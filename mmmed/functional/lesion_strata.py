"""Lesion-size strata: how large a lesion is, in a few named steps.

One convention everywhere: a stratum holds sizes above its lower edge up to and with
its upper edge, ``(low, high]``. So no lesion (size 0) is in none of them, and the
published counts of the 655 ATLAS subjects hold; the published plots and batches use
``[low, high)`` with the same numbers. Not here: how many of each stratum go in a batch
(``quotas``).
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

STRATUM_EDGES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        'volume': (5_000, 30_000, 60_000, 100_000, 200_000),
        'axial': (200, 500, 1000, 2000, 3000),
        'coronal': (200, 500, 1000, 2000, 3000),
        'sagittal': (500, 1000, 2000, 3000, 5000),
    }
)
"""Inner edges by level: mm3 of a subject (``volume``), mm2 of a slice (the planes).

The first stratum begins at 0, the last has no end. Source: Mousavi et al. 2025,
medRxiv 2025.09.26.25336733, where voxels of 1 mm are counted.
"""

NO_LESION = -1
# An element of 0.9999998 mm2 must not move a lesion across an edge.
_TOLERANCE = 1e-6


def get_edges(edges: str | Sequence[float]) -> tuple[float, ...]:
    """Inner edges of the strata of a level, or given ones, checked.

    Args:
        edges: Name in ``STRATUM_EDGES``, or rising numbers > 0 in mm3 or mm2.

    Raises:
        ValueError: No such level, or the numbers do not rise.
    """
    if isinstance(edges, str):
        if edges not in STRATUM_EDGES:
            raise ValueError(
                f'no level {edges!r}, expected one of {", ".join(STRATUM_EDGES)}, or '
                'the edges themselves'
            )
        return STRATUM_EDGES[edges]
    values = tuple(float(edge) for edge in edges)
    bounds = (0.0, *values, math.inf)
    if not all(low < high for low, high in pairwise(bounds)):
        raise ValueError(f'edges are {list(edges)}, expected rising finite sizes > 0')
    return values


def name_strata(edges: str | Sequence[float], unit: str = '') -> list[str]:
    """A short name of each stratum, from small to large.

    Example:
        >>> name_strata((200, 1500), 'mm²')
        ['≤ 200 mm²', '200 to 1,500 mm²', '> 1,500 mm²']
    """
    values = [f'{edge:,g}' for edge in get_edges(edges)]
    unit = f' {unit}' if unit else ''
    if not values:
        return [f'any{unit}']
    middle = [f'{low} to {high}{unit}' for low, high in pairwise(values)]
    return [f'≤ {values[0]}{unit}', *middle, f'> {values[-1]}{unit}']


def assign_strata(
    sizes: ArrayLike,
    edges: str | Sequence[float],
    *,
    element_size: ArrayLike = 1.0,
    closed: str = 'high',
) -> NDArray[np.int8]:
    """Stratum of each size.

    Args:
        sizes: Counts of voxels or pixels >= 0, any shape.
        edges: As :func:`get_edges`; K edges make K + 1 strata.
        element_size: Size of a voxel in mm3 or of a pixel in mm2, one for all or one
            per size: edges are in mm, counts are not.
        closed: ``'high'`` for ``(low, high]``; ``'low'`` for ``[low, high)``, the
            convention of the published batches.

    Returns:
        Numbers from 0, smallest stratum first; ``NO_LESION`` (-1) where the size is
        0. Same shape as ``sizes``.

    Raises:
        ValueError: A size is negative or not a number, an element has no size, or
            ``closed`` is another word.

    Example:
        >>> assign_strata([0, 1, 200, 201, 9000], 'axial').tolist()
        [-1, 0, 0, 1, 5]
    """
    counts = np.asarray(sizes, np.float64)
    scale = np.asarray(element_size, np.float64)
    if not (counts >= 0).all() or not (scale > 0).all():
        raise ValueError(
            'sizes must be >= 0 and element_size > 0; leave cases without a mask out'
        )
    if closed not in ('high', 'low'):
        raise ValueError(f"closed is {closed!r}, expected 'high' or 'low'")
    bounds = np.asarray(get_edges(edges), np.float64)
    if closed == 'high':
        strata = np.searchsorted(bounds * (1 + _TOLERANCE), counts * scale, 'left')
    else:
        strata = np.searchsorted(bounds * (1 - _TOLERANCE), counts * scale, 'right')
    return np.where(counts > 0, strata, NO_LESION).astype(np.int8)
