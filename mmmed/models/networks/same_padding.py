"""Convolution and pooling that pad as TensorFlow's "SAME" does.

The output has ``ceil(size / stride)`` positions, and of an odd number of padded pixels
the extra one comes *after* the image. PyTorch's symmetric padding samples other pixels
as soon as the stride or the kernel is even. Not here: padding of whole images to a
multiple (``padded_network``).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def compute_same_padding(
    size: int, *, kernel_size: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Pixels to add before and after one axis.

    Args:
        size: Length of the axis, >= 1.
        kernel_size: Taps of the kernel along it.
        stride: Step of the kernel.
        dilation: Distance of the taps.

    Returns:
        ``(before, after)``, ``after - before`` is 0 or 1. Both are 0 where the stride
        reaches past the kernel: such a layer skips pixels and pads nothing.

    Source:
        TensorFlow's definition of padding "SAME". Differs: None.

    Example:
        >>> compute_same_padding(208, kernel_size=3, stride=2)
        (0, 1)
    """
    reach = dilation * (kernel_size - 1) + 1
    last = (-(-size // stride) - 1) * stride
    total = max(last + reach - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """2-D convolution with "SAME" padding by zeros.

    Input (N, C, Y, X), output (N, ``out_channels``, ceil(Y / stride),
    ceil(X / stride)).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel, also even.
        stride: Step, equal for both axes.
        dilation: Distance of the taps.
        groups: Groups of channels.
        bias: Whether a bias is added.
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
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        rows, columns = (
            compute_same_padding(
                size,
                kernel_size=self.kernel_size[0],
                stride=self.stride[0],
                dilation=self.dilation[0],
            )
            for size in x.shape[2:]
        )
        margin = (rows[0], columns[0])
        if rows[0] != rows[1] or columns[0] != columns[1]:
            x = functional.pad(x, (*columns, *rows))
            margin = (0, 0)
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, margin, self.dilation, self.groups
        )


class SameMaxPool2d(nn.Module):
    """Max-pooling with "SAME" padding; padded pixels never win.

    Input (N, C, Y, X), output (N, C, ceil(Y / stride), ceil(X / stride)).

    Args:
        kernel_size: Side of the square window.
        stride: Step, equal for both axes.
    """

    def __init__(self, kernel_size: int, *, stride: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Pad with minus infinity and pool."""
        rows, columns = (
            compute_same_padding(size, kernel_size=self.kernel_size, stride=self.stride)
            for size in x.shape[2:]
        )
        # Zeros would beat negative features, which pre-activation networks have.
        if rows[0] or columns[0]:
            x = functional.pad(x, (*columns, *rows), value=-torch.inf)
            return functional.max_pool2d(x, self.kernel_size, self.stride)
        # Windows that reach past the end are cut there: the same without a copy.
        return functional.max_pool2d(x, self.kernel_size, self.stride, ceil_mode=True)

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return f'kernel_size={self.kernel_size}, stride={self.stride}'
