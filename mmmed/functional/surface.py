"""Distances between the surfaces of two masks: surface Dice, Hausdorff, average.

Definitions are those of DeepMind's surface-distance: a surface is a set of elements,
each with a position and an area, and every share, percentile and mean is weighted by
area. Not here: overlap of volumes (``overlap``), how the distances are found
(``nearest_sites``), the area of an element (``surface_tables``).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.masks import check_mask_pair, check_spacing, find_box
from mmmed.functional.nearest_sites import compute_nearest_distances
from mmmed.functional.overlap import DEFAULT_POLICY, EmptyPolicy
from mmmed.functional.surface_tables import compute_surface_table

# Elements of a mask encoded at a time: they fit a cache.
_BLOCK = 1 << 18
# Of the histogram that narrows a percentile down.
_BINS = 1 << 12


@dataclass(frozen=True)
class Surface:
    """The surface of a mask, in small elements.

    An element is a cell of 2 x 2 (x 2) neighbouring pixels or voxels of which some are
    in the mask and some are not. It lies where their corners meet, also at the border
    of the image: outside is background.

    Args:
        points: Index of the last corner of the cell, shape (D, N); from 0 to the
            image size.
        sizes: Area in mm2 (length in mm for 2-D), shape (N,).
    """

    points: NDArray[np.int64]
    sizes: NDArray[np.float64]


def extract_surface(mask: NDArray[np.bool_], spacing: Sequence[float]) -> Surface:
    """Surface elements of a boolean mask with two or three axes, in array order."""
    table = compute_surface_table(tuple(spacing))
    box = find_box(mask)
    if box is None:
        return Surface(np.empty((mask.ndim, 0), np.int64), np.empty(0))
    # One layer of background all around, in C order whatever the order of the mask.
    padded = np.zeros([side.stop - side.start + 2 for side in box], np.uint8)
    padded[(slice(1, -1),) * mask.ndim] = mask[box]
    thickness = max(1, _BLOCK // math.prod(padded.shape[1:]))
    points, codes = [], []
    for start in range(0, len(padded) - 1, thickness):
        found, code = _encode_cells(padded[start : start + thickness + 1])
        found[0] += start
        points.append(found)
        codes.append(code)
    # The first cell lies before the first element of the box, its last corner on it.
    origin = np.array([[side.start] for side in box])
    sizes = table.take(np.concatenate(codes))
    return Surface(np.concatenate(points, axis=1) + origin, sizes)


def _encode_cells(
    planes: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Cells that a surface passes: their indices (D, N) and corner codes (N,)."""
    codes = planes
    for bits, axis in enumerate(reversed(range(planes.ndim))):
        aligned = codes.swapaxes(0, axis)
        merged = aligned[:-1] | (aligned[1:] << np.uint8(1 << bits))
        codes = merged.swapaxes(0, axis)
    full = (1 << (1 << planes.ndim)) - 1
    flat = np.flatnonzero(codes - np.uint8(1) < full - 1)
    points = np.stack(np.unravel_index(flat, codes.shape))
    return points, codes.reshape(-1).take(flat)


@dataclass(frozen=True)
class SurfaceDistances:
    """Distance of every surface element of one mask to the other surface.

    Args:
        pred_to_target_mm: Shape (N,), of the elements of the prediction; infinite if
            the target is empty.
        target_to_pred_mm: Shape (M,), of the elements of the target.
        pred_sizes: Area in mm2 (length in mm for 2-D) of those elements, shape (N,).
        target_sizes: Shape (M,).
        diagonal_mm: Of the image: no distance in it is greater.
    """

    pred_to_target_mm: NDArray[np.float64]
    target_to_pred_mm: NDArray[np.float64]
    pred_sizes: NDArray[np.float64]
    target_sizes: NDArray[np.float64]
    diagonal_mm: float

    def compute_surface_dice(
        self, tolerance_mm: float, *, policy: EmptyPolicy = DEFAULT_POLICY
    ) -> float:
        """As :func:`compute_surface_dice`."""
        if not tolerance_mm >= 0:
            raise ValueError(f'tolerance_mm is {tolerance_mm}, expected a length >= 0')
        score = self._get_empty_score(policy)
        if score is not None:
            return score
        close = sum(
            float(sizes[distances <= tolerance_mm].sum())
            for distances, sizes in self._get_directions()
        )
        return close / float(self.pred_sizes.sum() + self.target_sizes.sum())

    def compute_hausdorff(
        self, percentile: float = 100.0, *, policy: EmptyPolicy = DEFAULT_POLICY
    ) -> float:
        """As :func:`compute_hausdorff`."""
        if not 0 <= percentile <= 100:
            raise ValueError(f'percentile is {percentile}, expected 0 to 100')
        score = self._get_empty_score(policy)
        if score is not None:
            return (1 - score) * self.diagonal_mm
        return max(
            _compute_percentile(distances, sizes, percentile)
            for distances, sizes in self._get_directions()
        )

    def compute_average(self, *, policy: EmptyPolicy = DEFAULT_POLICY) -> float:
        """As :func:`compute_average_surface_distance`."""
        score = self._get_empty_score(policy)
        if score is not None:
            return (1 - score) * self.diagonal_mm
        total = sum(float(d @ sizes) for d, sizes in self._get_directions())
        return total / float(self.pred_sizes.sum() + self.target_sizes.sum())

    def _get_directions(
        self,
    ) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
        return (
            (self.pred_to_target_mm, self.pred_sizes),
            (self.target_to_pred_mm, self.target_sizes),
        )

    def _get_empty_score(self, policy: EmptyPolicy) -> float | None:
        """Score of the policy if a mask is empty, else ``None``."""
        has_pred, has_target = self.pred_sizes.size > 0, self.target_sizes.size > 0
        if has_pred and has_target:
            return None
        if has_pred:
            return policy.target_empty
        if has_target:
            return policy.pred_empty
        return math.nan if policy.both_empty is None else policy.both_empty


