"""Coordinates of a generated head, and soft shapes drawn in them.

Millimetres throughout: x to the patient's left, y to posterior, z to superior, from
the middle of the head. Arrays are (Z, Y, X).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

FIELD_OF_VIEW_MM = 240.0
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HeadGrid:
    """Voxel centres of one scan, seen from its skull.

    Args:
        x: Shape (Z, Y, X), mm.
        y: Likewise.
        z: Shape (Z, 1, 1), mm above the skull base.
        depth: Distance inside the inner table of the skull, mm, < 0 outside. Radial,
            which is the true distance where the skull is round.
        angle: Direction from the middle, rad: 0 left, pi/2 posterior.
        pixel_mm: Pixel size.
    """

    x: Array
    y: Array
    z: Array
    depth: Array
    angle: Array
    pixel_mm: float

    def soften(self, inside_mm: Array) -> Array:
        """Share of each pixel that is inside, from the distance inside a border."""
        return np.clip(inside_mm / self.pixel_mm + 0.5, 0, 1)

    def draw_ellipsoid(
        self,
        center: Sequence[float],
        radii: Sequence[float],
        *,
        tilt_deg: float = 0,
        bumps_mm: Array | None = None,
    ) -> Array:
        """Soft ellipsoid.

        Args:
            center: (x, y, z) in mm.
            radii: Likewise.
            tilt_deg: Rotation in the slice, from x towards y.
            bumps_mm: Added to the distance inside, for an irregular surface.

        Returns:
            Share of each pixel inside, [0, 1].
        """
        share = np.zeros_like(self.x)
        # Far slices cannot be met: bumps reach less than the smallest radius.
        near = np.abs(self.z.ravel() - center[2]) < 1.5 * radii[2]
        if not near.any():
            return share
        cos, sin = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
        dx = self.x[near] - np.float32(center[0])
        dy = self.y[near] - np.float32(center[1])
        u, v = (cos * dx + sin * dy) / radii[0], (cos * dy - sin * dx) / radii[1]
        q = u * u + v * v + ((self.z[near] - center[2]) / radii[2]) ** 2
        inside = (1 - np.sqrt(q)) * min(radii[:2])
        if bumps_mm is not None:
            inside += bumps_mm[near]
        share[near] = self.soften(inside)
        return share

    def measure_turn(self, angle: float) -> Array:
        """Angle between each pixel's direction and another, in [0, pi]."""
        return np.abs((self.angle - angle + np.pi) % (2 * np.pi) - np.pi)

    def warp(self, shift_mm: float) -> 'HeadGrid':
        """The grid as the brain fills it when its midline is pushed aside."""
        if not shift_mm:
            return self
        pull = np.exp(-(self.x**2 + self.y**2) / 50**2)
        x = (self.x - shift_mm * pull).astype(np.float32)
        return HeadGrid(x, self.y, self.z, self.depth, self.angle, self.pixel_mm)


def make_grid(
    rng: np.random.Generator, slices: int, size: int, spacing_mm: float
) -> HeadGrid:
    """Grid of a head of random size, shape, position and tilt."""
    pixel_mm = FIELD_OF_VIEW_MM / size
    axis = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * pixel_mm
    z = 16 + spacing_mm * np.arange(slices, dtype=np.float32)[:, None, None]
    tilt = np.deg2rad(rng.uniform(-8, 8))
    offset_x, offset_y = rng.uniform(-8, 8, 2)
    column, row = axis[None, None, :] - offset_x, axis[None, :, None] - offset_y
    x = np.cos(tilt) * column + np.sin(tilt) * row + 0 * z
    y = np.cos(tilt) * row - np.sin(tilt) * column + 0 * z
    angle = np.arctan2(y, x)
    half_width, half_length = rng.uniform(60, 69), rng.uniform(76, 87)
    # The cavity closes towards the vertex and narrows to the forehead.
    level = np.sqrt(np.maximum(1 - ((z - 42) / 66) ** 2, 0.05))
    width = half_width * (1 + rng.uniform(0.04, 0.09) * np.sin(angle))
    # A little squarer than an ellipse, as skulls are.
    power = 2.25
    across, along = np.abs(np.cos(angle) / width), np.abs(np.sin(angle) / half_length)
    inner = (across**power + along**power) ** (-1 / power)
    for order in (2, 3, 4):
        wave = np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        inner = inner * (1 + rng.normal(0, 0.006) * wave)
    depth = level * inner - np.hypot(x, y)
    f32 = np.float32
    return HeadGrid(
        x.astype(f32), y.astype(f32), z, depth.astype(f32), angle.astype(f32), pixel_mm
    )


def make_noise(
    rng: np.random.Generator, grid: HeadGrid, scale_mm: float, *, scale_z: float = 1.5
) -> Array:
    """Smooth noise, mean 0 and deviation 1.

    Args:
        rng: Source of randomness.
        grid: Gives the shape.
        scale_mm: Typical size of a bump in the slice.
        scale_z: Typical size along z, in slices.
    """
    depth, height, width = grid.x.shape
    sigma = scale_mm / 2 / grid.pixel_mm
    rows, columns = _make_weights(height, sigma), _make_weights(width, sigma)
    white = rng.standard_normal(
        (depth, rows.shape[1], columns.shape[1]), dtype=np.float32
    )
    white = gaussian_filter1d(white, scale_z / 2, axis=0, mode='reflect')
    field = rows @ white @ columns.T
    return (field - field.mean()) / field.std()


def _make_weights(length: int, sigma: float) -> Array:
    """Gaussian bumps on a coarse axis, summed on the fine one: (fine, coarse).

    Smooths and interpolates in one product, about 20 times faster than filtering and
    zooming the field.
    """
    step = max(sigma, 1)  # bumps one deviation apart leave no ripple above 1e-4
    centers = np.arange(-3 * sigma, length + 3 * sigma, step)
    distance = (np.arange(length)[:, None] - centers) / sigma
    return np.exp(-0.5 * distance**2).astype(np.float32)
