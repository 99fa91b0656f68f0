"""Widths of the published lesion classifiers: one table a family, and only here.

Source: the networks of RRMediCa (github.com/Ruijin-IMIT/RRMediCa@4ad848b, MIT; facts
only), whose parameter counts the tests hold. Not here: layers.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

_Settings = TypeVar('_Settings')


class ResNetWidths(NamedTuple):
    """Stem and four stages of a residual network.

    Attributes:
        stem: Channels of the first convolution.
        stages: Channels of each stage, before ``expansion``.
        blocks: Blocks of each stage.
        bottleneck: Blocks of three convolutions, four times as wide at their end.
    """

    stem: int
    stages: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    bottleneck: bool = False


class DenseNetWidths(NamedTuple):
    """Layers of each dense block, and the channels that a layer adds."""

    blocks: tuple[int, int, int, int]
    growth: int


class ShuffleNetWidths(NamedTuple):
    """Channels of three stages and of the last convolution; units after the first."""

    stages: tuple[int, int, int]
    last: int
    units: tuple[int, int, int] = (3, 7, 3)


class UniFormerWidths(NamedTuple):
    """Four stages of a UniFormer.

    Attributes:
        stages: Channels of each stage.
        head_width: Channels of one attention head.
        mlp_ratio: Hidden channels of an MLP, in channels of its stage.
        blocks: Blocks of each stage.
    """

    stages: tuple[int, int, int, int]
    head_width: int
    mlp_ratio: int
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)


# Channels of a convolution, or 'M' for a pooling by two.
VGG: dict[str, tuple[int | str, ...]] = {
    '1.1': (8, 'M', 16, 'M', 16, 8, 'M', 8, 'M'),
    '1.2': (16, 'M', 8, 'M', 16, 8, 'M', 4, 'M'),
    '1.3': (16, 'M', 32, 'M', 16, 16, 'M', 8, 'M'),
    '1.4': (16, 'M', 16, 'M', 16, 16, 'M', 8, 'M'),
    '1.5': (32, 'M', 16, 'M', 32, 'M', 16, 'M'),
    '1.6': (32, 'M', 16, 'M', 32, 'M', 32, 16, 'M'),
    '1.7': (32, 'M', 16, 'M', 32, 32, 'M', 32, 16, 'M'),
    '1.8': (32, 'M', 64, 'M', 64, 64, 'M', 64, 32, 'M'),
    '1.9': (32, 'M', 32, 'M', 32, 32, 'M', 32, 32, 'M'),
}
for _name, _repeats in {
    '11': (1, 1, 2, 2, 2),
    '13': (2, 2, 2, 2, 2),
    '16': (2, 2, 3, 3, 3),
    '19': (2, 2, 4, 4, 4),
}.items():
    _layers: list[int | str] = []
    for _width, _repeat in zip((64, 128, 256, 512, 512), _repeats, strict=True):
        _layers += [_width] * _repeat + ['M']
    VGG[_name] = tuple(_layers)

_SHALLOW, _DEEP = (2, 2, 2, 2), (3, 4, 6, 3)
RESNET = {
    '1.1': ResNetWidths(8, (8, 8, 16, 32), _SHALLOW),
    '1.2': ResNetWidths(8, (8, 8, 16, 32), _DEEP),
    '1.3': ResNetWidths(16, (16, 32, 32, 64), _SHALLOW),
    '1.4': ResNetWidths(16, (16, 32, 32, 64), _DEEP),
    '1.5': ResNetWidths(8, (8, 16, 128, 128), _DEEP, bottleneck=True),
    '18': ResNetWidths(64, (64, 128, 256, 512), _SHALLOW),
    '34': ResNetWidths(64, (64, 128, 256, 512), _DEEP),
    '50': ResNetWidths(64, (64, 128, 256, 512), _DEEP, bottleneck=True),
}

DENSENET = {
    '1.1': DenseNetWidths((2, 2, 4, 6), 4),
    '1.2': DenseNetWidths((2, 4, 8, 6), 4),
    '1.3': DenseNetWidths((2, 4, 8, 6), 8),
    '1.4': DenseNetWidths((4, 6, 12, 8), 8),
    '1.5': DenseNetWidths((6, 8, 16, 12), 8),
    'cifar': DenseNetWidths((6, 12, 24, 16), 12),
    '121': DenseNetWidths((6, 12, 24, 16), 32),
    '169': DenseNetWidths((6, 12, 32, 32), 32),
    '201': DenseNetWidths((6, 12, 48, 32), 32),
    '161': DenseNetWidths((6, 12, 36, 24), 48),
}

# '1.5' is the wide network of the original paper, unlike '1.1' to '1.4'.
SHUFFLENET = {
    '1.1': ShuffleNetWidths((8, 24, 32), 64, units=(2, 2, 2)),
    '1.2': ShuffleNetWidths((8, 24, 32), 64),
    '1.3': ShuffleNetWidths((16, 64, 96), 128),
    '1.4': ShuffleNetWidths((32, 64, 128), 256),
    '0.5': ShuffleNetWidths((48, 96, 192), 1024),
    '1': ShuffleNetWidths((116, 232, 464), 1024),
    '1.5': ShuffleNetWidths((176, 352, 704), 1024),
    '2': ShuffleNetWidths((224, 488, 976), 2048),
}

UNIFORMER = {
    '1.1': UniFormerWidths((32, 64, 128, 256), 32, 4),
    '1.2': UniFormerWidths((32, 48, 64, 96), 16, 2),
    '1.3': UniFormerWidths((16, 32, 64, 128), 8, 2),
    '1.4': UniFormerWidths((8, 16, 64, 128), 8, 2),
    '1.5': UniFormerWidths((8, 16, 64, 128), 8, 2, blocks=(2, 3, 6, 4)),
}

# The correlation routing network: the residual network, cut after its second stage.
CRN = {
    '0.1': ResNetWidths(4, (6, 6, 8, 8), _SHALLOW),
    '0.2': ResNetWidths(8, (8, 8, 8, 8), _SHALLOW),
    '0.3': ResNetWidths(8, (8, 8, 8, 16), _SHALLOW),
    **{name: RESNET[name] for name in ('1.1', '1.2', '1.3', '1.4', '1.5')},
}


def find_variant(
    family: str, variants: Mapping[str, _Settings], name: str | float
) -> _Settings:
    """One row of a table.

    Args:
        family: What the error calls the table.
        variants: The table.
        name: A key; a number is taken too, because ``--cfg-options variant=1.1`` gives
            one.

    Raises:
        ValueError: The table has no such row; the message lists what it has.
    """
    key = name if isinstance(name, str) else f'{name:g}'
    if key not in variants:
        raise ValueError(
            f'{family} has no variant {name!r}; it has {", ".join(variants)}'
        )
    return variants[key]
