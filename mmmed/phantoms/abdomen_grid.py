"""Coordinates of a generated abdomen, and soft shapes drawn in them.

Millimetres throughout, in array order: ``s`` to superior from the lowest slice, ``a``
to anterior and ``r`` to the patient's right from the middle of the body. Arrays are
(Z, Y, X) = (S, A, R).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.phantoms.smooth_fields import draw_smooth_field

Array = NDArray[np.floating[Any]]
Box = tuple[slice, slice, slice]
FIELD_MM = (230.0, 270.0, 390.0)


@dataclass(frozen=True)
class BodyGrid:
    """Voxel centres of one scan.

    Args:
        s: Shape (Z, 1, 1), mm.
        a: Shape (1, Y, 1), mm.
        r: Shape (1, 1, X), mm.
        spacing: (Z, Y, X) in mm.
    """

    s: Array
    a: Array
    r: Array
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X) in voxels."""
        return self.s.size, self.a.size, self.r.size

    def soften(self, inside_mm: Array) -> Array:
        """Share of each voxel that is inside, from the distance inside a border."""
        width = float(np.cbrt(np.prod(self.spacing)))
        return np.clip(inside_mm / width + 0.5, 0, 1).astype(np.float32)

    def find_box(self, low: ArrayLike, high: ArrayLike) -> Box:
        """Voxels between two corners (s, a, r); may be empty."""
        axes = (self.s, self.a, self.r)
        z, y, x = (
            slice(*(int(n) for n in np.searchsorted(axis.ravel(), (lo, hi))))
            for axis, lo, hi in zip(axes, np.ravel(low), np.ravel(high), strict=True)
        )
        return z, y, x

    def crop(self, box: Box) -> 'BodyGrid':
        """The grid of a box."""
        z, y, x = box
        return BodyGrid(self.s[z], self.a[:, y], self.r[:, :, x], self.spacing)

    def measure_ellipsoid(
        self, center: ArrayLike, radii: ArrayLike, tilt_deg: float = 0
    ) -> Array:
        """About how far inside an ellipsoid each voxel is, in mm.

        Args:
            center: (s, a, r) in mm.
            radii: Likewise, before the tilt.
            tilt_deg: Rotation in the axial plane, from right towards anterior.
        """
        middle, half = np.ravel(center), np.ravel(radii)
        cos, sin = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
        ds, da, dr = self.s - middle[0], self.a - middle[1], self.r - middle[2]
        along, across = cos * dr + sin * da, cos * da - sin * dr
        q = (ds / half[0]) ** 2 + (across / half[1]) ** 2 + (along / half[2]) ** 2
        return ((1 - np.sqrt(q)) * half.min()).astype(np.float32)

    def draw_bumps(self, rng: np.random.Generator, size_mm: float) -> Array:
        """Smooth noise of deviation 1 with bumps of a size."""
        # Knots every half bump; along each axis by its own spacing.
        coarse = [max(2, round(n * mm / size_mm * 2)) for n, mm in
                  zip(self.shape, self.spacing, strict=True)]  # fmt: skip
        field = draw_smooth_field(rng, coarse, 2.0)
        for axis, size in enumerate(self.shape):
            field = _stretch(field, axis, size)
        return field / max(float(field.std()), 1e-6)


def make_body_grid(
    spacing: Sequence[float], field_mm: Sequence[float] = FIELD_MM
) -> BodyGrid:
    """Grid of a field of view; bottom at s = 0, middle of the body at a = r = 0."""
    z, y, x = (float(mm) for mm in spacing)
    depth, height, width = (
        max(4, round(size / mm)) for size, mm in zip(field_mm, (z, y, x), strict=True)
    )
    s = np.arange(depth, dtype=np.float32) * z
    a = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * y
    r = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * x
    return BodyGrid(s[:, None, None], a[None, :, None], r[None, None, :], (z, y, x))


def _stretch(field: Array, axis: int, size: int) -> Array:
    """Linear interpolation to another size along one axis."""
    last = field.shape[axis] - 1
    at = np.linspace(0, last, size)
    first = np.minimum(at.astype(np.intp), max(last - 1, 0))
    rest = (at - first).astype(np.float32)
    rest = rest.reshape([-1 if k == axis else 1 for k in range(3)])
    left = field.take(first, axis)
    return left + rest * (field.take(np.minimum(first + 1, last), axis) - left)
