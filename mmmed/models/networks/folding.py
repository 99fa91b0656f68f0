"""Batch normalisation folded into the convolutions before it, for inference."""

import copy
from typing import TypeVar, cast

import torch
from torch import nn

from mmmed.models.networks.layers import ConvNorm

Module = TypeVar('Module', bound=nn.Module)


def fold_batch_norm(model: Module) -> Module:
    """A copy for inference whose convolutions carry their norm's running statistics.

    In evaluation mode a norm is a scale and a shift per channel, so the convolution
    before it can do its work: same numbers up to rounding, fewer passes over memory.
    Only :class:`mmmed.models.networks.layers.ConvNorm` pairs are folded; there the
    order is certain.

    Args:
        model: A network of this package, or anything that holds one.

    Returns:
        A copy in evaluation mode. Its weights no longer fit checkpoints, and it must
        not be trained.
    """
    model = copy.deepcopy(model).eval()
    for pair in model.modules():
        if isinstance(pair, ConvNorm) and isinstance(pair.norm, nn.BatchNorm2d):
            _fold(cast(nn.Conv2d, pair.conv), pair.norm)
            pair.norm = nn.Identity()
    return model


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    # In double precision: the scale multiplies thousands of products.
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias.double()
    bias = (bias - norm.running_mean.double()) * scale + norm.bias.double()
    weight = conv.weight.double() * scale[:, None, None, None]
    conv.weight.copy_(weight)
    conv.bias = nn.Parameter(bias.to(conv.weight))
