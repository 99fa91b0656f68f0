"""Vessels of an organ: what is brighter than its tissue after a light blur.

Not here: how lesions avoid them (``placement``).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.synthesis.organ import OrganRegion, OrganTissue


@torch.no_grad()
def find_vessels(
    image: NDArray | Tensor,
    organ: OrganRegion,
    tissue: OrganTissue,
    *,
    contrast_hu: float = 25.0,
) -> NDArray[np.bool_]:
    """Bright voxels of an organ, on the device of the image.

    The blur is that of Hu et al. 2023: 0.5 + 0.025 times the organ's noise, here in mm.
    Outside the organ its median is filled in, so that no neighbour shines through the
    wall. A voxel must also stand out of the noise that the blur leaves, by three
    deviations, so that noise alone is no vessel.

    Args:
        image: (Z, Y, X) in HU.
        organ: Region of the organ.
        tissue: Of :func:`~mmmed.synthesis.organ.measure_tissue`.
        contrast_hu: Least contrast to the organ's median, in HU.

    Returns:
        Mask of the organ's box.
    """
    whole = image if isinstance(image, Tensor) else torch.from_numpy(image[organ.box])
    crop = whole[organ.box] if isinstance(image, Tensor) else whole
    mask = torch.as_tensor(organ.mask).to(crop.device)
    filled = torch.where(mask & crop.isfinite(), crop.float(), tissue.level_hu)
    deviation_mm = 0.5 + 0.025 * tissue.noise_hu
    kept = 1.0
    for axis in range(3):
        kernel = _make_kernel(deviation_mm / organ.spacing[axis])
        kept *= _keep_noise(kernel, tissue.correlation[axis])
        filled = _blur(filled, kernel, axis)
    least = max(contrast_hu, 3 * math.sqrt(kept) * tissue.noise_hu)
    return (mask & (filled > tissue.level_hu + least)).cpu().numpy()


def _make_kernel(deviation: float) -> list[float]:
    reach = max(1, math.ceil(3 * min(deviation, 5.0)))
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / deviation) ** 2)
    return (kernel / kernel.sum()).tolist()


def _keep_noise(kernel: list[float], correlation: float) -> float:
    """Share of the variance of correlated noise that a blur along one axis leaves."""
    steps = np.arange(len(kernel))
    decay = correlation ** np.abs(steps[:, None] - steps).astype(float)
    return float(np.array(kernel) @ decay @ np.array(kernel))


def _blur(image: Tensor, kernel: list[float], axis: int) -> Tensor:
    """Blur along an axis; the border repeats its last voxel."""
    reach, size = len(kernel) // 2, image.shape[axis]
    index = torch.arange(-reach, size + reach, device=image.device).clamp_(0, size - 1)
    wide = image.index_select(axis, index)
    total = wide.narrow(axis, 0, size) * kernel[0]
    for place in range(1, len(kernel)):
        total.add_(wide.narrow(axis, place, size), alpha=kernel[place])
    return total
