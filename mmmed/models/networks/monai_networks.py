"""MONAI's 3-D networks as parts of a recipe: volumes in, logits of their size out.

Thin: the layers are MONAI's, and MONAI is imported when one is built. What is added is
one interface: deep supervision as a list, any input size, activation checkpointing.
Not here: losses and depth weights (``decode_heads.volume_head``).
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmed.models.networks.activation_checkpointing import checkpoint_modules
from mmmed.registry import MODELS

_Sizes = Sequence[int] | Sequence[Sequence[int]]


class MonaiNetwork(BaseModule):
    """What the wrappers share.

    Input: (N, C, Z, Y, X), of any size: it is padded at the end to a multiple of what
    the network halves it to, and the logits are cut. Output: logits (N, K, Z, Y, X);
    with deep supervision and while it trains a list of them, the finest first.

    Args:
        net: MONAI's network.
        divisors: What (Z, Y, X) must be multiples of.
        checkpointed: Kinds of blocks that activation checkpointing may repeat, as
            ``module:class`` of MONAI.
    """

    def __init__(
        self, net: nn.Module, divisors: Sequence[int], checkpointed: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.net = net
        self.divisors = tuple(divisors)
        self._checkpointed = tuple(checkpointed)

    def forward(self, inputs: Tensor) -> Tensor | list[Tensor]:
        """Logits of volumes (N, C, Z, Y, X)."""
        size = inputs.shape[2:]
        missing = [-n % d for n, d in zip(size, self.divisors, strict=True)]
        if all(
            n + m == d for n, m, d in zip(size, missing, self.divisors, strict=True)
        ):
            # Instance normalisation of the deepest level needs more than one voxel.
            missing[2] += self.divisors[2]
        if any(missing):
            amounts = [amount for more in reversed(missing) for amount in (0, more)]
            inputs = nn.functional.pad(inputs, amounts)
        outputs = self.run(inputs)
        if isinstance(outputs, Tensor):
            return _cut(outputs, inputs.shape[2:], size)
        return [_cut(output, inputs.shape[2:], size) for output in outputs]

    def run(self, inputs: Tensor) -> Tensor | list[Tensor]:
        """Logits of volumes whose size fits; a wrapper may change their form."""
        return self.net(inputs)

    def checkpoint_activations(self) -> None:
        """Keep only the inputs of blocks; inner activations are computed again."""
        kinds = tuple(load_monai(name) for name in self._checkpointed)
        if not kinds or not checkpoint_modules(self.net, kinds):
            raise ValueError(
                f'{type(self).__name__} has no blocks to repeat; set '
                'activation_checkpointing=False'
            )


@MODELS.register_module()
class MonaiUNet(MonaiNetwork):
    """Residual U-Net of MONAI.

    With the defaults, one channel in and three out, 4,807,482 parameters: the U-Net
    of the published liver tumor recipes. It has no deep supervision.

    Args:
        in_channels: Of the images.
        out_channels: Logits.
        channels: Of each level.
        strides: Between levels.
        num_res_units: Convolutions of a level's residual unit; 0 for plain ones.
        **kwargs: Others of ``monai.networks.nets.UNet`` (``act``, ``norm``,
            ``dropout``, ``kernel_size`` ...).

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Kerfoot et al. 2019, doi:10.1007/978-3-030-12029-0_40, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        strides: Sequence[int] = (2, 2, 2, 2),
        num_res_units: int = 2,
        **kwargs: Any,
    ) -> None:
        net = load_monai('monai.networks.nets:UNet')(
            3,
            in_channels,
            out_channels,
            tuple(channels),
            tuple(strides),
            num_res_units=num_res_units,
            **kwargs,
        )
        blocks = 'monai.networks.blocks:'
        super().__init__(
            net,
            _multiply(strides),
            (blocks + 'ResidualUnit', blocks + 'Convolution'),
        )
        self.in_channels, self.out_channels = in_channels, out_channels


@MODELS.register_module()
class MonaiSwinUNETR(MonaiNetwork):
    """Swin UNETR of MONAI, the first version.

    One channel in and three out: 4,078,269 (tiny, ``feature_size=12``), 15,703,413
    (small, 24) and 62,187,525 (base, 48) parameters. It has no deep supervision.

    Args:
        in_channels: Of the images.
        out_channels: Logits.
        feature_size: Channels of the first stage, a multiple of 12.
        transposed_bias: Whether the five transposed convolutions have a bias. They
            had up to MONAI 1.3 and in published weights; MONAI 1.6 leaves it out, 16
            times ``feature_size`` parameters.
        **kwargs: Others of ``monai.networks.nets.SwinUNETR`` (``use_checkpoint``,
            ``use_v2``, ``drop_rate`` ...).

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Hatamizadeh et al. 2022, arXiv:2201.01266, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        feature_size: int = 48,
        transposed_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        net = load_monai('monai.networks.nets:SwinUNETR')(
            in_channels=in_channels,
            out_channels=out_channels,
            feature_size=feature_size,
            **kwargs,
        )
        super().__init__(net, (32, 32, 32))
        self.in_channels, self.out_channels = in_channels, out_channels
        if transposed_bias:
            for module in net.modules():
                if isinstance(module, nn.ConvTranspose3d) and module.bias is None:
                    module.bias = nn.Parameter(torch.zeros(module.out_channels))

    def checkpoint_activations(self) -> None:
        """Use the network's own way: whole stages of the transformer."""
        for module in self.net.modules():
            if hasattr(module, 'use_checkpoint'):
                vars(module)['use_checkpoint'] = True


