"""Rotation, scaling, elastic deformation and cut of volumes in one resampling.

A warp says where in a source array the voxels of a patch come from. It is built from
numbers drawn on the CPU and applied to a batch of torch tensors on any device. Not
here: drawing the numbers, changes of intensity (``volume_intensity``), volumes that
are only brought to another spacing (``resampling``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# What a label map holds where there is no image.
IGNORE_LABEL = 255
# A random field of independent control points of a cubic B-spline has, on average over
# its cell, 151/315 of their variance along each axis (the 7th-degree spline at 0).
_FIELD_STD = (151 / 315) ** 1.5
_LATTICE_STEP = 4


@dataclass(frozen=True)
class VolumeWarp:
    """Where the voxels of a patch lie in a source array.

    The voxel with offset ``d`` from the middle of the patch (in voxels, Z, Y, X) lies
    at ``center + matrix @ d + elastic(d)``.

    Args:
        matrix: Shape (3, 3), voxels of the patch to voxels of the source.
        center: Place (Z, Y, X) of the patch's middle, in indices of the source.
        control: Shape (3, a, b, c), displacements in source voxels at the control
            points of a uniform cubic B-spline over the patch; None for none.
        cell: Distance (Z, Y, X) of control points in voxels of the patch.
        mirrored: Along which axes the control points count from the patch's end.
    """

    matrix: NDArray[np.float64]
    center: tuple[float, float, float]
    control: NDArray[np.float64] | None = None
    cell: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mirrored: tuple[bool, bool, bool] = (False, False, False)

    @property
    def is_cut(self) -> bool:
        """Whether no value is interpolated, but for the place of the center."""
        return self.control is None and bool((self.matrix == np.eye(3)).all())

    def shift(self, offset: Sequence[float]) -> 'VolumeWarp':
        """The same patch where the source's first voxel has index ``offset``."""
        z, y, x = (c - o for c, o in zip(self.center, offset, strict=True))
        return replace(self, center=(z, y, x))

    def mirror(self, axes: Sequence[int], shape: Sequence[int]) -> 'VolumeWarp':
        """The warp that gives the mirrored patch of the mirrored source.

        Args:
            axes: From 0 (Z) to 2 (X).
            shape: (Z, Y, X) of the source.
        """
        sign = np.array([-1.0 if axis in axes else 1.0 for axis in range(3)])
        z, y, x = (
            n - 1 - c if s < 0 else c
            for s, n, c in zip(sign, shape, self.center, strict=True)
        )
        control = self.control
        if control is not None:
            control = sign[:, None, None, None] * control
        a, b, c = (old != (s < 0) for old, s in zip(self.mirrored, sign, strict=True))
        matrix = sign[:, None] * self.matrix * sign
        return replace(
            self, matrix=matrix, center=(z, y, x), control=control, mirrored=(a, b, c)
        )


