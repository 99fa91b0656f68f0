"""RAX-Net: a residual Xception-like encoder-decoder for stroke lesions on T1."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmmed.models.networks.initialization import init_glorot_uniform, init_output_prior
from mmmed.models.networks.layers import ConvNorm, upsample_nearest
from mmmed.models.networks.padded_network import PaddedNetwork, check_width
from mmmed.models.networks.same_padding import SameConv2d, SameMaxPool2d
from mmmed.registry import MODELS

GATES = ('none', 'sigmoid')


@MODELS.register_module()
class RAXNet(PaddedNetwork):
    """RAX-Net, the whole of it: images (N, C, Y, X) to logits (N, K, Y, X).

    A strided stem (1/2 of the size), three encoder blocks (1/4, 1/8, 1/16) and four
    decoder blocks back to full size, all in the order ReLU, convolution, norm. The
    "residual attention unit" of the paper is additive: it mixes the upsampled input of
    a decoder block with a skip connection (the image itself for the last block) and is
    added to the block's result; nothing is gated.

    With the defaults: 4,829,665 trainable parameters, 7,808 running statistics, 4.27
    GMAC at 208x240 in the published order. Convolutions of 1x1 before a nearest
    upsampling instead of after it give the same numbers for 0.27 GMAC less.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits.
        base_channels: Channels of the stem; encoder blocks have 2, 4 and 8 times as
            many. 32 in the paper; less for a network that trains on a CPU.
        num_units: Units in each encoder block. The decoder has twice as many, in
            reversed order, the last block like the one before. ``(1, 1, 1)`` drops
            what the paper doubled.
        use_shortcut: Whether encoder blocks add their strided input.
        use_rau: Whether decoder blocks see skip connections, through residual
            attention units. With ``num_units=(1, 1, 1), use_shortcut=False,
            use_rau=False`` this is the published ablation: 2,247,137 parameters,
            running statistics included.
        rau_gate: ``'none'``: a unit is added to the features x, as published.
            ``'sigmoid'``: it becomes a mask M in (0, 1), and the features
            ``(1 + M) x``, as in residual attention learning; same parameters.
        prior_prob: Foreground probability of the untrained network, in (0, 1). None,
            as published, starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Mousavi et al. 2025, medRxiv 10.1101/2025.09.26.25336733, and the layout of
        liamirpy/RAX-NET_ISCHEMIC_STROKE_SEGMENTATION@34fd335. Differs: logits instead
        of probabilities, any image size; the gate, which was not published.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        base_channels: int = 32,
        num_units: Sequence[int] = (1, 2, 2),
        use_shortcut: bool = True,
        use_rau: bool = True,
        rau_gate: str = 'none',
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        check_width(base_channels)
        _check_options(num_units, use_rau=use_rau, rau_gate=rau_gate)
        self.rau_gate = rau_gate
        widths = [base_channels * 2**level for level in range(4)]  # 32 64 128 256
        self.stem = nn.Sequential(
            ConvNorm(in_channels, widths[0], 3, stride=2), nn.ReLU(inplace=True)
        )
        self.encoder = nn.ModuleList(
            EncoderBlock(below, width, units=count, use_shortcut=use_shortcut)
            for below, width, count in zip(
                widths[:-1], widths[1:], num_units, strict=True
            )
        )
        decoded = widths[::-1]  # 256 128 64 32
        self.decoder = nn.ModuleList(
            DecoderBlock(
                below,
                width,
                skip_channels=skip if use_rau else None,
                units=2 * count,
                gate=rau_gate,
            )
            for below, width, skip, count in zip(
                (decoded[0], *decoded[:-1]),
                decoded,
                (*decoded[1:], in_channels),
                (*reversed(num_units), num_units[0]),
                strict=True,
            )
        )
        self.head = SameConv2d(base_channels, out_channels, 1)
        # Set by fold_for_inference, in place of the last block and the head.
        self.folded_output: nn.Module | None = None
        init_glorot_uniform(self)
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of 16."""
        skips = [x, self.stem(x)]
        for block in self.encoder:
            skips.append(block(skips[-1]))
        features = skips.pop()
        for block in self.decoder:
            features = block(features, skips.pop())
        if self.folded_output is not None:
            return self.folded_output(features, x)
        return self.head(features)


class EncoderBlock(nn.Module):
    """Units, max-pooling by 2, and the strided input added: (N, C, Y, X) to half.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        units: Number of units.
        use_shortcut: Whether the input is added.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, units: int, use_shortcut: bool
    ) -> None:
        super().__init__()
        self.units = nn.Sequential(
            *(
                _build_unit(out_channels if i else in_channels, out_channels, i > 0)
                for i in range(units)
            )
        )
        self.pool = SameMaxPool2d(3, stride=2)
        self.shortcut = (
            SameConv2d(in_channels, out_channels, 1, stride=2) if use_shortcut else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of half the size."""
        features = self.pool(self.units(x))
        return features if self.shortcut is None else features + self.shortcut(x)


class DecoderBlock(nn.Module):
    """Units, nearest upsampling by 2, and the attention unit added.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        skip_channels: Channels of the skip connection; None for no attention unit.
        units: Number of units.
        gate: ``'none'`` or ``'sigmoid'``, see :class:`RAXNet`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        skip_channels: int | None,
        units: int,
        gate: str,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(units):
            # The first ReLU must leave the block's input to the attention unit.
            layers.append(nn.ReLU(inplace=i > 0))
            # A transposed convolution of stride 1, as published, is an ordinary one.
            layers.append(ConvNorm(out_channels if i else in_channels, out_channels, 3))
        self.units = nn.Sequential(*layers)
        self.attention = (
            None
            if skip_channels is None
            else ResidualAttention(in_channels, skip_channels, out_channels)
        )
        self.gate = gate

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Features of twice the size, that of ``skip``."""
        features = upsample_nearest(self.units(x))
        if self.attention is None:
            return features
        attention = self.attention(x, skip)
        if self.gate == 'sigmoid':
            return features * (1 + attention.sigmoid())
        return features + attention


class ResidualAttention(nn.Module):
    """Mixture of the features below and of a skip connection, at the skip's size.

    Args:
        in_channels: Channels of the features below, at half the size.
        skip_channels: Channels of the skip connection.
        out_channels: Channels of the mixture.
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.from_below = SameConv2d(in_channels, out_channels, 1)
        self.from_skip = SameConv2d(skip_channels, out_channels, 1)
        self.mix = ConvNorm(out_channels, out_channels, 1)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Mixture, shape (N, ``out_channels``, Y, X) of ``skip``."""
        # 1x1 convolutions commute with nearest upsampling: a quarter of the work.
        mixed = upsample_nearest(self.from_below(below)) + self.from_skip(skip)
        return self.mix(torch.relu_(mixed))


def _build_unit(in_channels: int, out_channels: int, inplace: bool) -> nn.Module:
    return nn.Sequential(
        # Not in place on a block's input, which the shortcut needs unrectified.
        nn.ReLU(inplace=inplace),
        ConvNorm(in_channels, out_channels, 3),
        nn.ReLU(inplace=True),
        # Separable: one filter a channel, then 1x1, nothing in between.
        SameConv2d(out_channels, out_channels, 3, groups=out_channels, bias=False),
        ConvNorm(out_channels, out_channels, 1),
    )


def _check_options(num_units: Sequence[int], *, use_rau: bool, rau_gate: str) -> None:
    if len(num_units) != 3 or min(num_units) < 1:
        raise ValueError(
            f'num_units must hold a number >= 1 for each of 3 encoder blocks, got '
            f'{tuple(num_units)}'
        )
    if rau_gate not in GATES:
        raise ValueError(f'rau_gate must be one of {GATES}, got {rau_gate!r}')
    if rau_gate != 'none' and not use_rau:
        raise ValueError(f'rau_gate={rau_gate!r} needs use_rau=True')