def _compute_percentile(
    distances: NDArray[np.float64], sizes: NDArray[np.float64], percentile: float
) -> float:
    """Smallest distance within which a given percentage of the area lies."""
    greatest = float(distances.max())
    if percentile == 100 or greatest == 0:
        return greatest
    share = percentile / 100
    total = float(sizes.sum())
    # Sort the elements of one bin of a histogram only: the others are counted.
    bins = (distances * (_BINS / greatest)).astype(np.intp)
    shares = np.bincount(bins, sizes).cumsum() / total
    chosen = min(int(np.searchsorted(shares, share)), len(shares) - 1)
    held = np.flatnonzero(bins == chosen)
    order = held[np.argsort(distances[held])]
    before = shares[chosen - 1] if chosen else 0.0
    shares = np.append(before, before + sizes[order].cumsum() / total)
    if (np.abs(shares - share) < 1e-9).any():
        # Rounding decides: sum in the order of the reference, to decide as it does.
        order = np.lexsort((sizes, distances))
        shares = sizes[order].cumsum() / sizes[order].sum()
        shares = np.append(0.0, shares)
    index = int(np.searchsorted(shares[1:], share))
    return float(distances[order[min(index, len(order) - 1)]])


def compute_surface_distances(
    pred: ArrayLike, target: ArrayLike, spacing: Sequence[float]
) -> SurfaceDistances:
    """Distances between two surfaces, from which all metrics here follow.

    Use it for several tolerances or percentiles; :func:`compute_surface_metrics` gives
    the usual ones.

    Args:
        pred: Binary mask, shape (Z, Y, X) or (Y, X).
        target: Reference mask, same shape.
        spacing: Voxel size in mm, one per array axis, in array order.

    Raises:
        ValueError: Shapes differ, a mask is not binary or has not two or three axes,
            or ``spacing`` does not fit.
    """
    pred_mask, target_mask = check_mask_pair(pred, target)
    if pred_mask.ndim not in (2, 3):
        raise ValueError(
            f'masks have shape {pred_mask.shape}, expected two or three axes; measure '
            'channels or cases one by one'
        )
    lengths = check_spacing(spacing, pred_mask.ndim)
    pred_surface = extract_surface(pred_mask, lengths)
    target_surface = extract_surface(target_mask, lengths)
    here, there = pred_surface.points, target_surface.points
    return SurfaceDistances(
        pred_to_target_mm=compute_nearest_distances(here, there, lengths),
        target_to_pred_mm=compute_nearest_distances(there, here, lengths),
        pred_sizes=pred_surface.sizes,
        target_sizes=target_surface.sizes,
        diagonal_mm=math.hypot(*np.multiply(pred_mask.shape, lengths)),
    )


@dataclass(frozen=True)
class SurfaceMetrics:
    """The usual surface metrics of one pair of masks.

    Args:
        surface_dice: In [0, 1]; 1 is best. As :func:`compute_surface_dice`.
        hausdorff_mm: As :func:`compute_hausdorff`.
        hausdorff95_mm: The same at the 95th percentile.
        average_distance_mm: As :func:`compute_average_surface_distance`.
        tolerance_mm: Tolerance of ``surface_dice``.
    """

    surface_dice: float
    hausdorff_mm: float
    hausdorff95_mm: float
    average_distance_mm: float
    tolerance_mm: float

    def as_dict(self) -> dict[str, float]:
        """Fields by name; NaN where the policy leaves an empty pair out."""
        return asdict(self)


