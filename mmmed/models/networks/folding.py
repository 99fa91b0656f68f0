"""Networks rewritten for inference: the same function with less work.

Not here: anything approximate (lower precision, pruning).
"""

import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.layers import ConvNorm, upsample_nearest
from mmmed.models.networks.raxnet import DecoderBlock, RAXNet
from mmmed.registry import MODELS

Module = TypeVar('Module', bound=nn.Module)


# By name, so that inference, which knows models only through the registry, finds it.
@MODELS.register_module()
def fold_for_inference(model: Module, *, channels_last: bool = True) -> Module:
    """A copy that computes the same logits faster, in evaluation mode.

    - Batch normalisation is a scale and a shift per channel then, which the
      convolution before it takes over (:class:`ConvNorm` pairs only: there the order
      is certain).
    - The last decoder block and the head of :class:`RAXNet` become
      :class:`FoldedRAXOutput`.

    Logits agree up to rounding: to 1e-4 in float32 for logits of order 10.

    Args:
        model: A network of this package, or a model that holds one.
        channels_last: Whether weights of 2-D convolutions, and with them all features,
            are stored channel by channel for each pixel, which is faster on CPUs.
            (``model.to(memory_format=...)`` fails if there are 3-D ones.)

    Returns:
        A copy in evaluation mode. Its weights no longer fit checkpoints, and it must
        not be trained. A model without such parts comes back as it was.
    """
    model = copy.deepcopy(model).eval()
    for part in model.modules():
        if isinstance(part, ConvNorm) and isinstance(part.norm, nn.BatchNorm2d):
            _fold_norm(cast(nn.Conv2d, part.conv), part.norm)
            part.norm = nn.Identity()
    for part in list(model.modules()):
        # The outputs of a sigmoid gate are not linear in its mixture.
        if isinstance(part, RAXNet) and part.rau_gate == 'none':
            last = cast(DecoderBlock, part.decoder[-1])
            part.folded_output = FoldedRAXOutput(last, part.head)
            del part.decoder[-1], part.head
    if channels_last:
        for weight in model.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.to(memory_format=torch.channels_last)
    return model


class FoldedRAXOutput(nn.Module):
    """Last decoder block and head of a folded RAX-Net, with little at full size.

    The head is linear and works pixel by pixel, so it goes before the upsampling of
    the block's features, and becomes one matrix with the last convolution of the
    attention unit. At full size there is left: rectified features of the unit, made
    for one of the four pixels of each coarse pixel at a time, and one product.

    Args:
        block: Last decoder block, norms folded.
        head: The network's head.
    """

    mix_weight: Tensor
    skip_weight: Tensor

    def __init__(self, block: DecoderBlock, head: nn.Conv2d) -> None:
        super().__init__()
        self.units = block.units
        self.head = head
        self.from_below: nn.Conv2d | None = None
        if block.attention is None:
            return
        self.from_below = block.attention.from_below
        mix = cast(nn.Conv2d, block.attention.mix.conv)
        skip = block.attention.from_skip
        with torch.no_grad():
            matrix = head.weight.flatten(1)  # (K, C)
            product = matrix @ mix.weight.flatten(1)
            self.register_buffer('mix_weight', product[..., None, None])
            self.register_buffer('skip_weight', skip.weight.squeeze(3))  # (C, I, 1)
            _add_bias(head, matrix @ _get_bias(mix))
            _add_bias(self.from_below, _get_bias(skip))

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Logits (N, K, Y, X).

        Args:
            features: Of the block before, shape (N, C, Y / 2, X / 2).
            image: Network input, shape (N, I, Y, X).
        """
        coarse = self.head(self.units(features))  # (N, K, Y / 2, X / 2)
        if self.from_below is None:
            return upsample_nearest(coarse)
        below = self.from_below(features)
        rows = [
            torch.stack(
                [
                    coarse + self._attend(below, image[:, :, y::2, x::2])
                    for x in range(2)
                ],
                dim=-1,
            )  # (N, K, Y / 2, X / 2, 2)
            for y in range(2)
        ]
        return torch.stack(rows, dim=3).flatten(4, 5).flatten(2, 3)

    def _attend(self, below: Tensor, image: Tensor) -> Tensor:
        weight = self.skip_weight
        mixed = torch.addcmul(below, image[:, :1], weight[:, 0, :, None])
        for i in range(1, image.shape[1]):
            mixed.addcmul_(image[:, i : i + 1], weight[:, i, :, None])
        return functional.conv2d(mixed.relu_(), self.mix_weight)


@torch.no_grad()
def _fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    # In double precision: the scale multiplies thousands of products.
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = _get_bias(conv).double() - norm.running_mean.double()
    bias = bias * scale + norm.bias.double()
    weight = conv.weight.double() * scale[:, None, None, None]
    conv.weight.copy_(weight)
    conv.bias = nn.Parameter(bias.to(conv.weight))


def _get_bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        return conv.weight.new_zeros(conv.out_channels)
    return conv.bias


def _add_bias(conv: nn.Conv2d, values: Tensor) -> None:
    conv.bias = nn.Parameter(_get_bias(conv) + values)
