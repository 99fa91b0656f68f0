"""The organ that gets lesions: where it is, and what its tissue looks like.

Not here: where lesions go in it (``placement``), its vessels (``vessels``).
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.masks import Box, check_spacing, find_box

IGNORED = 255
_SAMPLES = 20_000


@dataclass(frozen=True)
class OrganRegion:
    """The smallest box around an organ.

    Args:
        box: Where it lies in the volume.
        mask: Organ without lesions of its own in the box, contiguous.
        tumor: Real tumor in the box, or ``None`` where there is none.
        spacing: (Z, Y, X) in mm.
    """

    box: Box
    mask: NDArray[np.bool_]
    tumor: NDArray[np.bool_] | None
    spacing: tuple[float, ...]

    @functools.cached_property
    def counts(self) -> NDArray[np.int64]:
        """Organ voxels of each slice, shape (Z,)."""
        return np.array([np.count_nonzero(plane) for plane in self.mask])

    @property
    def start(self) -> NDArray[np.int64]:
        """Index of the box's first voxel in the volume."""
        return np.array([part.start for part in self.box])

    @property
    def volume_ml(self) -> float:
        """Volume of the organ without its tumors."""
        return float(self.counts.sum()) * math.prod(self.spacing) / 1000


def find_organ(organ_mask: NDArray, spacing: Sequence[float]) -> OrganRegion | None:
    """Region of an organ mask; ``None`` if there is no organ.

    Args:
        organ_mask: (Z, Y, X) boolean or integer: 0 outside, 1 organ, 2 real tumor, 255
            ignored.
        spacing: (Z, Y, X) in mm.

    Raises:
        ValueError: Not three axes, another value or type, or a wrong spacing.
    """
    lengths = check_spacing(spacing, 3)
    mask = np.asarray(organ_mask)
    if mask.ndim != 3 or mask.dtype.kind not in 'bui':
        raise ValueError(
            f'organ mask has shape {mask.shape} and type {mask.dtype}, expected '
            '(Z, Y, X) of booleans or integers'
        )
    if not mask.size:
        return None
    least, largest = (0, 1) if mask.dtype == bool else (mask.min(), mask.max())
    if largest > 2 or least < 0:
        wrong = (mask > 2) & (mask != IGNORED) | (mask < 0)
        if wrong.any():
            raise ValueError(
                f'organ mask holds {mask[wrong][0]}, expected 0 outside, 1 organ, 2 '
                'tumor, 255 ignored; choose the organ first (seg == its id)'
            )
    if mask.dtype.itemsize == 1 and largest <= 1:
        whole = mask.view(bool)
    else:
        whole = (mask == 1) | (mask == 2)
    box = find_box(whole)
    if box is None:
        return None
    tumor = mask[box] == 2 if largest > 1 else None
    tumor = tumor if tumor is not None and tumor.any() else None
    part = np.ascontiguousarray(whole[box])
    part = part if tumor is None else part & ~tumor
    return OrganRegion(box, part, tumor, lengths)


@dataclass(frozen=True)
class OrganTissue:
    """Intensities of an organ, vessels and other outliers left out.

    Args:
        level_hu: Median.
        noise_hu: Standard deviation.
        correlation: Of neighbouring voxels, per axis (Z, Y, X), in [0, 1).
    """

    level_hu: float
    noise_hu: float
    correlation: tuple[float, float, float]


def measure_tissue(image: NDArray, organ: OrganRegion) -> OrganTissue:
    """Median, noise and its correlation, from at most 20,000 voxels evenly taken.

    Voxels further than three robust deviations from the median are left out: vessels,
    ducts, the partial volume of the wall, and what is not finite.
    """
    crop, mask = image[organ.box], organ.mask
    found = np.flatnonzero(mask)
    places = np.unravel_index(found[:: max(1, found.size // _SAMPLES)], mask.shape)
    values = crop[places].astype(np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return OrganTissue(0.0, 0.0, (0.0, 0.0, 0.0))
    level = float(np.median(finite))
    reach = 3 * 1.4826 * float(np.median(np.abs(finite - level)))
    inside = np.abs(values - level) <= reach
    noise = float(values[inside].std()) if inside.any() else 0.0
    center = float(values[inside].mean()) if inside.any() else level
    correlation = []
    for axis in range(3):
        beside = tuple(p + (a == axis) for a, p in enumerate(places))
        here = inside & (beside[axis] < mask.shape[axis])
        beside = tuple(p[here] for p in beside)
        both = mask[beside] & (np.abs(crop[beside] - level) <= reach)
        first = values[here][both] - center
        second = crop[beside][both].astype(np.float64) - center
        power = float(np.sqrt((first**2).sum() * (second**2).sum()))
        product = float((first * second).sum())
        correlation.append(min(max(product / power, 0.0), 0.95) if power > 0 else 0.0)
    return OrganTissue(level, noise, (correlation[0], correlation[1], correlation[2]))
