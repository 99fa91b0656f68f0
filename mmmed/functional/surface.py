"""Surface metrics of two masks: surface Dice, Hausdorff and average distance.

Definitions are those of DeepMind's surface-distance: a surface is a set of elements,
each with a position and an area, and every share, percentile and mean is weighted by
area. Not here: overlap of volumes (``overlap``), how the distances are found
(``surface_distances``).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from numpy.typing import ArrayLike

from mmmed.functional.overlap import DEFAULT_POLICY, EmptyPolicy
from mmmed.functional.surface_distances import (
    SurfaceDistances as SurfaceDistances,
)
from mmmed.functional.surface_distances import (
    compute_surface_distances as compute_surface_distances,
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
        >>> mask = [[0, 0, 0], [0, 1, 1]]
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