@MODELS.register_module()
class MonaiDynUNet(MonaiNetwork):
    """The U-Net of nnU-Net as MONAI has it.

    With the defaults, one channel in and three out, 16,538,563 parameters. Deep
    supervision adds one head per coarse depth.

    Args:
        in_channels: Of the images.
        out_channels: Logits.
        kernel_size: Of each level, one number or three.
        strides: Of each level, the first is 1.
        norm_name: As in MONAI.
        deep_supervision: Whether coarser depths are trained too.
        deep_supr_num: How many of them.
        **kwargs: Others of ``monai.networks.nets.DynUNet`` (``filters``,
            ``res_block``, ``dropout`` ...).

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        kernel_size: _Sizes = (3, 3, 3, 3, 3),
        strides: _Sizes = (1, 2, 2, 2, 2),
        norm_name: str | tuple = 'instance',
        deep_supervision: bool = False,
        deep_supr_num: int = 2,
        **kwargs: Any,
    ) -> None:
        steps = [_to_triple(stride) for stride in strides]
        net = load_monai('monai.networks.nets:DynUNet')(
            3,
            in_channels,
            out_channels,
            [_to_triple(kernel) for kernel in kernel_size],
            steps,
            steps[1:],
            norm_name=norm_name,
            deep_supervision=deep_supervision,
            deep_supr_num=deep_supr_num,
            **kwargs,
        )
        blocks = 'monai.networks.blocks.dynunet_block:'
        super().__init__(
            net,
            _multiply(steps),
            tuple(blocks + n for n in ('UnetBasicBlock', 'UnetResBlock')),
        )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.deep_supervision = deep_supervision
        self._steps = steps

    def run(self, inputs: Tensor) -> Tensor | list[Tensor]:
        """Logits, each depth on its own grid."""
        outputs = self.net(inputs)
        if not (self.deep_supervision and self.training):
            return outputs
        # MONAI hands out all depths enlarged to the finest by repeating voxels, at
        # the memory of the finest; every n-th voxel is what the head gave.
        depths = [outputs[:, 0]]
        factor = (1, 1, 1)
        for depth in range(1, outputs.shape[1]):
            z, y, x = (f * s for f, s in zip(factor, self._steps[depth], strict=True))
            factor = (z, y, x)
            depths.append(outputs[:, depth, :, ::z, ::y, ::x])
        return depths


@MODELS.register_module()
class MonaiSegResNet(MonaiNetwork):
    """SegResNet of MONAI, with or without deep supervision.

    Args:
        in_channels: Of the images.
        out_channels: Logits.
        init_filters: Channels of the first level.
        blocks_down: Residual blocks of each level.
        deep_supervision: Whether coarser depths are trained too; this is MONAI's
            ``SegResNetDS``, whose decoder differs from ``SegResNet``'s.
        depths: Depths that are trained then, the finest included.
        **kwargs: Others of ``monai.networks.nets.SegResNet`` or ``SegResNetDS``.

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Myronenko 2018, arXiv:1810.11654, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        init_filters: int = 16,
        blocks_down: Sequence[int] = (1, 2, 2, 4),
        deep_supervision: bool = False,
        depths: int = 3,
        **kwargs: Any,
    ) -> None:
        options = {
            'spatial_dims': 3,
            'in_channels': in_channels,
            'out_channels': out_channels,
            'init_filters': init_filters,
            'blocks_down': tuple(blocks_down),
            **kwargs,
        }
        if deep_supervision:
            options = {'norm': 'instance', 'dsdepth': depths, **options}
            name, block = 'SegResNetDS', 'monai.networks.nets.segresnet_ds:SegResBlock'
        else:
            options.setdefault('blocks_up', (1,) * (len(blocks_down) - 1))
            name, block = 'SegResNet', 'monai.networks.blocks.segresnet_block:ResBlock'
        net = load_monai('monai.networks.nets:' + name)(**options)
        super().__init__(net, (2 ** (len(blocks_down) - 1),) * 3, (block,))
        self.in_channels, self.out_channels = in_channels, out_channels


def load_monai(name: str) -> Any:
    """A class of MONAI by ``module:class``."""
    module, _, part = name.partition(':')
    try:
        return getattr(import_module(module), part)
    except ImportError as error:
        raise ImportError(
            f'{part} is a network of MONAI, which is not installed ({error}); install '
            'it with: pip install "mmmed[volumes]"'
        ) from error


def _cut(output: Tensor, padded: Sequence[int], size: Sequence[int]) -> Tensor:
    """The part of (coarse) logits of a padded input that shows the input."""
    keep = [
        -(-n * m // p) for n, p, m in zip(size, padded, output.shape[2:], strict=True)
    ]
    z, y, x = keep
    return output[..., :z, :y, :x]


def _to_triple(value: int | Sequence[int]) -> tuple[int, int, int]:
    z, y, x = (value,) * 3 if isinstance(value, int) else value
    return z, y, x


def _multiply(strides: _Sizes) -> tuple[int, int, int]:
    z = y = x = 1
    for stride in strides:
        step = _to_triple(stride)
        z, y, x = z * step[0], y * step[1], x * step[2]
    return z, y, x