def build_matrix(
    angles_deg: Sequence[float],
    scale: Sequence[float],
    spacing: Sequence[float],
    patch_spacing: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Matrix of a rotation and magnification in millimetres, for voxels.

    Args:
        angles_deg: Rotation about Z, Y and X, applied in this order to the patch.
        scale: Magnification along Z, Y and X of the patch, > 0: 2 shows things twice
            as large.
        spacing: Of the source (Z, Y, X) in mm.
        patch_spacing: Of the patch; None for that of the source.

    Returns:
        Shape (3, 3): offsets in voxels of the patch to offsets in voxels of the
        source. Anisotropic voxels stay rigid under rotation.

    Raises:
        ValueError: A scale or spacing is not positive.
    """
    if min(*scale, *spacing) <= 0:
        raise ValueError(f'scale {scale} and spacing {spacing} must be > 0')
    rotation = np.eye(3)
    for axis, angle in enumerate(angles_deg):
        first, second = (other for other in range(3) if other != axis)
        turn = np.eye(3)
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn[first, first] = turn[second, second] = cos
        turn[first, second], turn[second, first] = -sin, sin
        rotation = turn @ rotation
    mm = np.asarray(spacing if patch_spacing is None else patch_spacing, np.float64)
    matrix = rotation * (mm / np.asarray(scale, np.float64))
    if not np.any(angles_deg):
        matrix = np.diag(np.diag(matrix))
    return matrix / np.asarray(spacing, np.float64)[:, None]


def draw_control(
    seed: int,
    size: Sequence[int],
    spacing: Sequence[float],
    *,
    std_mm: float,
    cell_mm: float,
) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Control points of a smooth random deformation of a patch.

    Args:
        seed: Of the numbers, >= 0.
        size: (Z, Y, X) of the patch.
        spacing: Of the source in mm, which the displacements are counted in; the
            patch's own is taken to be the same.
        std_mm: Standard deviation of the displacement along each axis, on average
            over the patch.
        cell_mm: Distance of control points, > 0; the field is smooth below it. A
            deformation cannot fold while ``std_mm`` is well below a fourth of it.

    Returns:
        ``control`` and ``cell`` of :class:`VolumeWarp`.
    """
    cell = [cell_mm / mm for mm in spacing]
    counts = [
        math.ceil((n - 1) / c - 1e-9) + 3 for n, c in zip(size, cell, strict=True)
    ]
    normal = np.random.default_rng(seed).standard_normal((3, *counts))
    mm = np.asarray(spacing, np.float64)[:, None, None, None]
    z, y, x = cell
    return normal * (std_mm / _FIELD_STD) / mm, (z, y, x)


def find_source_box(
    warp: VolumeWarp, size: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Smallest box of the source, beyond its borders too, that a patch needs.

    Args:
        warp: What will be applied.
        size: (Z, Y, X) of the patch.

    Returns:
        (first, end) per axis; first may be negative.
    """
    if warp.is_cut and all(_is_whole(warp.center, size)):
        starts = [
            round(c - (n - 1) / 2) for c, n in zip(warp.center, size, strict=True)
        ]
        return tuple((s, s + n) for s, n in zip(starts, size, strict=True))
    # The field is smooth, so a lattice finds its extremes but for its curvature.
    offsets = [np.unique([*np.arange(0, n, _LATTICE_STEP), n - 1]) for n in size]
    axes = [o - (n - 1) / 2 for o, n in zip(offsets, size, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing='ij'))
    place = np.einsum('ij,jzyx->izyx', warp.matrix, lattice)
    place += np.asarray(warp.center)[:, None, None, None]
    slack = np.zeros(3)
    if warp.control is not None:
        basis = _build_bases(warp, offsets, size)
        place += np.einsum('iabc,za,yb,xc->izyx', warp.control, *basis, optimize=True)
        curve = sum((_LATTICE_STEP / cell) ** 2 for cell in warp.cell)
        slack = 0.5 * curve * np.abs(warp.control).max(axis=(1, 2, 3))
    low = np.floor(place.min(axis=(1, 2, 3)) - slack)
    high = np.ceil(place.max(axis=(1, 2, 3)) + slack)
    return tuple((int(a), int(b) + 1) for a, b in zip(low, high, strict=True))


def warp_volumes(
    img: Tensor,
    seg: Tensor | None,
    warps: Sequence[VolumeWarp],
    size: Sequence[int],
) -> tuple[Tensor, Tensor | None]:
    """Patches of a batch: images linearly, label maps by the nearest voxel.

    Beyond its array an image is 0 and a label map ``IGNORE_LABEL``; so are patches.

    Args:
        img: Shape (N, C, Z, Y, X), floating.
        seg: Shape (N, Z, Y, X), uint8; None without labels.
        warps: One a volume.
        size: (Z, Y, X) of the patches.

    Returns:
        Patches (N, C, *size) and, uint8, (N, *size), on the device of ``img``. Where
        no warp interpolates these are the values themselves.

    Raises:
        ValueError: Another number of warps, or shapes do not fit.
    """
    if len(warps) != len(img) or img.ndim != 5:
        raise ValueError(
            f'{len(warps)} warps for images {tuple(img.shape)}, expected one for each '
            'of (N, C, Z, Y, X)'
        )
    if seg is not None and tuple(seg.shape) != (len(img), *img.shape[2:]):
        raise ValueError(
            f'labels {tuple(seg.shape)} do not fit images {tuple(img.shape)}'
        )
    if all(warp.is_cut and all(_is_whole(warp.center, size)) for warp in warps):
        return _cut(img, seg, warps, size)
    grid = _build_grid(warps, img.shape[2:], size, img.device)
    patches = nn.functional.grid_sample(img, grid.to(img.dtype), align_corners=False)
    if seg is None:
        return patches, None
    return patches, _sample_labels(seg, grid)


def _is_whole(center: Sequence[float], size: Sequence[int]) -> list[bool]:
    corners = (c - (n - 1) / 2 for c, n in zip(center, size, strict=True))
    return [abs(corner - round(corner)) < 1e-6 for corner in corners]


def _cut(
    img: Tensor, seg: Tensor | None, warps: Sequence[VolumeWarp], size: Sequence[int]
) -> tuple[Tensor, Tensor | None]:
    patches = img.new_zeros((len(img), img.shape[1], *size))
    labels = None
    if seg is not None:
        labels = seg.new_full((len(img), *size), IGNORE_LABEL)
    for index, warp in enumerate(warps):
        source: list[slice] = []
        target: list[slice] = []
        for c, n, limit in zip(warp.center, size, img.shape[2:], strict=True):
            start = round(c - (n - 1) / 2)
            first, last = max(start, 0), max(min(start + n, limit), 0)
            source.append(slice(first, last))
            target.append(slice(first - start, max(last, first) - start))
        z, y, x = source
        patch = patches[index]
        patch[(slice(None), *target)] = img[index, :, z, y, x]
        if seg is not None and labels is not None:
            labels[index][tuple(target)] = seg[index][tuple(source)]
    return patches, labels


def _build_grid(
    warps: Sequence[VolumeWarp],
    shape: Sequence[int],
    size: Sequence[int],
    device: torch.device,
) -> Tensor:
    """Sampling grid (N, *size, 3) for ``grid_sample``: x, y, z from -1 to 1."""
    grid = torch.empty((len(warps), *size, 3), device=device)
    for index, warp in enumerate(warps):
        field = _build_field(warp, size, device)
        for axis, n in enumerate(shape):
            # Index i of n voxels is at (2 i + 1) / n - 1.
            steps = [
                torch.as_tensor(
                    warp.matrix[axis, k] * (np.arange(m) - (m - 1) / 2) * 2 / n,
                    dtype=torch.float32,
                    device=device,
                )
                for k, m in enumerate(size)
            ]
            origin = (2 * warp.center[axis] + 1) / n - 1
            plane = (steps[0] + origin)[:, None] + steps[1]  # (Z, Y)
            part = grid[index, ..., 2 - axis]
            torch.add(plane[:, :, None], steps[2], out=part)
            if field is not None:
                part.add_(field[axis], alpha=2 / n)
    return grid


def _build_field(
    warp: VolumeWarp, size: Sequence[int], device: torch.device
) -> Tensor | None:
    """Displacements (3, *size) in source voxels."""
    if warp.control is None:
        return None
    field = torch.as_tensor(warp.control, dtype=torch.float32, device=device)
    bases = [
        torch.as_tensor(basis, dtype=torch.float32, device=device)
        for basis in _build_bases(warp, [np.arange(n) for n in size], size)
    ]
    field = field @ bases[2].T  # (3, a, b, X)
    field = bases[1] @ field  # (3, a, Y, X)
    count = warp.control.shape[1]
    return (bases[0] @ field.reshape(3, count, -1)).view(3, *size)


def _build_bases(
    warp: VolumeWarp, index: Sequence[NDArray], size: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Weights of control points for voxels of a patch, per axis."""
    assert warp.control is not None
    return [
        _build_basis(n - 1 - i if is_mirrored else i, cell, count)
        for i, n, cell, count, is_mirrored in zip(
            index,
            size,
            warp.cell,
            warp.control.shape[1:],
            warp.mirrored,
            strict=True,
        )
    ]


def _build_basis(index: NDArray, cell: float, count: int) -> NDArray[np.float64]:
    """Weights (len(index), count) of control points for voxels of a patch."""
    place = np.asarray(index, np.float64) / cell
    first = np.minimum(np.floor(place), count - 4).astype(np.intp)
    t = place - first
    weights = np.stack(
        [
            (1 - t) ** 3,
            3 * t**3 - 6 * t**2 + 4,
            -3 * t**3 + 3 * t**2 + 3 * t + 1,
            t**3,
        ],
        axis=1,
    )
    basis = np.zeros((len(place), count))
    np.put_along_axis(basis, first[:, None] + np.arange(4), weights / 6, axis=1)
    return basis


def _sample_labels(seg: Tensor, grid: Tensor) -> Tensor:
    # One more than the label, so that the zeros from beyond the array differ.
    shifted = (seg.float() + 1)[:, None]
    picked = nn.functional.grid_sample(
        shifted, grid, mode='nearest', align_corners=False
    )[:, 0]
    return (picked - 1).masked_fill_(picked == 0, IGNORE_LABEL).to(torch.uint8)
