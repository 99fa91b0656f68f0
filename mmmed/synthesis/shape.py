"""Shape of a lesion: an ellipsoid whose space is bent by 27 control points.

The bent coordinate u(x) is a polynomial of degree 2 in each axis, so it is evaluated by
three small matrix products; the lesion is where |u| <= 1. Not here: drawing a shape
(``drawing``), what fills it (``composition``).
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.functional.masks import Box
from mmmed.synthesis.records import LesionRecord

# Control points lie at -2, 0 and 2 half extents, as in the published deformation, whose
# grid spans a box of four semi-axes.
REACH = 2.0
# Half width of the soft edge in standard deviations: of the parabolic kernel whose
# integral is the smoothstep, variance is a fifth of the half width squared.
EDGE_SUPPORT = math.sqrt(5.0)
_COARSE = 14


@functools.lru_cache(maxsize=256)
def compute_controls(lesion: LesionRecord) -> tuple[NDArray, NDArray]:
    """Distance of the control points in mm, (3,), and u there, (3, 3, 3, 3).

    The first axis of u is the semi-axis, the others are Z, Y, X.
    """
    radii = np.array(lesion.radii_mm)
    rotation = np.array(lesion.rotation).reshape(3, 3)
    half = np.sqrt((rotation**2 * radii[:, None] ** 2).sum(axis=0))
    steps = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing='ij'))
    points = REACH * half[:, None, None, None] * steps
    points = points + np.array(lesion.displacement_mm).reshape(3, 3, 3, 3)
    turned = np.tensordot(rotation, points, 1)
    return REACH * half, turned / radii[:, None, None, None]


def build_basis(
    lesion: LesionRecord, spacing: Sequence[float], box: Box
) -> list[NDArray[np.float64]]:
    """Weights of the control points at the voxels of a box, one (n, 3) per axis."""
    distance, _ = compute_controls(lesion)
    bases = []
    for axis, part in enumerate(box):
        place = np.arange(part.start, part.stop) * spacing[axis]
        t = (place - lesion.center_mm[axis]) / distance[axis]
        bases.append(np.stack([t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2], axis=1))
    return bases


def find_lesion_box(
    lesion: LesionRecord, spacing: Sequence[float], margin_mm: float
) -> Box:
    """Voxels that a lesion and a margin around it can reach, in volume indices.

    The level set is found on a coarse grid around the lesion, then widened by one of
    its cells, so that the fine evaluation is not done on empty space.
    """
    distance, controls = compute_controls(lesion)
    # Twice as far as the ellipsoid: a deformation that reaches further is cut there.
    limit = distance + margin_mm
    coarse = np.linspace(-1, 1, _COARSE)
    bases = []
    for axis in range(3):
        t = coarse * limit[axis] / distance[axis]
        bases.append(np.stack([t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2], axis=1))
    u = np.tensordot(bases[0], controls, (1, 1))  # (z, j, 3, 3)
    u = np.tensordot(bases[1], u, (1, 2))  # (y, z, j, 3)
    u = np.tensordot(u, bases[2], (3, 1))  # (y, z, j, x)
    rho = np.sqrt((u * u).sum(axis=2))  # (y, z, x)
    near = rho <= 1 + margin_mm / min(lesion.radii_mm)
    cell = 2 / (_COARSE - 1)
    box = []
    for axis, others in enumerate(((0, 2), (1, 2), (0, 1))):
        held = np.flatnonzero(near.any(axis=others))
        low, high = (coarse[held[0]], coarse[held[-1]]) if held.size else (0.0, 0.0)
        low, high = (low - cell) * limit[axis], (high + cell) * limit[axis]
        center = lesion.center_mm[axis]
        first = math.ceil((center + low) / spacing[axis])
        last = math.floor((center + high) / spacing[axis])
        box.append(slice(first, max(last, first) + 1))
    return tuple(box)


def evaluate_shape(
    lesion: LesionRecord, spacing: Sequence[float], box: Box, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Depth below the lesion's surface, and relative radius, at the voxels of a box.

    Returns:
        ``depth_mm``: signed distance to the surface to first order, positive inside;
        ``rho``: |u|, 0 in the centre and 1 on the surface. Both float32 (Z, Y, X).
    """
    _, controls = compute_controls(lesion)
    along_z, along_y, along_x = build_basis(lesion, spacing, box)
    u = np.tensordot(along_z, controls, (1, 1))  # (Z, j, 3, 3)
    u = np.tensordot(u, along_y, (2, 1))  # (Z, j, 3, Y)
    rows = torch.as_tensor(np.ascontiguousarray(u.transpose(1, 0, 3, 2), np.float32))
    columns = torch.as_tensor(np.ascontiguousarray(along_x.T, np.float32))
    size = [part.stop - part.start for part in box]
    u2 = rows.to(device).reshape(-1, 3) @ columns.to(device)
    u2 = u2.square_().view(3, -1)
    radii = np.array(lesion.radii_mm)
    sums = np.stack([np.ones(3), radii**-2.0]).astype(np.float32)
    squares = torch.as_tensor(sums).to(device) @ u2  # (2, n)
    rho, slope = squares.sqrt_().view(2, *size)
    # Distance is (1 - rho) over the gradient of rho, which is slope / rho; the small
    # numbers make it the mean radius in the very centre, where both vanish.
    tiny = 1e-3
    slope.add_(tiny / float(np.prod(radii) ** (1 / 3)))
    depth = (1 - rho).mul_(rho + tiny).div_(slope)
    return depth, rho


def soften(depth_mm: Tensor, edge_mm: float) -> Tensor:
    """Weight in [0, 1] of an edge blurred by a standard deviation; 0.5 at depth 0.

    A straight edge blurred with a parabolic kernel, which differs from a Gaussian one
    by at most 0.012 and ends after 2.24 deviations.
    """
    t = (depth_mm * (0.5 / (EDGE_SUPPORT * edge_mm))).add_(0.5).clamp_(0, 1)
    return (3 - 2 * t).mul_(t).mul_(t)


def compute_blurred_mean(radius_mm: float, edge_mm: float) -> float:
    """Mean inside a ball of height 1 after a Gaussian blur, in (0, 1).

    Closed form of the overlap of the ball with itself under the blur, integrated over
    the radius. It is what the published composition leaves of a lesion's contrast.
    """
    ratio = radius_mm / edge_mm
    d = (np.arange(200) + 0.5) / 200 * ratio
    erf = np.vectorize(math.erf)
    edges = erf((ratio - d) / math.sqrt(2)) + erf((ratio + d) / math.sqrt(2))
    bells = np.exp(-((d - ratio) ** 2) / 2) - np.exp(-((d + ratio) ** 2) / 2)
    profile = edges / 2 - bells / (d * math.sqrt(2 * math.pi))
    return float((profile * d**2).sum() / (d**2).sum())
