"""The U-Net of the spinal cord pipeline, plain or with attention gates."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.initialization import init_he_normal, init_output_prior
from mmmed.models.networks.layers import ConvNorm
from mmmed.models.networks.padded_network import PaddedNetwork
from mmmed.models.networks.unet_pruning import (
    FilterGroup,
    Prunable,
    check_architecture,
    check_widths,
)
from mmmed.registry import MODELS


@MODELS.register_module()
class SpinalUNet(PaddedNetwork, Prunable):
    """U-Net of any width, whose filters can be pruned: (N, C, Y, X) to (N, K, Y, X).

    A 3x3 stem with bias and nothing behind it; ``depth`` levels of two 3x3
    convolutions without bias, each with norm and ReLU, and 2x2 max-pooling; a bottom
    of the same kind; transposed 2x2 convolutions with bias, whose maps stand before
    those of the skip connection; a 1x1 head. Outputs are logits, never probabilities.
    With batch norm and one channel in and out: 1,942,299 parameters at 16 features,
    31,036,491 at 64; with attention 1,964,911 at 16.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the logits.
        depth: Halvings; images are padded to multiples of ``2 ** depth`` and cut back.
        features: Filters of the first level, doubled at each halving.
        use_batch_norm: Whether convolutions are followed by batch norm.
        attention: Whether additive gates weigh each skip connection.
        dropout: Share of maps dropped behind each 3x3 convolution but the stem.
        architecture: Filters of every layer, as :attr:`architecture` gives them, in
            place of ``features``: a network that was pruned.
        prior_prob: Foreground probability of the untrained network, in (0, 1); None
            starts near 0.5.
        init_cfg: For pretrained weights.

    Raises:
        ValueError: An argument is impossible.

    Source:
        Ronneberger et al. 2015, arXiv:1505.04597; sizes checked against
        davidcahyadi/auto-spinal-cord-lesion-seg. Gates: Oktay et al. 2018,
        arXiv:1804.03999, at the resolution of the skip connection. Differs: logits,
        any image size.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        depth: int = 4,
        features: int = 16,
        use_batch_norm: bool = True,
        attention: bool = False,
        dropout: float = 0.0,
        *,
        architecture: Mapping[str, int] | None = None,
        prior_prob: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, init_cfg=init_cfg)
        if depth < 1 or features < 1 or not 0 <= dropout < 1:
            raise ValueError(
                'depth and features must be >= 1 and dropout lie in [0, 1), got '
                f'{depth}, {features} and {dropout}'
            )
        self.depth = depth
        self.size_divisor = 2**depth
        widths = compute_widths(depth, features, attention=attention)
        if architecture is not None:
            check_architecture(architecture, widths)
            widths = dict(architecture)

        def block(name: str, channels: int) -> nn.Sequential:
            first, second = widths[f'{name}_first'], widths[f'{name}_second']
            return nn.Sequential(
                OrderedDict(
                    first=_build_unit(channels, first, use_batch_norm, dropout),
                    second=_build_unit(first, second, use_batch_norm, dropout),
                )
            )

        self.stem = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        skips = [widths[f'encoder{i}_second'] for i in range(depth)]
        self.encoder = nn.ModuleList(
            block(f'encoder{i}', below)
            for i, below in enumerate([in_channels, *skips[:-1]])
        )
        self.bottleneck = block('bottleneck', skips[-1])
        below = [widths[f'decoder{i}_second'] for i in range(1, depth)]
        below.append(widths['bottleneck_second'])
        # Level 0 has the size of the image, in the decoder too.
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(below[i], widths[f'up{i}'], 2, stride=2)
            for i in range(depth)
        )
        self.decoder = nn.ModuleList(
            block(f'decoder{i}', widths[f'up{i}'] + skips[i]) for i in range(depth)
        )
        self.gates = nn.ModuleList(
            AttentionGate(
                widths[f'up{i}'], skips[i], widths[f'gate{i}'], use_batch_norm
            )
            for i in range(depth if attention else 0)
        )
        self.head = nn.Conv2d(widths['decoder0_second'], out_channels, 1)
        init_he_normal(self)
        init_output_prior(self.head, prior_prob)

    def compute_logits(self, x: Tensor) -> Tensor:
        """Logits of images whose sizes are multiples of ``2 ** depth``."""
        x = self.stem(x)
        skips = []
        for block in self.encoder:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for level in reversed(range(self.depth)):
            up, skip = self.ups[level](x), skips[level]
            if len(self.gates):
                skip = self.gates[level](up, skip)
            x = self.decoder[level](torch.cat([up, skip], dim=1))
        return self.head(x)

    def find_filter_groups(self) -> dict[str, FilterGroup]:
        """Every layer but stem and head, which images and labels fix."""
        groups = {}
        for level in range(self.depth):
            is_last = level == self.depth - 1
            below = self.bottleneck if is_last else self.encoder[level + 1]
            block = cast(nn.Sequential, self.encoder[level])
            groups.update(
                _group_block(
                    f'encoder{level}',
                    block,
                    (_get_conv(below, 'first'), 0),
                    *self._list_skip_readers(level),
                )
            )
        deepest = (self.ups[self.depth - 1], 0)
        groups.update(_group_block('bottleneck', self.bottleneck, deepest))
        for level in reversed(range(self.depth)):
            block = cast(nn.Sequential, self.decoder[level])
            up = self.ups[level]
            readers = [(_get_conv(block, 'first'), 0)]
            if len(self.gates):
                gate = cast(AttentionGate, self.gates[level])
                readers.append((gate.from_up.conv, 0))
                groups[f'gate{level}'] = gate.find_filter_group()
            groups[f'up{level}'] = FilterGroup((up,), tuple(readers), up)
            reader = (self.ups[level - 1] if level else self.head, 0)
            groups.update(_group_block(f'decoder{level}', block, reader))
        return groups

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        check_widths(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _list_skip_readers(self, level: int) -> list[tuple[nn.Module, int]]:
        # The maps from below stand before those of the skip connection.
        up = cast(nn.ConvTranspose2d, self.ups[level])
        readers = [(_get_conv(self.decoder[level], 'first'), up.out_channels)]
        if len(self.gates):
            readers.append((cast(AttentionGate, self.gates[level]).from_skip.conv, 0))
        return readers


class AttentionGate(nn.Module):
    """Weighs the pixels of a skip connection by what lies below and in it.

    ``skip * sigmoid(score(relu(from_up(up) + from_skip(skip))))``, each a 1x1
    convolution with bias (and norm); inputs (N, U, Y, X) and (N, S, Y, X), output
    (N, S, Y, X).

    Args:
        up_channels: Maps from below, U.
        skip_channels: Maps of the skip connection, S.
        channels: Maps inside.
        use_batch_norm: Whether convolutions are followed by batch norm.
    """

    def __init__(
        self, up_channels: int, skip_channels: int, channels: int, use_batch_norm: bool
    ) -> None:
        super().__init__()
        self.from_up = _build_conv(up_channels, channels, 1, use_batch_norm, bias=True)
        self.from_skip = _build_conv(
            skip_channels, channels, 1, use_batch_norm, bias=True
        )
        self.relu = nn.ReLU(inplace=True)
        self.score = _build_conv(channels, 1, 1, use_batch_norm, bias=True)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """The skip connection, weighed."""
        inner = self.relu(self.from_up(up) + self.from_skip(skip))
        return skip * self.score(inner).sigmoid()

    def find_filter_group(self) -> FilterGroup:
        """The maps inside: each is made by two filters, which go together."""
        producers = (*_list_parts(self.from_up), *_list_parts(self.from_skip))
        return FilterGroup(producers, ((self.score.conv, 0),), self.relu)


class MapDropout(nn.Dropout2d):
    """Dropout of whole maps that costs nothing at rate 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop maps of (N, C, Y, X)."""
        return super().forward(x) if self.p > 0 else x


def compute_widths(depth: int, features: int, *, attention: bool) -> dict[str, int]:
    """Filters of every layer of a :class:`SpinalUNet` before any pruning.

    Args:
        depth: Halvings.
        features: Filters of the first level.
        attention: Whether there are gates.

    Returns:
        By name: ``encoder<level>_first|second``, ``bottleneck_...``, ``up<level>``,
        ``decoder<level>_...``, ``gate<level>``; level 0 has the size of the image.
    """
    widths = {}
    for level in range(depth):
        for part in ('first', 'second'):
            widths[f'encoder{level}_{part}'] = features * 2**level
    widths['bottleneck_first'] = widths['bottleneck_second'] = features * 2**depth
    for level in reversed(range(depth)):
        if attention:
            widths[f'gate{level}'] = max(1, features * 2**level // 2)
        for part in ('up{}', 'decoder{}_first', 'decoder{}_second'):
            widths[part.format(level)] = features * 2**level
    return widths


def _build_unit(
    in_channels: int, out_channels: int, use_batch_norm: bool, dropout: float
) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            filters=_build_conv(in_channels, out_channels, 3, use_batch_norm),
            relu=nn.ReLU(inplace=True),
            dropout=MapDropout(dropout),
        )
    )


