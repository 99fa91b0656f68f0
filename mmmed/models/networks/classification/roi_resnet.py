"""Residual networks for lesion crops, and the stages that others build from."""

from torch import Tensor, nn

from mmmed.models.networks.classification.backbone import ROIBackbone
from mmmed.models.networks.classification.layers import build_conv, build_norm
from mmmed.models.networks.classification.variants import (
    RESNET,
    ResNetWidths,
    find_variant,
)
from mmmed.registry import MODELS


class ResidualBlock(nn.Module):
    """Two convolutions of 3, or a bottleneck of 1, 3 and 1, beside a shortcut.

    Args:
        dims: 2 or 3.
        in_channels: Of the input.
        width: Channels inside; the output has ``width``, a bottleneck's four times.
        stride: Of the (first) convolution of 3.
        bottleneck: Which of both.
    """

    def __init__(
        self,
        dims: int,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        bottleneck: bool = False,
    ) -> None:
        super().__init__()
        out_channels = width * _get_expansion(bottleneck)
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        widths = (width, width, out_channels) if bottleneck else (width, width)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        layers: list[nn.Module] = []
        channels = in_channels
        for kernel, out, step in zip(kernels, widths, strides, strict=True):
            layers += [
                build_conv(dims, channels, out, kernel, stride=step),
                build_norm(dims, out),
                nn.ReLU(inplace=True),
            ]
            channels = out
        # The last ReLU comes after the sum.
        self.residual = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                build_conv(dims, in_channels, out_channels, 1, stride=stride),
                build_norm(dims, out_channels),
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, [Z,] Y, X)."""
        return self.relu(self.residual(x) + self.shortcut(x))


class Stem(nn.Sequential):
    """First convolution of 3 with its norm, at full size.

    Args:
        dims: 2 or 3.
        in_channels: Of the image.
        width: Of the output.
    """

    def __init__(self, dims: int, in_channels: int, width: int) -> None:
        super().__init__(
            build_conv(dims, in_channels, width, 3),
            build_norm(dims, width),
            nn.ReLU(inplace=True),
        )


class Stage(nn.Sequential):
    """Residual blocks of one width; the first takes the stride.

    Args:
        dims: 2 or 3.
        in_channels: Of the input.
        widths: The network's.
        index: Which of its stages, from 0; all but the first halve the map.
    """

    def __init__(
        self, dims: int, in_channels: int, widths: ResNetWidths, index: int
    ) -> None:
        layers = []
        for block in range(widths.blocks[index]):
            layers.append(
                ResidualBlock(
                    dims,
                    in_channels if block == 0 else count_channels(widths, index),
                    widths.stages[index],
                    stride=2 if index > 0 and block == 0 else 1,
                    bottleneck=widths.bottleneck,
                )
            )
        super().__init__(*layers)


def count_channels(widths: ResNetWidths, index: int) -> int:
    """Channels that a stage gives, from 0."""
    return widths.stages[index] * _get_expansion(widths.bottleneck)


def _get_expansion(bottleneck: bool) -> int:
    """How much wider a block's output is than its inner convolution."""
    return 4 if bottleneck else 1


@MODELS.register_module()
class ROIResNet(ROIBackbone):
    """Residual network whose first stage sees the full size: no stride in the stem.

    Input (N, C, [Z,] Y, X), output (N, D); the map is an eighth. Parameters with six
    channels in, two dimensions and one binary head: 46,770 (1.1) to 23,506,178 (50).

    Args:
        in_channels: C.
        variant: Row of ``variants.RESNET``: 1.1 to 1.5, 18, 34, 50.
        dims: 2 or 3.
        legacy_pool: See :class:`ROIBackbone`.

    Source:
        He et al. 2016, arXiv:1512.03385; widths of RRMediCa.
    """

    def __init__(
        self,
        in_channels: int = 1,
        variant: str = '1.1',
        dims: int = 3,
        legacy_pool: bool = False,
    ) -> None:
        widths = find_variant('ROIResNet', RESNET, variant)
        features = nn.Sequential()
        features.add_module('stem', Stem(dims, in_channels, widths.stem))
        channels = widths.stem
        for index in range(len(widths.stages)):
            stage = Stage(dims, channels, widths, index)
            channels = count_channels(widths, index)
            features.add_module(f'stage{index + 1}', stage)
        super().__init__(
            features,
            in_channels=in_channels,
            out_channels=channels,
            dims=dims,
            legacy_pool=legacy_pool,
        )
