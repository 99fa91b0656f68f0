"""MONAI's 3-D classifiers as backbones: volumes in, one vector a case out.

Thin: the layers are MONAI's, and MONAI is imported when one is built.
"""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmed.models.networks.monai_networks import load_monai
from mmmed.registry import MODELS


class MonaiEncoder(BaseModule):
    """What the wrappers share: (N, C, Z, Y, X) to (N, D).

    Args:
        net: MONAI's network, without its last linear layer.
        in_channels: C.
        out_channels: D.
        cam_layer: Module whose output are the last maps, for Grad-CAM.
    """

    dims = 3

    def __init__(
        self, net: nn.Module, *, in_channels: int, out_channels: int, cam_layer: str
    ) -> None:
        super().__init__()
        self.net = net
        self.in_channels, self.out_channels = in_channels, out_channels
        self.cam_layer = f'net.{cam_layer}'

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (N, D)."""
        return self.net(inputs).flatten(1)


@MODELS.register_module()
class MonaiResNetEncoder(MonaiEncoder):
    """3-D ResNet of MONAI.

    Args:
        in_channels: C.
        block: ``basic`` or ``bottleneck``.
        layers: Blocks of each stage.
        widths: Channels of each stage; a bottleneck gives four times as many.
        stem_stride: Of the first convolution; 1 for crops of few voxels.
        **kwargs: Others of ``monai.networks.nets.ResNet`` (``conv1_t_size``,
            ``no_max_pool``, ``norm`` ...).

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Chen et al. 2019, arXiv:1904.00625, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        block: str = 'basic',
        layers: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        stem_stride: int = 1,
        **kwargs: Any,
    ) -> None:
        net = load_monai('monai.networks.nets:ResNet')(
            block=block,
            layers=list(layers),
            block_inplanes=list(widths),
            spatial_dims=3,
            n_input_channels=in_channels,
            conv1_t_stride=stem_stride,
            feed_forward=False,
            **kwargs,
        )
        super().__init__(
            net,
            in_channels=in_channels,
            out_channels=widths[-1] * (1 if block == 'basic' else 4),
            cam_layer='layer4',
        )


@MODELS.register_module()
class MonaiDenseNetEncoder(MonaiEncoder):
    """3-D DenseNet of MONAI; the defaults are DenseNet-121.

    Args:
        in_channels: C.
        blocks: Layers of each dense block.
        growth: Channels that a layer adds.
        init_features: Channels of the first convolution.
        **kwargs: Others of ``monai.networks.nets.DenseNet``.

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Huang et al. 2017, arXiv:1608.06993, by way of MONAI.
    """

    def __init__(
        self,
        in_channels: int = 1,
        blocks: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        init_features: int = 64,
        **kwargs: Any,
    ) -> None:
        net = load_monai('monai.networks.nets:DenseNet')(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=1,
            init_features=init_features,
            growth_rate=growth,
            block_config=tuple(blocks),
            **kwargs,
        )
        width = net.class_layers.out.in_features
        net.class_layers.out = nn.Identity()
        # The ReLU after the last maps writes in place, over what a hook has kept.
        net.class_layers.relu = nn.ReLU()
        super().__init__(
            net, in_channels=in_channels, out_channels=width, cam_layer='features'
        )


@MODELS.register_module()
class MonaiEfficientNetEncoder(MonaiEncoder):
    """3-D EfficientNet of MONAI.

    Args:
        in_channels: C.
        variant: ``b0`` to ``b8``, ``l2``.
        **kwargs: Others of ``monai.networks.nets.EfficientNetBN``.

    Raises:
        ImportError: MONAI is not installed.

    Source:
        Tan and Le 2019, arXiv:1905.11946, by way of MONAI.
        Differs: convolutions are padded alike on both sides, at any size.
    """

    def __init__(
        self, in_channels: int = 1, variant: str = 'b0', **kwargs: Any
    ) -> None:
        net = load_monai('monai.networks.nets:EfficientNetBN')(
            f'efficientnet-{variant}',
            pretrained=False,
            spatial_dims=3,
            in_channels=in_channels,
            **kwargs,
        )
        width = net._fc.in_features
        net._fc = nn.Identity()
        _pad_any_size(net)
        super().__init__(
            net, in_channels=in_channels, out_channels=width, cam_layer='_conv_head'
        )


def _pad_any_size(net: nn.Module) -> None:
    """Pad each convolution by half its kernel.

    MONAI's padding is worked out for cubes of 224 voxels; a crop of few slices would
    shrink to less than a kernel.
    """
    for part in list(net.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Conv3d) and hasattr(part, f'{name}_padding'):
                z, y, x = (k // 2 for k in child.kernel_size)
                pad = nn.ConstantPad3d((x, x, y, y, z, z), 0.0)
                setattr(part, f'{name}_padding', pad)