def compute_surface_metrics(
    pred: ArrayLike,
    target: ArrayLike,
    spacing: Sequence[float],
    *,
    tolerance_mm: float,
    policy: EmptyPolicy = DEFAULT_POLICY,
) -> SurfaceMetrics:
    """All surface metrics of one pair, for the price of one.

    Arguments and errors as :func:`compute_surface_dice`.
    """
    distances = compute_surface_distances(pred, target, spacing)
    return SurfaceMetrics(
        surface_dice=distances.compute_surface_dice(tolerance_mm, policy=policy),
        hausdorff_mm=distances.compute_hausdorff(policy=policy),
        hausdorff95_mm=distances.compute_hausdorff(95.0, policy=policy),
        average_distance_mm=distances.compute_average(policy=policy),
        tolerance_mm=float(tolerance_mm),
    )


def compute_surface_dice(
    pred: ArrayLike,
    target: ArrayLike,
    spacing: Sequence[float],
    *,
    tolerance_mm: float,
    policy: EmptyPolicy = DEFAULT_POLICY,
) -> float:
    """Share of both surfaces that lies within a tolerance of the other surface.

    Also called normalised surface Dice (NSD).

    Args:
        pred: Binary mask, shape (Z, Y, X) or (Y, X): boolean, or numbers 0 and 1.
        target: Reference mask, same shape.
        spacing: Voxel size in mm, one per array axis, in array order.
        tolerance_mm: Largest acceptable distance in mm, >= 0; a distance equal to it
            is acceptable.
        policy: Value if a mask is empty.

    Returns:
        Value in [0, 1]; 1 is best. By default NaN if both masks are empty, 0 if
        exactly one is.

    Raises:
        ValueError: As :func:`compute_surface_distances`, or ``tolerance_mm`` < 0.

    Source:
        Nikolov et al. 2018, arXiv:1809.04430; checked against surface-distance 0.1.
        Differs: explicit policy for empty masks.

    Example:
        >>> mask = np.eye(4, dtype=bool)
        >>> compute_surface_dice(mask, mask, (3.0, 1.0), tolerance_mm=1.0)
        1.0
    """
    distances = compute_surface_distances(pred, target, spacing)
    return distances.compute_surface_dice(tolerance_mm, policy=policy)


def compute_hausdorff(
    pred: ArrayLike,
    target: ArrayLike,
    spacing: Sequence[float],
    *,
    percentile: float = 100.0,
    policy: EmptyPolicy = DEFAULT_POLICY,
) -> float:
    """Greatest distance between two surfaces, or a percentile of it.

    Args:
        pred: Binary mask, as in :func:`compute_surface_dice`.
        target: Reference mask, same shape.
        spacing: Voxel size in mm, one per array axis, in array order.
        percentile: 0 to 100, by area: 95 ignores the farthest twentieth of each
            surface. The greater of the two directions counts.
        policy: Read for distances: score 1 is 0 mm, score 0 the image diagonal, with
            proportion between.

    Returns:
        Distance in mm, >= 0. By default NaN if both masks are empty, and the length of
        the image diagonal if exactly one is: no distance in the image is greater.

    Raises:
        ValueError: As :func:`compute_surface_distances`, or ``percentile`` is outside
            0 to 100.

    Source:
        As :func:`compute_surface_dice`.
    """
    distances = compute_surface_distances(pred, target, spacing)
    return distances.compute_hausdorff(percentile, policy=policy)


def compute_average_surface_distance(
    pred: ArrayLike,
    target: ArrayLike,
    spacing: Sequence[float],
    *,
    policy: EmptyPolicy = DEFAULT_POLICY,
) -> float:
    """Average symmetric surface distance (ASSD): mean over both surfaces together.

    The sum of distance times area over all elements of both surfaces, over the sum of
    their areas. surface-distance gives the mean of each direction; this is their mean
    weighted by the two surface areas. A plain mean of the two would count a small
    surface as much as a large one.

    Args:
        pred: Binary mask, as in :func:`compute_surface_dice`.
        target: Reference mask, same shape.
        spacing: Voxel size in mm, one per array axis, in array order.
        policy: As in :func:`compute_hausdorff`.

    Returns:
        Distance in mm, >= 0; empty masks as in :func:`compute_hausdorff`.

    Raises:
        ValueError: As :func:`compute_surface_distances`.

    Source:
        Heimann et al. 2009, doi:10.1109/TMI.2009.2013851 (ASD of both surfaces).
        Differs: weighted by area, as surface-distance does.
    """
    distances = compute_surface_distances(pred, target, spacing)
    return distances.compute_average(policy=policy)
