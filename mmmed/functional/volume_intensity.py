"""Changes of intensity of a batch of volumes, as scanners differ from each other.

All linear losses of sharpness (blur, coarse resolution) of one volume are one small
matrix per axis, so that they cost one pass however many there are. Not here: drawing
the numbers, geometry (``volume_warp``), windows of CT (``intensity``).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Normal numbers that are made once; longer volumes repeat them.
NOISE_BANK_SIZE = 1 << 22
_TINY = 1e-6


@dataclass(frozen=True)
class IntensityChange:
    """What happens to one volume, in this order.

    Args:
        zoom: Factor (Z, Y, X) in (0, 1] to which resolution is reduced and enlarged
            again.
        blur: Standard deviation (Z, Y, X) of a Gaussian, in voxels.
        gain: Factor on the distance from the channel's mean.
        offset: Shift in standard deviations of the channel.
        gamma: Exponent on the channel's range from least to largest, scaled to 0..1.
        invert: Whether gamma works on the inverted range.
        noise_std: Of white noise, in the units of the image.
        noise_at: Which part of the bank of noise, 0 .. ``NOISE_BANK_SIZE`` - 1.
    """

    zoom: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gain: float = 1.0
    offset: float = 0.0
    gamma: float = 1.0
    invert: bool = False
    noise_std: float = 0.0
    noise_at: int = 0

    @property
    def is_sharp(self) -> bool:
        """Whether no detail is lost."""
        return min(self.zoom) == 1 and max(self.blur) == 0

    @property
    def is_identity(self) -> bool:
        """Whether nothing happens."""
        linear = self.gain == 1 and self.offset == 0 and self.gamma == 1
        return linear and self.noise_std == 0 and self.is_sharp


def change_intensity(img: Tensor, changes: Sequence[IntensityChange]) -> Tensor:
    """Apply one change to each volume of a batch.

    Args:
        img: Shape (N, C, Z, Y, X), float32; not changed.
        changes: One a volume.

    Returns:
        Same shape. The numbers are the same on every device but for rounding.

    Raises:
        ValueError: Another number of changes, or not a batch of volumes.
    """
    if len(changes) != len(img) or img.ndim != 5:
        raise ValueError(
            f'{len(changes)} changes for images {tuple(img.shape)}, expected one for '
            'each of (N, C, Z, Y, X)'
        )
    parts = [_change_one(one, change) for one, change in zip(img, changes, strict=True)]
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)


def _change_one(img: Tensor, change: IntensityChange) -> Tensor:
    result = _lose_detail(img, change).contiguous()
    if result.data_ptr() == img.data_ptr():
        result = img.clone()
    flat = result.view(len(img), -1)  # (C, Z Y X), changed in place from here
    if change.gain != 1 or change.offset != 0:
        std, mean = _measure_spread(flat)
        shift = mean * (1 - change.gain) + change.offset * std
        flat.mul_(change.gain).add_(shift)
    if change.gamma != 1:
        _apply_gamma(flat, change.gamma, invert=change.invert)
    if change.noise_std > 0:
        noise = _take_noise(flat.numel(), change.noise_at, flat.device)
        flat.add_(noise.view_as(flat), alpha=change.noise_std)
    return result


def _measure_spread(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean of each channel, (C, 1)."""
    if len(flat) == 1:
        # Along an axis, and as std_mean, the same takes five times as long.
        return flat.std(correction=0).view(1, 1), flat.mean().view(1, 1)
    return torch.std_mean(flat, dim=1, correction=0, keepdim=True)


def _apply_gamma(flat: Tensor, gamma: float, *, invert: bool) -> None:
    if len(flat) == 1:  # ten times as fast as along an axis
        low, high = (end.view(1, 1) for end in torch.aminmax(flat))
    else:
        low, high = torch.aminmax(flat, dim=1, keepdim=True)
    extent = (high - low).clamp_min(_TINY)
    if invert:
        # 1 - (1 - u) ** gamma, with u the share of the range.
        flat.neg_().add_(high).div_(extent).pow_(gamma).mul_(-extent).add_(high)
    else:
        flat.sub_(low).div_(extent).pow_(gamma).mul_(extent).add_(low)


def _lose_detail(img: Tensor, change: IntensityChange) -> Tensor:
    if change.is_sharp:
        return img
    _, depth, height, width = img.shape
    along = [
        torch.as_tensor(matrix, dtype=img.dtype, device=img.device)
        for matrix in (
            _build_loss(n, zoom, blur)
            for n, zoom, blur in zip(
                (depth, height, width), change.zoom, change.blur, strict=True
            )
        )
    ]
    result = img @ along[2].T
    result = along[1] @ result
    return (along[0] @ result.reshape(len(img), depth, -1)).view(img.shape)


def _build_loss(length: int, zoom: float, blur: float) -> NDArray[np.float64]:
    """Matrix (length, length) that blurs along one axis; its rows add up to 1."""
    matrix = np.eye(length)
    if zoom < 1:
        count = max(1, round(length * zoom))
        coarse = (np.arange(count) + 0.5) * length / count - 0.5
        down = np.zeros((count, length))
        down[
            np.arange(count),
            np.clip(np.floor(coarse + 0.5), 0, length - 1).astype(np.intp),
        ] = 1
        place = np.clip((np.arange(length) + 0.5) * count / length - 0.5, 0, count - 1)
        low = np.minimum(np.floor(place).astype(np.intp), max(count - 2, 0))
        high = np.minimum(low + 1, count - 1)
        up = np.zeros((length, count))
        np.add.at(up, (np.arange(length), low), 1 - (place - low))
        np.add.at(up, (np.arange(length), high), place - low)
        matrix = up @ down
    if blur > 0:
        distance = np.arange(length)[:, None] - np.arange(length)
        bell = np.exp(-0.5 * (distance / blur) ** 2)
        matrix = bell / bell.sum(axis=1, keepdims=True) @ matrix
    return matrix


def _take_noise(count: int, start: int, device: torch.device) -> Tensor:
    bank = _load_bank(device)
    if start + count <= bank.numel():
        return bank[start : start + count]
    repeats = -(-(start + count) // bank.numel())
    return bank.repeat(repeats)[start : start + count]


@functools.lru_cache(maxsize=8)
def _load_bank(device: torch.device) -> Tensor:
    """Fixed normal numbers, made on the CPU so that every device has the same.

    Two million normal numbers for every sample would cost as much as the resampling;
    a random stretch of fixed ones looks the same to a network.
    """
    numbers = np.random.default_rng(20230322).standard_normal(
        NOISE_BANK_SIZE, dtype=np.float32
    )
    return torch.from_numpy(numbers).to(device)
