"""X-Net: depthwise separable blocks and a feature similarity module."""

import torch
from torch import Tensor, nn

from mmmed.models.networks.initialization import init_he_normal, init_output_prior
from mmmed.models.networks.layers import ConvNorm, ConvNormReLU, upsample_nearest
from mmmed.models.networks.padded_network import PaddedNetwork, check_width
from mmmed.models.networks.same_padding import SameConv2d
from mmmed.registry import MODELS


@MODELS.register_module()
class XNet(PaddedNetwork):
    """X-Net: images (N, C, Y, X) to logits (N, K, Y, X).

    A U-Net of four halvings whose blocks add a 1x1 path to three separable
    convolutions, with long-range similarity at the bottom. With the defaults:
    15,072,332 trainable parameters, 23.3 GMAC at 208x240. The paper adds an L2 penalty
    of 1e-5 to convolutions: that is ``weight_decay`` of the optimizer here.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits.
        base_channels: Channels of the first block, 64 in the paper; doubled at each
            halving.
        prior_prob: Foreground probability of the untrained network, in (0, 1). None,
            as published, starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Qi et al. 2019, arXiv:1907.07000; sizes checked against Andrewsher/X-Net.
        Differs: logits instead of probabilities, any image size.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        base_channels: int = 64,
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        check_width(base_channels)
        widths = [base_channels * 2**level for level in range(5)]  # 64 .. 1024
        self.encoder = nn.ModuleList(
            XBlock(below, width)
            for below, width in zip((in_channels, *widths[:-1]), widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.similarity = FeatureSimilarity(widths[-1])
        self.upward = nn.ModuleList(
            ConvNormReLU(2 * width, width, 3) for width in widths[-2::-1]
        )
        self.decoder = nn.ModuleList(
            XBlock(2 * width, width) for width in widths[-2::-1]
        )
        self.head = SameConv2d(base_channels, out_channels, 1)
        init_he_normal(self)
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of 16."""
        skips = [self.encoder[0](x)]
        for block in self.encoder[1:]:
            skips.append(block(self.pool(skips[-1])))
        features = self.similarity(skips.pop())
        for upward, block in zip(self.upward, self.decoder, strict=True):
            features = upward(upsample_nearest(features))
            features = block(torch.cat([skips.pop(), features], dim=1))
        return self.head(features)


class XBlock(nn.Module):
    """A 1x1 path plus three separable convolutions, nothing after the sum.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, of the same size.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.direct = ConvNormReLU(in_channels, out_channels, 1)
        self.separable = nn.Sequential(
            _build_separable(in_channels, out_channels),
            _build_separable(out_channels, out_channels),
            _build_separable(out_channels, out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, ``out_channels``, Y, X)."""
        return self.direct(x) + self.separable(x)


class FeatureSimilarity(nn.Module):
    """Adds to each position what similar positions of the whole image hold.

    The similarity of two positions is the product of their features over the number
    of positions; there is no softmax, so the sum over positions may be formed first:
    the cost grows with their number and not with its square.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(2, channels // 8)
        self.reduce = ConvNormReLU(channels, inner, 3)
        # Queries, keys, values.
        self.theta = SameConv2d(inner, inner // 2, 1, bias=False)
        self.phi = SameConv2d(inner, inner // 2, 1, bias=False)
        self.value = SameConv2d(inner, inner // 2, 1, bias=False)
        self.merge = SameConv2d(inner // 2, inner, 1, bias=False)
        self.expand = ConvNormReLU(inner, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape (N, C, Y, X)."""
        reduced = self.reduce(x)
        theta, phi, value = (
            part(reduced).flatten(2) for part in (self.theta, self.phi, self.value)
        )  # each (N, E, P)
        # (theta^T phi) value^T = theta^T (phi value^T), with an (N, E, E) product.
        shared = value @ phi.transpose(1, 2) / phi.shape[2]
        gathered = (shared @ theta).unflatten(2, reduced.shape[2:])
        return self.expand(reduced + self.merge(gathered)) + x


def _build_separable(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        ConvNorm(in_channels, in_channels, 3, groups=in_channels, bias=False),
        nn.ReLU(inplace=True),
        ConvNormReLU(in_channels, out_channels, 1),
    )
