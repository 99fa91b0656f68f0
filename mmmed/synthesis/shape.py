"""Shape of a lesion: an ellipsoid whose space is bent by 27 control points.

The bent coordinate u(x) is a polynomial of degree 2 in each axis, so it is evaluated by
three small matrix products; the lesion is where |u| <= 1. Not here: drawing a shape
(``drawing``), what fills it (``composition``).
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

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
# The coarse grid that a lesion's box is found on: points an axis, and how many of its
# cells are added to where the surface crosses it. Of a thousand drawn lesions four
# reached a voxel further, with a weight of 0.003 at most.
_COARSE, _SLACK = 10, 0.2
# The coarse grid ends at the outer control points, or, for a margin as wide as a small
# lesion, further out: relative radii and multiples of the points' distance.
_NEAR, _FAR = 1.45, 1.75
# Unit steps to the control points by component, shape (3, 27).
UNIT_STEPS = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing='ij')).reshape(
    3, 27
)


class LesionFrame(NamedTuple):
    """The bent space of a lesion, or of n with a leading axis in each array.

    Args:
        distance_mm: Of the control points from the centre, along Z, Y, X; shape (3,).
        terms: u as a polynomial of the distances, (3, 3, 3, 3): semi-axis, then the
            powers 0, 1 and 2 along Z, Y, X.
        slope: Of u without displacement, per distance: (semi-axis, Z Y X). Beyond the
            outer points the displacement stays what it is there, so that nothing
            comes back.
    """

    distance_mm: NDArray[np.float64]
    terms: NDArray[np.float64]
    slope: NDArray[np.float64]

    def pick(self, index: Any) -> 'LesionFrame':
        """One of n, or some of them."""
        return LesionFrame(
            self.distance_mm[index], self.terms[index], self.slope[index]
        )


def build_frames(lesions: Sequence[LesionRecord]) -> LesionFrame:
    """The bent spaces of n records."""
    count = len(lesions)
    radii = np.array([one.radii_mm for one in lesions]).reshape(count, 3, 1)
    rotation = np.array([one.rotation for one in lesions]).reshape(count, 3, 3)
    moved = np.array([one.displacement_mm for one in lesions]).reshape(count, 3, 27)
    distance = REACH * np.sqrt(((rotation * radii) ** 2).sum(axis=1))  # (n, 3)
    points = UNIT_STEPS * distance[:, :, None] + moved
    to_axes = rotation / radii
    # Products of one shape for each lesion, here and below: in a single one the size
    # of the operands might tell how many there are.
    terms = to_axes @ points @ _get_parabolas()
    slope = to_axes * distance[:, None]
    return LesionFrame(distance, terms.reshape(count, 3, 3, 3, 3), slope)


@functools.cache
def _get_parabolas() -> NDArray[np.float64]:
    """From values at -1, 0 and 1 along three axes to terms, (27, 27)."""
    one = np.array([[0, 1, 0], [-0.5, 0, 0.5], [0.5, -1, 0.5]]).T
    return np.kron(np.kron(one, one), one)


def find_lesion_boxes(
    lesions: Sequence[LesionRecord],
    frames: LesionFrame,
    spacing: Sequence[float],
    margins_mm: Sequence[float],
) -> NDArray[np.int64]:
    """Voxels that lesions and a margin around them can reach, in volume indices.

    They are found on a coarse grid, between whose points the surface is interpolated,
    so that the fine evaluation is not done on empty space.

    Returns:
        First index and the one after the last along Z, Y, X: shape (n, 2, 3).
    """
    radii = np.array([one.radii_mm for one in lesions])
    centers = np.array([one.center_mm for one in lesions])
    margins = np.asarray(margins_mm, float)
    is_wide = 1 + margins / radii.min(axis=1) > _NEAR
    boxes = np.empty((len(lesions), 2, 3), np.int64)
    for wide in (False, True):
        some = np.flatnonzero(is_wide == wide)
        if not some.size:
            continue
        few = frames.pick(some)
        low, high = _find_coarse_ends(few, radii[some], margins[some], wide)
        reach = few.distance_mm
        boxes[some, 0] = np.ceil((centers[some] + low * reach) / spacing)
        boxes[some, 1] = np.floor((centers[some] + high * reach) / spacing) + 1
    boxes[:, 1] = np.maximum(boxes[:, 1], boxes[:, 0] + 1)
    return boxes


def _find_coarse_ends(
    frames: LesionFrame, radii: NDArray, margins: NDArray, is_wide: bool
) -> tuple[NDArray, NDArray]:
    """Where n lesions begin and end, in distances of their points; each (n, 3)."""
    coarse, powers, beyond = _tabulate_coarse_grid(is_wide)
    # A product for each lesion, of the same shape whatever their number.
    u = frames.terms.reshape(-1, 3, 27).astype(np.float32) @ powers  # (n, 3, k^3)
    if beyond is not None:
        u += frames.slope.astype(np.float32) @ beyond
    u *= u
    square = u.sum(axis=1)
    u *= (radii**-2).astype(np.float32)[:, :, None]
    # Distance from where the depth is -margin, as evaluate_shapes has it.
    steep = np.sqrt(u.sum(axis=1))
    rho = np.sqrt(square)
    beside = (square - rho) / (steep + 1e-6) - margins.astype(np.float32)[:, None]
    beside = beside.reshape(-1, _COARSE, _COARSE, _COARSE)
    plane = beside.min(axis=3)
    nearest = np.stack(
        [plane.min(axis=2), plane.min(axis=1), beside.min(axis=1).min(axis=1)], axis=1
    )  # (n, 3, k)
    low = _find_crossing(nearest[:, :, ::-1], -coarse[::-1])
    return -low, _find_crossing(nearest, coarse)


def _find_crossing(beside: NDArray, coarse: NDArray) -> NDArray:
    """Where values (n, 3, k) become positive for the last time, and a bit further."""
    cell = coarse[1] - coarse[0]
    inside = beside <= 0
    last = _COARSE - 1 - inside[:, :, ::-1].argmax(axis=2)
    after = np.minimum(last + 1, _COARSE - 1)
    here = np.take_along_axis(beside, last[:, :, None], 2)[:, :, 0]
    there = np.take_along_axis(beside, after[:, :, None], 2)[:, :, 0]
    share = np.where(there > here, -here / np.maximum(there - here, 1e-6), 1.0)
    found = coarse[last] + (share + _SLACK) * cell
    return np.where(inside.any(axis=2), found, cell)


@functools.cache
def _tabulate_coarse_grid(is_wide: bool) -> tuple[NDArray, NDArray, NDArray | None]:
    """Coordinates, powers (27, k^3), and what lies beyond the points (3, k^3)."""
    coarse = np.linspace(-1, 1, _COARSE) * (_FAR if is_wide else 1)
    held = np.clip(coarse, -1, 1)
    along = np.stack([held**0, held, held**2]).astype(np.float32)
    powers = np.kron(np.kron(along, along), along)
    if not is_wide:
        return coarse, powers, None
    beyond = np.meshgrid(*[(coarse - held).astype(np.float32)] * 3, indexing='ij')
    return coarse, powers, np.stack(beyond).reshape(3, -1)


def evaluate_shapes(
    lesions: Sequence[LesionRecord],
    frames: LesionFrame,
    spacing: Sequence[float],
    starts: NDArray[np.int64],
    size: Sequence[int],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Depth below the surface, and relative radius, in n boxes of the same size.

    Every voxel is reckoned on its own by single operations, so that its bits depend
    on its lesion only: not on the box, the other lesions or the number of threads.

    Args:
        lesions: Records.
        frames: Of these.
        spacing: (Z, Y, X) in mm.
        starts: First index of each box in the volume, (n, 3).
        size: Of the boxes, (Z, Y, X).
        device: Of the results.

    Returns:
        ``depth_mm``: signed distance to the surface to first order, positive inside;
        ``rho``: |u|, 0 in the centre and 1 on the surface. Both float32 (n, Z, Y, X).
    """
    inner, outer = [], []
    for axis, length in enumerate(spacing):
        center = np.array([[one.center_mm[axis]] for one in lesions])
        index = starts[:, axis, None] + np.arange(size[axis])
        t = (index * length - center) / frames.distance_mm[:, axis, None]
        inner.append(np.minimum(np.maximum(t, -1), 1))
        # The displacement ends there, the slope goes on: (n, j, size).
        outer.append((t - inner[-1])[:, None] * frames.slope[:, :, axis, None])
    # The powers along Z stay apart until the last, where a step is a plane: u is (n,
    # j, powers of Z and Y, X), then (n, j, powers of Z, Y, X).
    terms = frames.terms[..., None]
    t = inner[2][:, None, None, None]
    u = (terms[..., 2, :] * t + terms[..., 1, :]) * t + terms[..., 0, :]
    u[:, :, 0, 0] += outer[2]
    t = inner[1][:, None, None, :, None]
    u = u[:, :, :, :, None]
    u = (u[:, :, :, 2] * t + u[:, :, :, 1]) * t + u[:, :, :, 0]
    u[:, :, 0] += outer[1][..., None]
    constant, linear, square = _to_device(u, device)[:, :, :, None].unbind(2)
    t = _to_device(inner[0][:, None, :, None, None], device)
    u2 = (square * t).add_(linear).mul_(t).add_(constant)  # (n, j, Z, Y, X)
    if outer[0].any():
        u2.add_(_to_device(outer[0][..., None, None], device))
    u2.square_()
    rho = (u2[:, 0] + u2[:, 1]).add_(u2[:, 2]).sqrt_()
    radii = np.array([one.radii_mm for one in lesions])
    u2.mul_(_to_device(radii[:, :, None, None, None] ** -2, device))
    slope = u2[:, 0].add_(u2[:, 1]).add_(u2[:, 2]).sqrt_()
    # Distance is (1 - rho) over the gradient of rho, which is slope / rho; the small
    # numbers make it the mean radius in the very centre, where both vanish.
    tiny = 1e-3
    mean = np.array([one.radius_mm for one in lesions])
    slope.add_(_to_device(tiny / mean[:, None, None, None], device))
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


def soften(depth_mm: Tensor, edge_mm: float | Tensor) -> Tensor:
    """Weight in [0, 1] of an edge blurred by a standard deviation; 0.5 at depth 0.

    A straight edge blurred with a parabolic kernel, which differs from a Gaussian one
    by at most 0.032 and ends after 2.24 deviations. A tensor of deviations goes with
    the shape of the depths.
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
