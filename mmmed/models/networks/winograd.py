"""3x3 convolutions by Winograd's algorithm: fewer products, for inference on a CPU.

PyTorch ships NNPACK, which has it, but uses it for few shapes only. Not here: folding
(``folding``), which changes what is computed, not how.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.same_padding import SameConv2d
from mmmed.registry import MODELS

Module = TypeVar('Module', bound=nn.Module)

# Below, transforming tiles costs more than the products saved; measured.
MIN_CHANNELS = 32
MIN_PIXELS = 500


@MODELS.register_module()
def use_winograd(model: Module) -> Module:
    """A copy whose large 3x3 convolutions are done by Winograd's algorithm.

    Float32 on a CPU, one image at a time; everything else goes the usual way. Results
    differ by rounding, about 1e-5 of the size of the features.

    Args:
        model: In evaluation mode.

    Returns:
        A copy in evaluation mode; the model itself where PyTorch has no NNPACK.
    """
    if not has_winograd():
        return model
    model = copy.deepcopy(model).eval()
    for part in list(model.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Conv2d) and _is_eligible(child):
                setattr(part, name, WinogradConv2d(child))
    return model


def has_winograd() -> bool:
    """Whether this PyTorch can: it was built with NNPACK, and the CPU suffices."""
    return hasattr(torch, '_nnpack_spatial_convolution') and bool(
        getattr(torch, '_nnpack_available', bool)()
    )


class WinogradConv2d(nn.Module):
    """A 3x3 convolution of stride 1 with a margin of one pixel.

    Input (N, C, Y, X), output (N, K, Y, X), in the memory format of the input.

    Args:
        conv: Whose weights are used.

    Source:
        Lavin and Gray 2016, arXiv:1509.09308, F(6x6, 3x3) as NNPACK implements it.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        # NNPACK wants filters plane by plane. As a matrix they stay so when the model
        # is brought to channels_last.
        self.planar: Tensor
        self.register_buffer('planar', conv.weight.detach().flatten(1).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        if (
            len(x) > 1
            or x.shape[-2] * x.shape[-1] < MIN_PIXELS
            or x.dtype != torch.float32
            or x.device.type != 'cpu'
        ):
            return functional.conv2d(x, self.weight, self.bias, padding=1)
        result: Tensor = torch._nnpack_spatial_convolution(
            x.contiguous(), self.planar.view(self.weight.shape), self.bias, [1, 1]
        )
        if x.is_contiguous():
            return result
        return result.contiguous(memory_format=torch.channels_last)


def _is_eligible(conv: nn.Conv2d) -> bool:
    is_padded = isinstance(conv, SameConv2d) or conv.padding == (1, 1)
    return (
        is_padded
        and conv.padding_mode == 'zeros'
        and conv.kernel_size == (3, 3)
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= MIN_CHANNELS
    )
