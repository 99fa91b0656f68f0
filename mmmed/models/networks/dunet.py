"""D-UNet: a 2-D U-Net that a shallow 3-D branch tells about the neighbouring slices."""

import torch
from torch import Tensor, nn

from mmmed.models.networks.initialization import init_he_normal, init_output_prior
from mmmed.models.networks.layers import (
    NORM_EPS,
    NORM_MOMENTUM,
    DoubleConv,
    upsample_nearest,
)
from mmmed.models.networks.padded_network import PaddedNetwork, check_width
from mmmed.models.networks.same_padding import SameConv2d
from mmmed.registry import MODELS

_REDUCTION = 16


@MODELS.register_module()
class DUNet(PaddedNetwork):
    """D-UNet: four slices (N, 4, Y, X) to the logits (N, K, Y, X) of one of them.

    The channels are consecutive slices, i-2, i-1, i, i+1 for the target i (zeros
    beyond the ends of the volume): ``neighbors=(-2, -1, 0, 1)`` of the data set. A 2-D
    U-Net reads them as channels, a 3-D branch as a volume whose depth two poolings use
    up; the branch is added to levels two and three. With the defaults: 8,633,379
    trainable parameters, 22.4 GMAC at 208x240.

    Args:
        in_channels: Slices, a multiple of 4.
        out_channels: Channels of the logits.
        base_channels: Channels of the first level, 32 in the paper; doubled at each
            halving.
        dropout: Share of features dropped on the two lowest levels; 0.3 in the paper.
        prior_prob: Foreground probability of the untrained network, in (0, 1). None,
            as published, starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Zhou et al. 2021, doi:10.1109/TCBB.2019.2939522, arXiv:1908.05104; sizes
        checked against SZUHvern/D-UNet. Differs: logits instead of probabilities, any
        image size.
    """

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 1,
        *,
        base_channels: int = 32,
        dropout: float = 0.3,
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        check_width(base_channels)
        if in_channels % 4:
            raise ValueError(
                f'in_channels must be a multiple of 4, got {in_channels}: two poolings '
                'halve the stack of slices'
            )
        widths = [base_channels * 2**level for level in range(5)]  # 32 .. 512
        self.encoder = nn.ModuleList(
            DoubleConv(below, width)
            for below, width in zip((in_channels, *widths[:-1]), widths, strict=True)
        )
        self.volume = nn.ModuleList(
            _build_double_conv3d(below, width)
            for below, width in zip((1, *widths[:2]), widths[:3], strict=True)
        )
        self.fusions = nn.ModuleList(
            DimensionFusion(widths[level], depth=in_channels // 2**level)
            for level in (1, 2)
        )
        self.pool, self.pool_volume = nn.MaxPool2d(2), nn.MaxPool3d(2)
        self.dropout = nn.Dropout(dropout)
        self.upward = nn.ModuleList(
            nn.Sequential(SameConv2d(2 * width, width, 2), nn.ReLU(inplace=True))
            for width in widths[-2::-1]
        )
        self.decoder = nn.ModuleList(
            DoubleConv(2 * width, width) for width in widths[-2::-1]
        )
        self.head = SameConv2d(base_channels, out_channels, 1)
        init_he_normal(self)
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of slices whose sizes are multiples of 16."""
        skips = self._encode(x)
        features = skips.pop()
        for upward, block in zip(self.upward, self.decoder, strict=True):
            features = upward(upsample_nearest(features))
            features = block(torch.cat([skips.pop(), features], dim=1))
        return self.head(features)

    def _encode(self, x: Tensor) -> list[Tensor]:
        """Features of the five levels, fused ones for the second and third."""
        volume = self.volume[0](x.unsqueeze(1))  # (N, C, Z, Y, X)
        levels = [self.encoder[0](x)]
        for i, block in enumerate(self.encoder[1:], 1):
            features = block(self.pool(levels[-1]))
            if i in (1, 2):
                volume = self.volume[i](self.pool_volume(volume))
                features = self.fusions[i - 1](features, volume)
            elif i in (3, 4):
                features = self.dropout(features)
            levels.append(features)
        return levels


class DimensionFusion(nn.Module):
    """Adds a volume's features to those of a slice, both reweighted by channel.

    Args:
        channels: Channels of slice, volume and result.
        depth: Slices left in the volume.
    """

    def __init__(self, channels: int, *, depth: int) -> None:
        super().__init__()
        self.flatten = nn.Conv3d(channels, 1, 1)
        self.expand = nn.Sequential(
            SameConv2d(depth, channels, 3), nn.ReLU(inplace=True)
        )
        self.reweigh_slice = SqueezeExcitation(channels)
        self.reweigh_volume = SqueezeExcitation(channels)

    def forward(self, features: Tensor, volume: Tensor) -> Tensor:
        """Fused features (N, C, Y, X).

        Args:
            features: Of the slice, shape (N, C, Y, X).
            volume: Of the volume, shape (N, C, ``depth``, Y, X).
        """
        stack = self.flatten(volume).squeeze(1)  # depth becomes channels
        from_volume = self.reweigh_volume(self.expand(stack))
        return self.reweigh_slice(features) + from_volume


class SqueezeExcitation(nn.Module):
    """Each channel times a factor in (0, 1) that the means of all channels decide.

    Args:
        channels: Channels of (N, C, Y, X).

    Source:
        Hu et al. 2018, arXiv:1709.01507, without biases, reduction 16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // _REDUCTION)
        self.squeeze = nn.Linear(channels, inner, bias=False)
        self.excite = nn.Linear(inner, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Reweighted features, same shape."""
        share = self.excite(self.squeeze(x.mean(dim=(2, 3))).relu()).sigmoid()
        return x * share[..., None, None]


def _build_double_conv3d(in_channels: int, out_channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for below in (in_channels, out_channels):
        layers += [
            nn.Conv3d(below, out_channels, 3, padding=1),
            nn.BatchNorm3d(out_channels, eps=NORM_EPS, momentum=NORM_MOMENTUM),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
