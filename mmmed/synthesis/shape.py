"""Shape of a lesion: an ellipsoid whose space is bent by 27 control points.

The bent coordinate u(x) is a polynomial of degree 2 in each axis, so it is evaluated by
three small matrix products; the lesion is where |u| <= 1. Not here: drawing a shape
(``drawing``), what fills it (``composition``).
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

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
# The coarse grid ends at the outer control points, or, for a margin as wide as a small
# lesion, further out: relative radii and multiples of the points' distance.
_NEAR, _FAR = 1.45, 1.75
# Unit steps to the control points by component, shape (3, 27).
UNIT_STEPS = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing='ij')).reshape(
    3, 27
)


class LesionFrame(NamedTuple):
    """The control points of a lesion.

    Args:
        distance_mm: From the centre, along Z, Y, X; shape (3,).
        controls: u at the points, (3, 3, 3, 3): semi-axis, then Z, Y, X.
        slope: Of u without displacement, per distance: (semi-axis, Z Y X). Beyond the
            outer points the displacement stays what it is there, so that nothing
            comes back.
    """

    distance_mm: NDArray[np.float64]
    controls: NDArray[np.float64]
    slope: NDArray[np.float64]


def build_frame(lesion: LesionRecord) -> LesionFrame:
    """Control points of a record."""
    radii = np.array(lesion.radii_mm)
    rotation = np.array(lesion.rotation).reshape(3, 3)
    distance = REACH * np.sqrt((rotation**2).T @ radii**2)
    points = (UNIT_STEPS * distance[:, None]).reshape(-1)
    points += lesion.displacement_mm
    to_axes = rotation / radii[:, None]
    turned = to_axes @ points.reshape(3, 27)
    return LesionFrame(distance, turned.reshape(3, 3, 3, 3), to_axes * distance)


def build_basis(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the control points at -1, 0 and 1, shape (n, 3)."""
    basis = np.empty((t.size, 3))
    square = t * t
    basis[:, 1] = 1 - square
    basis[:, 0] = (square - t) / 2
    basis[:, 2] = (square + t) / 2
    return basis


def find_lesion_box(
    lesion: LesionRecord,
    frame: LesionFrame,
    spacing: Sequence[float],
    margin_mm: float,
) -> Box:
    """Voxels that a lesion and a margin around it can reach, in volume indices.

    It is found on a coarse grid and widened by one of its cells, so that the fine
    evaluation is not done on empty space.
    """
    # Where the depth is -margin, to the same first order as in evaluate_shape.
    limit = 1 + margin_mm / min(lesion.radii_mm)
    coarse, basis, beyond = _tabulate_coarse_grid(limit > _NEAR)
    u = frame.controls.reshape(3, 27).astype(np.float32) @ basis  # (3, n^3)
    if beyond is not None:
        u += frame.slope.astype(np.float32) @ beyond
    u *= u
    inside = (u[0] + u[1] + u[2] <= limit**2).reshape((_COARSE,) * 3)
    plane, column = inside.any(axis=2), inside.any(axis=(0, 1))
    cell = coarse[1] - coarse[0]
    box = []
    for axis, shadow in enumerate((plane.any(axis=1), plane.any(axis=0), column)):
        held = np.flatnonzero(shadow)
        low, high = (coarse[held[0]], coarse[held[-1]]) if held.size else (0.0, 0.0)
        center, reach = lesion.center_mm[axis], float(frame.distance_mm[axis])
        start = math.ceil((center + float(low - cell) * reach) / spacing[axis])
        stop = math.floor((center + float(high + cell) * reach) / spacing[axis]) + 1
        box.append(slice(start, max(stop, start + 1)))
    return tuple(box)


@functools.cache
def _tabulate_coarse_grid(is_wide: bool) -> tuple[NDArray, NDArray, NDArray | None]:
    """Coordinates, weights (27, n^3), and what lies beyond the points (3, n^3)."""
    coarse = np.linspace(-1, 1, _COARSE) * (_FAR if is_wide else 1)
    held = np.clip(coarse, -1, 1)
    basis = build_basis(held).T.astype(np.float32)
    weights = np.kron(np.kron(basis, basis), basis)
    if not is_wide:
        return coarse, weights, None
    beyond = np.meshgrid(*[(coarse - held).astype(np.float32)] * 3, indexing='ij')
    return coarse, weights, np.stack(beyond).reshape(3, -1)


def evaluate_shape(
    lesion: LesionRecord,
    frame: LesionFrame,
    spacing: Sequence[float],
    box: Box,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Depth below the lesion's surface, and relative radius, at the voxels of a box.

    Returns:
        ``depth_mm``: signed distance to the surface to first order, positive inside;
        ``rho``: |u|, 0 in the centre and 1 on the surface. Both float32 (Z, Y, X).
    """
    places = locate_voxels(lesion, spacing, box)
    reach = frame.distance_mm.tolist()
    scaled = [place / r for place, r in zip(places, reach, strict=True)]
    held = [np.minimum(np.maximum(t, -1), 1) for t in scaled]
    along_z, along_y = build_basis(held[0]), build_basis(held[1])
    beyond = [t - h for t, h in zip(scaled, held, strict=True)]
    # The weights of each axis add up to 1, so what lies beyond is added once.
    u = along_z @ frame.controls.reshape(3, 3, 9)  # (j, Z, 9)
    u += (frame.slope[:, 0, None] * beyond[0])[:, :, None]
    u = along_y @ u.reshape(3, -1, 3, 3)  # (j, Z, Y, 3)
    u += (frame.slope[:, 1, None] * beyond[1])[:, None, :, None]
    # Along X as a polynomial, term by term: a matrix product would not give the same
    # bits for any number of threads, and is no faster.
    first, middle, last = np.moveaxis(u, 3, 0)
    terms = np.stack([middle, (last - first) / 2, (last + first) / 2 - middle])
    constant, linear, quadratic = _to_device(terms[..., None], device)
    t = _to_device(held[2], device)
    u2 = (quadratic * t).add_(linear).mul_(t).add_(constant)  # (j, Z, Y, X)
    if beyond[2].any():
        u2.add_(_to_device(frame.slope[:, 2, None, None, None] * beyond[2], device))
    first2, second2, third2 = u2.square_()
    a, b, c = (radius**-2 for radius in lesion.radii_mm)
    rho = (first2 + second2).add_(third2).sqrt_()
    slope = first2.mul_(a).add_(second2, alpha=b).add_(third2, alpha=c).sqrt_()
    # Distance is (1 - rho) over the gradient of rho, which is slope / rho; the small
    # numbers make it the mean radius in the very centre, where both vanish.
    tiny = 1e-3
    slope.add_(tiny / lesion.radius_mm)
    depth = (1 - rho).mul_(rho + tiny).div_(slope)
    return depth, rho


def _to_device(array: NDArray, device: torch.device) -> Tensor:
    return torch.from_numpy(array.astype(np.float32)).to(device)


def locate_voxels(
    lesion: LesionRecord, spacing: Sequence[float], box: Box
) -> list[NDArray]:
    """Positions of a box's voxels from the lesion's centre in mm, one array an axis."""
    return [
        np.arange(part.start, part.stop) * length - center
        for part, length, center in zip(box, spacing, lesion.center_mm, strict=True)
    ]


def soften(depth_mm: Tensor, edge_mm: float) -> Tensor:
    """Weight in [0, 1] of an edge blurred by a standard deviation; 0.5 at depth 0.

    A straight edge blurred with a parabolic kernel, which differs from a Gaussian one
    by at most 0.032 and ends after 2.24 deviations.
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
