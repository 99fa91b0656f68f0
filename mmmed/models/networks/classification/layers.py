"""Layers of the lesion classifiers in two and three dimensions.

Not here: whole networks, and the layers of the segmentation networks
(``networks/layers.py``), which keep Keras' conventions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {
    2: nn.Conv2d,
    3: nn.Conv3d,
}


class _TrainsOnOneValue:
    """Batch normalisation where a channel has a single value: nothing to measure.

    Running statistics are used then, and kept; PyTorch raises an error. It happens
    where one case has a sequence, and its map is one voxel.
    """

    training: bool

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, [Z,] Y, X)."""
        if self.training and x.numel() == x.shape[1]:
            return functional.batch_norm(
                x,
                self.running_mean,  # type: ignore[attr-defined]
                self.running_var,  # type: ignore[attr-defined]
                self.weight,  # type: ignore[attr-defined]
                self.bias,  # type: ignore[attr-defined]
                eps=self.eps,  # type: ignore[attr-defined]
            )
        return super().forward(x)  # type: ignore[misc]


class Norm2d(_TrainsOnOneValue, nn.BatchNorm2d):
    """Batch normalisation of (N, C, Y, X)."""


class Norm3d(_TrainsOnOneValue, nn.BatchNorm3d):
    """Batch normalisation of (N, C, Z, Y, X)."""


NORMS: dict[int, type[Norm2d] | type[Norm3d]] = {2: Norm2d, 3: Norm3d}


def build_conv(
    dims: int,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    bias: bool = False,
) -> nn.Module:
    """A padded convolution of 2 or 3 dimensions: stride 1 keeps the size.

    Raises:
        ValueError: ``dims`` is neither 2 nor 3.
    """
    if dims not in CONVOLUTIONS:
        raise ValueError(
            f'dims must be 2 (slices as channels) or 3 (volumes), got {dims!r}'
        )
    return CONVOLUTIONS[dims](
        in_channels,
        out_channels,
        kernel_size,
        stride,  # type: ignore[arg-type]
        padding=kernel_size // 2,
        groups=groups,
        bias=bias,
    )


def build_norm(dims: int, channels: int) -> nn.Module:
    """Batch normalisation of 2 or 3 dimensions."""
    return NORMS[dims](channels)


class Halve(nn.Module):
    """Pool by two along every axis that is longer than one voxel.

    A stack of five slices can so pass five poolings; on longer axes this is the plain
    pooling.

    Args:
        dims: 2 or 3.
        kind: ``max`` or ``avg``.
    """

    def __init__(self, dims: int, kind: str = 'max') -> None:
        super().__init__()
        self.kind = kind
        self._pool = getattr(functional, f'{kind}_pool{dims}d')

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, [Z,] Y, X), half as long, rounded down but at least 1."""
        return self._pool(x, [min(2, n) for n in x.shape[2:]])


class DropPath(nn.Module):
    """Leave a residual branch out, for whole cases, while training.

    Args:
        prob: Share of the cases that lose the branch; the others' is enlarged, so that
            the mean stays.

    Source:
        Huang et al. 2016, arXiv:1603.09382, in the per-sample form.
    """

    def __init__(self, prob: float) -> None:
        super().__init__()
        if not 0 <= prob < 1:
            raise ValueError(f'the probability must lie in [0, 1), got {prob}')
        self.prob = prob

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, D) or maps (N, C, ...)."""
        if not self.training or self.prob == 0:
            return x
        shape = (len(x),) + (1,) * (x.ndim - 1)
        kept = torch.rand(shape, device=x.device) >= self.prob
        return x * kept.to(x.dtype) / (1 - self.prob)


def average_map(maps: Tensor, *, legacy_pool: bool = False) -> Tensor:
    """Mean over space of (N, C, [Z,] Y, X), as (N, C).

    Args:
        maps: Feature maps.
        legacy_pool: Average over the top left corner whose sides are multiples of 4,
            where the map is larger than that. The published networks pool by 4, then
            the rest: of a 10x10 map (an 80x80 image) the last two rows and columns
            count for nothing.
    """
    if legacy_pool:
        for axis in range(2, maps.ndim):
            size = maps.shape[axis]
            maps = maps.narrow(axis, 0, size - size % 4 if size >= 4 else size)
    return maps.flatten(2).mean(2)
