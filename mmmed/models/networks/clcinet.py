"""CLCI-Net: cross-level fusion and context inference."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmmed.models.networks.conv_lstm import ConvLSTM2d
from mmmed.models.networks.initialization import init_he_normal, init_output_prior
from mmmed.models.networks.layers import ConvNormReLU, DoubleConv, upsample_nearest
from mmmed.models.networks.padded_network import PaddedNetwork, check_width
from mmmed.models.networks.same_padding import SameConv2d
from mmmed.registry import MODELS

_RATES = (2, 4, 6)


@MODELS.register_module()
class CLCINet(PaddedNetwork):
    """CLCI-Net: images (N, C, Y, X) to logits (N, K, Y, X).

    Each encoder level hands the next one a mixture of its own pooled features and of
    all levels before it; the bottom looks at several dilations and at every level at
    once; the decoder joins upsampled features and skip connection by a convolutional
    LSTM of two steps. With the defaults: 36,813,025 trainable parameters, 48.6 GMAC
    at 208x240 (the recurrent convolution of the LSTM's zero first state, which the
    published graph computes too, is left out here).

    Strided 3x3 convolutions of stride 4, 8 and 16 look at one 3x3 patch per stride
    and skip the pixels between, as published.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits.
        base_channels: Channels of the first level, 32 in the paper; all other widths
            are multiples of it.
        dropout: Share of features dropped at the bottom, twice; 0.5 in the paper.
        prior_prob: Foreground probability of the untrained network, in (0, 1). None,
            as published, starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Yang et al. 2019, arXiv:1907.07008; sizes checked against YH0517/CLCI_Net.
        Differs: logits instead of probabilities, any image size.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        base_channels: int = 32,
        dropout: float = 0.5,
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        check_width(base_channels)
        widths = [base_channels * 2**level for level in range(4)]  # 32 64 128 256
        self.encoder = nn.ModuleList()
        self.fusions = nn.ModuleList()
        below = in_channels
        for level, width in enumerate(widths):
            self.encoder.append(DoubleConv(below, width))
            self.fusions.append(CrossLevelFusion(widths[: level + 1], 8 * width))
            below = 8 * width
        self.bottom = nn.Sequential(
            DoubleConv(below, 2 * widths[-1]), nn.Dropout(dropout)
        )
        self.context = ContextPyramid(
            2 * widths[-1], widths, branch=8 * base_channels, out=32 * base_channels
        )
        self.dropout = nn.Dropout(dropout)
        self.decoder = nn.ModuleList()
        below = 32 * base_channels
        for width in reversed(widths):
            self.decoder.append(RecurrentDecoderBlock(below, width))
            below = width
        self.head = SameConv2d(base_channels, out_channels, 1)
        init_he_normal(self)
        for part in self.modules():
            if isinstance(part, ConvLSTM2d):
                part.init_weights()
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of 16."""
        skips: list[Tensor] = []
        features = x
        for level, fusion in zip(self.encoder, self.fusions, strict=True):
            skips.append(level(features))
            features = fusion(skips)
        features = self.dropout(self.context(self.bottom(features), skips))
        for block in self.decoder:
            features = block(features, skips.pop())
        return self.head(features)


class CrossLevelFusion(nn.Module):
    """All levels so far, brought to half the size of the last one and mixed.

    Args:
        widths: Channels of the levels, first one first, each half the size of the one
            before.
        out_channels: Channels of the mixture.
    """

    def __init__(self, widths: Sequence[int], out_channels: int) -> None:
        super().__init__()
        count, width = len(widths), widths[-1]
        self.pool = nn.MaxPool2d(2)
        self.strided = nn.ModuleList(
            ConvNormReLU(below, width, 3, stride=2 ** (count - level))
            for level, below in enumerate(widths)
        )
        self.mix = ConvNormReLU((count + 1) * width, out_channels, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Mixture of half the size of ``levels[-1]``."""
        parts = [self.pool(levels[-1])]
        for convolution, level in zip(self.strided, levels, strict=True):
            parts.insert(0, convolution(level))
        return self.mix(torch.cat(parts, dim=1))


class ContextPyramid(nn.Module):
    """Dilated, pooled and cross-level views of the bottom, mixed.

    Args:
        in_channels: Channels of the bottom, at 1/16 of the size.
        widths: Channels of the four encoder levels, at 1, 1/2, 1/4 and 1/8.
        branch: Channels of each view.
        out: Channels of the mixture.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], *, branch: int, out: int
    ) -> None:
        super().__init__()
        self.strided = nn.ModuleList(
            ConvNormReLU(width, branch, 3, stride=2 ** (len(widths) - level))
            for level, width in enumerate(widths)
        )
        self.views = nn.ModuleList([ConvNormReLU(in_channels, branch, 1)])
        self.views.extend(
            ConvNormReLU(in_channels, branch, 3, dilation=rate) for rate in _RATES
        )
        self.pooled = ConvNormReLU(in_channels, branch, 1)
        count = len(widths) + len(_RATES) + 2
        self.mix = ConvNormReLU(count * branch, out, 1)

    def forward(self, x: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Mixture (N, ``out``, Y, X) of the size of ``x``."""
        parts = [
            convolution(level)
            for convolution, level in zip(self.strided, levels, strict=True)
        ]
        parts += [view(x) for view in self.views]
        pooled = self.pooled(x.mean(dim=(2, 3), keepdim=True))
        # Bilinear interpolation of a single pixel is that pixel everywhere.
        parts.append(pooled.expand(-1, -1, *x.shape[2:]))
        return self.mix(torch.cat(parts, dim=1))


class RecurrentDecoderBlock(nn.Module):
    """Upsampled features, then the skip connection, read by a convolutional LSTM.

    Args:
        in_channels: Channels of the features below, at half the size.
        channels: Channels of skip connection and result.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.upward = ConvNormReLU(in_channels, channels, 2)
        self.from_skip = ConvNormReLU(channels, channels, 1)
        self.lstm = ConvLSTM2d(channels, channels)
        self.refine = DoubleConv(channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Features of the shape of ``skip``."""
        sequence = [self.upward(upsample_nearest(x)), self.from_skip(skip)]
        return self.refine(self.lstm(sequence))
