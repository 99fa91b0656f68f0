"""Densely connected networks for lesion crops."""

import torch
from torch import Tensor, nn

from mmmed.models.networks.classification.backbone import ROIBackbone
from mmmed.models.networks.classification.layers import Halve, build_conv, build_norm
from mmmed.models.networks.classification.variants import DENSENET, find_variant
from mmmed.registry import MODELS

# A layer's convolution of 1 gives this many times what the layer adds.
_INNER = 4


class DenseLayer(nn.Sequential):
    """Norm, ReLU, convolution of 1, the same with 3; what it finds precedes its input.

    Args:
        dims: 2 or 3.
        in_channels: Of the input.
        growth: Channels that are added.
    """

    def __init__(self, dims: int, in_channels: int, growth: int) -> None:
        inner = _INNER * growth
        super().__init__(
            build_norm(dims, in_channels),
            nn.ReLU(inplace=True),
            build_conv(dims, in_channels, inner, 1),
            build_norm(dims, inner),
            nn.ReLU(inplace=True),
            build_conv(dims, inner, growth, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, growth + C, [Z,] Y, X)."""
        return torch.cat([super().forward(x), x], 1)


@MODELS.register_module()
class ROIDenseNet(ROIBackbone):
    """Four dense blocks, halved in channels and size between them.

    Input (N, C, [Z,] Y, X), output (N, D); the map is an eighth. Parameters with six
    channels in, two dimensions and one binary head: 13,850 (1.1) to 26,467,298 (161).

    Args:
        in_channels: C.
        variant: Row of ``variants.DENSENET``: 1.1 to 1.5, cifar, 121, 161, 169, 201.
        dims: 2 or 3.
        legacy_pool: See :class:`ROIBackbone`.

    Source:
        Huang et al. 2017, arXiv:1608.06993; widths of RRMediCa.
    """

    def __init__(
        self,
        in_channels: int = 1,
        variant: str = '1.1',
        dims: int = 3,
        legacy_pool: bool = False,
    ) -> None:
        widths = find_variant('ROIDenseNet', DENSENET, variant)
        channels = 2 * widths.growth
        layers: list[nn.Module] = [build_conv(dims, in_channels, channels, 3)]
        for index, count in enumerate(widths.blocks):
            if index > 0:
                layers += [
                    build_norm(dims, channels),
                    nn.ReLU(inplace=True),
                    build_conv(dims, channels, channels // 2, 1),
                    Halve(dims, 'avg'),
                ]
                channels //= 2
            for _ in range(count):
                layers.append(DenseLayer(dims, channels, widths.growth))
                channels += widths.growth
        layers += [build_norm(dims, channels), nn.ReLU(inplace=True)]
        super().__init__(
            nn.Sequential(*layers),
            in_channels=in_channels,
            out_channels=channels,
            dims=dims,
            legacy_pool=legacy_pool,
        )
