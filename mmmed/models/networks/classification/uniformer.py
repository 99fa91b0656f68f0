"""UniFormer in three dimensions: convolutions first, attention in the last stages."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmmed.models.networks.classification.layers import build_conv, build_norm
from mmmed.models.networks.classification.sequences import (
    SequenceNetwork,
    fill_absent,
    run_present,
)
from mmmed.models.networks.classification.variants import (
    UNIFORMER,
    UniFormerWidths,
    find_variant,
)
from mmmed.registry import MODELS

FUSIONS = ('aux', 'middle')
# Of the convolutions before the four stages, (Z, Y, X); the first has two.
_STRIDES = ((4, 4, 4), (2, 2, 2), (1, 2, 2), (1, 2, 2))


class ConvUnit(nn.Module):
    """Position, neighbourhood of 5 and MLP, each beside a shortcut, all convolutions.

    Args:
        width: C.
        mlp_ratio: Hidden channels of the MLP, in C.
    """

    def __init__(self, width: int, mlp_ratio: int) -> None:
        super().__init__()
        hidden = width * mlp_ratio
        self.position = build_conv(3, width, width, 3, groups=width, bias=True)
        self.mix = nn.Sequential(
            build_norm(3, width),
            build_conv(3, width, width, 1, bias=True),
            build_conv(3, width, width, 5, groups=width, bias=True),
            build_conv(3, width, width, 1, bias=True),
        )
        self.mlp = nn.Sequential(
            build_norm(3, width),
            build_conv(3, width, hidden, 1, bias=True),
            nn.GELU(),
            build_conv(3, hidden, width, 1, bias=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, Z, Y, X)."""
        x = x + self.position(x)
        x = x + self.mix(x)
        return x + self.mlp(x)


class AttentionUnit(nn.Module):
    """The same with attention among all voxels in the middle.

    Args:
        width: C, a multiple of ``head_width``.
        head_width: Channels of one head.
        mlp_ratio: Hidden channels of the MLP, in C.
    """

    def __init__(self, width: int, head_width: int, mlp_ratio: int) -> None:
        super().__init__()
        hidden = width * mlp_ratio
        self.heads = width // head_width
        self.position = build_conv(3, width, width, 3, groups=width, bias=True)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, Z, Y, X)."""
        x = x + self.position(x)
        # (N, Z * Y * X, C)
        tokens = x.flatten(2).transpose(1, 2)
        query, key, value = (
            self.qkv(self.norm(tokens))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.proj(mixed.transpose(1, 2).flatten(2))
        tokens = tokens + self.mlp(tokens)
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


@MODELS.register_module()
class UniFormerEncoder(SequenceNetwork):
    """UniFormer of several sequences.

    Input (N, S, C, Z, Y, X) and (N, S); output (N, D). Parameters with one binary head
    and two sequences: 3,311,298 (1.1, ``aux``, six slices) to 652,330 (1.4,
    ``middle``).

    Args:
        sequences: Names of the sequences, or how many.
        variant: Row of ``variants.UNIFORMER``: 1.1 to 1.5.
        fusion: ``aux``: slices are channels, and the sequences, in their order, the
            third axis. ``middle``: each sequence has its own first two stages on its
            volume, and the other two read all maps.
        channels: C.
        slices: Z, needed with ``aux``.
        missing: ``zero`` or ``token``: what stands for a sequence that a case lacks, in
            every voxel (``aux``) or of its map (``middle``).

    Attributes:
        cam_layer: Module whose output are the last maps, for Grad-CAM.

    Raises:
        ValueError: ``fusion`` is unknown.

    Source:
        Li et al. 2022, arXiv:2201.04676; widths, strides and both fusions of RRMediCa.
    """

    cam_layer = 'late'

    def __init__(
        self,
        sequences: int | Sequence[str],
        variant: str = '1.1',
        fusion: str = 'middle',
        channels: int = 1,
        slices: int | None = None,
        missing: str = 'zero',
    ) -> None:
        if fusion not in FUSIONS:
            raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}')
        super().__init__(
            sequences,
            dims=2 if fusion == 'aux' else 3,
            channels=channels,
            slices=slices,
            missing=missing,
        )
        widths = find_variant('UniFormerEncoder', UNIFORMER, variant)
        self.fusion = fusion
        count = len(self.sequences)
        self.early = nn.ModuleList(
            _build_early(self.sequence_channels, widths)
            for _ in range(1 if fusion == 'aux' else count)
        )
        self.map_channels = widths.stages[1]
        wide = self.map_channels * len(self.early)
        self.late = _build_late(wide, widths)
        self.out_channels = widths.stages[3]
        if missing == 'token':
            width = self.sequence_channels if fusion == 'aux' else self.map_channels
            self.missing_tokens = nn.Parameter(torch.zeros(count, width))

    def forward(self, inputs: Tensor, available: Tensor | None = None) -> Tensor:
        """Features (N, D)."""
        images, present = self.split(inputs, available)
        if self.fusion == 'aux':
            # (N, S, C * Z, Y, X) to (N, C * Z, S, Y, X)
            parts = [self._fill(x, present, i) for i, x in enumerate(images.unbind(1))]
            maps = self.early[0](torch.stack(parts, 2))
        else:
            shape = self.map_channels, *_shrink(images.shape[3:], _STRIDES[:2])
            parts = [
                run_present(early, images[:, i], present[:, i], shape)
                for i, early in enumerate(self.early)
            ]
            maps = torch.cat(
                [self._fill(part, present, i) for i, part in enumerate(parts)], 1
            )
        return self.late(maps).flatten(2).mean(2)

    def _fill(self, values: Tensor, present: Tensor, index: int) -> Tensor:
        """One sequence with what stands for it where it is missing."""
        if present[:, index].all():
            return values
        token = values.new_zeros(values.shape[1])
        if self.missing == 'token':
            token = self.missing_tokens[index]
        return fill_absent(values, present[:, index], token)


def _build_early(in_channels: int, widths: UniFormerWidths) -> nn.Sequential:
    """Stem and the two stages of convolutions."""
    first, second = widths.stages[:2]
    return nn.Sequential(
        build_conv(3, in_channels, first // 2, 3, stride=2),
        build_norm(3, first // 2),
        nn.GELU(),
        *_build_down(first // 2, first, 2),
        *(ConvUnit(first, widths.mlp_ratio) for _ in range(widths.blocks[0])),
        *_build_down(first, second, _STRIDES[1]),
        *(ConvUnit(second, widths.mlp_ratio) for _ in range(widths.blocks[1])),
    )


def _build_late(in_channels: int, widths: UniFormerWidths) -> nn.Sequential:
    """The two stages of attention, and the last norm."""
    layers: list[nn.Module] = []
    channels = in_channels
    for width, blocks, stride in zip(
        widths.stages[2:], widths.blocks[2:], _STRIDES[2:], strict=True
    ):
        layers += _build_down(channels, width, stride)
        layers += [
            AttentionUnit(width, widths.head_width, widths.mlp_ratio)
            for _ in range(blocks)
        ]
        channels = width
    return nn.Sequential(*layers, build_norm(3, channels))


def _build_down(
    in_channels: int, out_channels: int, stride: int | Sequence[int]
) -> list[nn.Module]:
    return [
        build_conv(3, in_channels, out_channels, 3, stride=stride),
        build_norm(3, out_channels),
    ]


def _shrink(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Sides of a map; a stride of 4 is two of 2, which round up alike."""
    for step in strides:
        shape = [-(-n // s) for n, s in zip(shape, step, strict=True)]
    return tuple(shape)
