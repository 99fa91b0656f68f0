"""ShuffleNet v2 for lesion crops."""

import torch
from torch import Tensor, nn

from mmmed.models.networks.classification.backbone import ROIBackbone
from mmmed.models.networks.classification.layers import build_conv, build_norm
from mmmed.models.networks.classification.variants import SHUFFLENET, find_variant
from mmmed.registry import MODELS

_STEM = 24


def shuffle_halves(x: Tensor) -> Tensor:
    """Channels 0, C/2, 1, C/2 + 1, ... of (N, C, ...): both halves take turns."""
    return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


class ShuffleUnit(nn.Module):
    """Half of the channels pass, the other half is convolved; then both are mixed.

    Args:
        dims: 2 or 3.
        channels: Of input and output, an even number.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.branch = _build_branch(dims, channels // 2, channels // 2, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, [Z,] Y, X)."""
        kept, changed = x.chunk(2, 1)
        return shuffle_halves(torch.cat([kept, self.branch(changed)], 1))


class ShuffleDown(nn.Module):
    """Two branches of all channels, both of stride 2.

    Args:
        dims: 2 or 3.
        in_channels: Of the input.
        out_channels: Of the output, an even number.
    """

    def __init__(self, dims: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.shortcut = nn.Sequential(
            build_conv(dims, in_channels, in_channels, 3, stride=2, groups=in_channels),
            build_norm(dims, in_channels),
            *_build_pointwise(dims, in_channels, half),
        )
        self.branch = _build_branch(dims, in_channels, half, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, out_channels, ...), half as long."""
        return shuffle_halves(torch.cat([self.shortcut(x), self.branch(x)], 1))


def _build_pointwise(dims: int, channels: int, width: int) -> list[nn.Module]:
    return [
        build_conv(dims, channels, width, 1),
        build_norm(dims, width),
        nn.ReLU(inplace=True),
    ]


def _build_branch(dims: int, channels: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(
        *_build_pointwise(dims, channels, width),
        build_conv(dims, width, width, 3, stride=stride, groups=width),
        build_norm(dims, width),
        *_build_pointwise(dims, width, width),
    )


@MODELS.register_module()
class ROIShuffleNetV2(ROIBackbone):
    """A stem at full size, three stages of shuffled halves, a convolution of 1.

    Input (N, C, [Z,] Y, X), output (N, D); the map is an eighth. Parameters with six
    channels in, two dimensions and one binary head: 9,002 (1.1) to 5,322,282 (2).

    Args:
        in_channels: C.
        variant: Row of ``variants.SHUFFLENET``: 1.1 to 1.4 (narrow), and 0.5, 1, 1.5
            and 2 of the original paper.
        dims: 2 or 3.
        legacy_pool: See :class:`ROIBackbone`.

    Source:
        Ma et al. 2018, arXiv:1807.11164; widths of RRMediCa.
    """

    def __init__(
        self,
        in_channels: int = 1,
        variant: str = '1.1',
        dims: int = 3,
        legacy_pool: bool = False,
    ) -> None:
        widths = find_variant('ROIShuffleNetV2', SHUFFLENET, variant)
        layers: list[nn.Module] = [
            build_conv(dims, in_channels, _STEM, 3),
            build_norm(dims, _STEM),
            nn.ReLU(inplace=True),
        ]
        channels = _STEM
        for width, units in zip(widths.stages, widths.units, strict=True):
            layers.append(ShuffleDown(dims, channels, width))
            layers += [ShuffleUnit(dims, width) for _ in range(units)]
            channels = width
        layers += _build_pointwise(dims, channels, widths.last)
        super().__init__(
            nn.Sequential(*layers),
            in_channels=in_channels,
            out_channels=widths.last,
            dims=dims,
            legacy_pool=legacy_pool,
        )
