"""Distances between the surfaces of two masks, and what is read from them.

Every share, percentile and mean is weighted by area. Not here: the metrics by name
(``surface``), how the nearest element is found (``nearest_sites``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.masks import check_mask_pair, check_spacing
from mmmed.functional.nearest_sites import compute_nearest_distances
from mmmed.functional.overlap import DEFAULT_POLICY, EmptyPolicy
from mmmed.functional.surface_elements import extract_surface

# Of the histogram that narrows a percentile down.
_BINS = 1 << 12


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
        """As :func:`mmmed.functional.surface.compute_surface_dice`."""
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
        """As :func:`mmmed.functional.surface.compute_hausdorff`."""
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
        """As ``compute_average_surface_distance`` of ``mmmed.functional.surface``."""
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

    Use it for several tolerances or percentiles; ``compute_surface_metrics`` gives the
    usual ones.

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
