"""Artefacts of MR scanners: uneven coils, ghosts and patients that move.

Ghosts and shifts between the lines of k-space act along one axis of the image only, so
each is a small matrix for that axis, and two of them one product. Not here: noise and
blur (``volume_intensity``), drawing the numbers (the transforms).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Lines of k-space about its middle that hold contrast; ghosts spare them.
_CENTER_SHARE = 0.04


@dataclass(frozen=True)
class MRArtifacts:
    """What happens to one image, in this order.

    Args:
        bias: Logarithm of the coil's sensitivity at 3 x 3 x 3 points (Z, Y, X) from
            one corner to the other; between them it is quadratic. Empty for none.
        ghosts: Copies of the object along the axis; 0 for none.
        ghost_strength: Share of the lines' signal that makes them, 0 to 1.
        shift: By how many voxels the object moved along the axis while the outer
            lines were taken.
        moved_share: Share of the lines, the outermost, that saw it moved, 0 to 1.
        axis: Of phase encoding: 1 (Y) or 2 (X).
    """

    bias: tuple[float, ...] = ()
    ghosts: int = 0
    ghost_strength: float = 0.0
    shift: float = 0.0
    moved_share: float = 0.0
    axis: int = 1


def apply_artifacts(img: Tensor, artifacts: MRArtifacts) -> Tensor:
    """Image of a scanner with these artefacts.

    Args:
        img: Shape (C, Z, Y, X), float32; not changed. The coil acts on the distance
            from the least value, so that normalized images may be negative.
        artifacts: What happens.

    Returns:
        Same shape, another tensor.

    Raises:
        ValueError: Not four axes, or a number is out of range.
    """
    if img.ndim != 4:
        raise ValueError(f'img has shape {tuple(img.shape)}, expected (C, Z, Y, X)')
    result = img.clone()
    if artifacts.bias:
        field = build_bias(artifacts.bias, img.shape[1:]).to(img)
        low = img.amin(dim=(1, 2, 3), keepdim=True)
        result = (result - low) * field + low
    lines = build_line_matrix(img.shape[artifacts.axis + 1], artifacts)
    if lines is None:
        return result
    matrix = torch.as_tensor(lines, dtype=img.dtype, device=img.device)
    if artifacts.axis == 2:
        return result @ matrix.T
    return matrix @ result


def build_bias(values: Sequence[float], shape: Sequence[int]) -> Tensor:
    """Sensitivity of a coil, mean of its logarithm 0.

    Args:
        values: 27 logarithms, see :class:`MRArtifacts`.
        shape: (Z, Y, X).

    Returns:
        Shape ``shape``, > 0.

    Raises:
        ValueError: Another number of values.
    """
    if len(values) != 27:
        raise ValueError(f'{len(values)} values of a bias field, expected 27')
    knots = torch.tensor(values, dtype=torch.float32).view(3, 3, 3)
    z, y, x = (_build_quadratic(int(n)) for n in shape)
    field = torch.einsum('abc,za,yb,xc->zyx', knots, z, y, x)
    return (field - field.mean()).exp_()


def build_line_matrix(
    length: int, artifacts: MRArtifacts
) -> NDArray[np.float64] | None:
    """What ghosts and motion do along the axis of phase encoding.

    Args:
        length: Voxels along it.
        artifacts: See :class:`MRArtifacts`.

    Returns:
        Shape (length, length); rows add up to 1, so that a plain image stays. None
        where nothing happens.

    Raises:
        ValueError: A number is out of range, or the axis is Z.
    """
    a = artifacts
    if a.axis not in (1, 2) or a.ghosts < 0:
        raise ValueError(f'axis {a.axis} and {a.ghosts} ghosts, expected 1 or 2, >= 0')
    if not (0 <= a.ghost_strength <= 1 and 0 <= a.moved_share <= 1):
        raise ValueError(
            f'ghost_strength {a.ghost_strength} and moved_share {a.moved_share}, '
            'expected 0 to 1'
        )
    has_ghosts = a.ghosts > 0 and a.ghost_strength > 0
    has_motion = a.shift != 0 and a.moved_share > 0
    if not has_ghosts and not has_motion:
        return None
    line = np.fft.fftfreq(length, 1 / length)
    response = np.ones(length, np.complex128)
    if has_motion:
        moved = np.abs(line) > (1 - a.moved_share) * length / 2
        response[moved] *= np.exp(-2j * np.pi * line[moved] * a.shift / length)
    if has_ghosts:
        spared = np.abs(line) <= max(_CENTER_SHARE * length / 2, 0.5)
        weak = (np.rint(line).astype(int) % a.ghosts == 0) & ~spared
        response[weak] *= 1 - a.ghost_strength
    kernel = np.fft.ifft(response).real
    index = (np.arange(length)[:, None] - np.arange(length)) % length
    return kernel[index]


def _build_quadratic(length: int) -> Tensor:
    """Weights (length, 3) of the parabola through three points of an axis."""
    t = torch.linspace(0, 1, length) if length > 1 else torch.full((1,), 0.5)
    return torch.stack(
        [2 * (t - 0.5) * (t - 1), -4 * t * (t - 1), 2 * t * (t - 0.5)], dim=1
    )