def _build_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    use_batch_norm: bool,
    *,
    bias: bool = False,
) -> ConvNorm:
    pair = ConvNorm(in_channels, out_channels, kernel_size, bias=bias)
    # PyTorch's epsilon and momentum: the network was published in it.
    pair.norm = nn.BatchNorm2d(out_channels) if use_batch_norm else nn.Identity()
    return pair


def _get_conv(block: nn.Module, part: str) -> nn.Module:
    return block.get_submodule(f'{part}.filters.conv')


def _list_parts(pair: ConvNorm) -> tuple[nn.Module, ...]:
    has_norm = isinstance(pair.norm, nn.BatchNorm2d)
    return (pair.conv, pair.norm) if has_norm else (pair.conv,)


def _group_block(
    name: str, block: nn.Sequential, *readers: tuple[nn.Module, int]
) -> dict[str, FilterGroup]:
    groups = {}
    for part, consumers in (
        ('first', ((_get_conv(block, 'second'), 0),)),
        ('second', readers),
    ):
        unit = block.get_submodule(part)
        groups[f'{name}_{part}'] = FilterGroup(
            _list_parts(cast(ConvNorm, unit.get_submodule('filters'))),
            consumers,
            unit.get_submodule('relu'),
            cast(nn.Dropout2d, unit.get_submodule('dropout')),
        )
    return groups
