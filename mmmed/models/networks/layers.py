"""Small layers that several networks share: convolution with its norm, upsampling."""

from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.same_padding import SameConv2d

# Keras' defaults, with which the published networks were trained: epsilon 1e-3, and
# its momentum 0.99 is 0.01 in PyTorch's definition.
NORM_EPS = 1e-3
NORM_MOMENTUM = 0.01


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that also trains on a single value a channel.

    One value has no variance. Where the batch holds one image and the map one pixel
    (a global average), running statistics are used, and kept as they are; PyTorch
    raises an error there.

    Args:
        num_features: Channels.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, eps=NORM_EPS, momentum=NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, Y, X)."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return functional.batch_norm(
                x,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                eps=self.eps,
            )
        return super().forward(x)


class ConvNorm(nn.Sequential):
    """Convolution with "SAME" padding, then batch normalisation.

    A type of its own, so that :func:`mmmed.models.networks.fold_for_inference` knows
    which pairs are neighbours.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel.
        stride: Step.
        dilation: Distance of the taps.
        groups: Groups of channels.
        bias: Whether the convolution has a bias (useless beside the norm's, but
            published networks have it and their parameter counts include it).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.norm: nn.Module = BatchNorm2d(out_channels)


class ConvNormReLU(nn.Sequential):
    """:class:`ConvNorm`, then ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel.
        stride: Step.
        dilation: Distance of the taps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__(
            ConvNorm(
                in_channels, out_channels, kernel_size, stride=stride, dilation=dilation
            ),
            nn.ReLU(inplace=True),
        )


class DoubleConv(nn.Sequential):
    """Two :class:`ConvNormReLU` of 3x3.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            ConvNormReLU(in_channels, out_channels, 3),
            ConvNormReLU(out_channels, out_channels, 3),
        )


def upsample_nearest(x: Tensor) -> Tensor:
    """Every pixel of (N, C, Y, X) as a 2x2 block."""
    return functional.interpolate(x, scale_factor=2.0, mode='nearest')
