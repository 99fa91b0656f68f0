"""VGG for lesion crops, in the published narrow widths and the standard ones."""

from torch import nn

from mmmed.models.networks.classification.backbone import ROIBackbone
from mmmed.models.networks.classification.layers import Halve, build_conv, build_norm
from mmmed.models.networks.classification.variants import VGG, find_variant
from mmmed.registry import MODELS


@MODELS.register_module()
class ROIVGG(ROIBackbone):
    """Convolutions of 3 with batch normalisation, and poolings by two.

    Input (N, C, [Z,] Y, X), output (N, D). Parameters with six channels in, two
    dimensions and one binary head: 5,802 (1.1) to 20,038,146 (19).

    Args:
        in_channels: C.
        variant: Row of ``variants.VGG``: 1.1 to 1.9, 11, 13, 16, 19.
        dims: 2 or 3.
        legacy_pool: See :class:`ROIBackbone`.

    Source:
        Simonyan and Zisserman 2015, arXiv:1409.1556; widths of RRMediCa.
    """

    def __init__(
        self,
        in_channels: int = 1,
        variant: str = '1.1',
        dims: int = 3,
        legacy_pool: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        channels = in_channels
        for width in find_variant('ROIVGG', VGG, variant):
            if isinstance(width, str):
                layers.append(Halve(dims))
                continue
            layers += [
                build_conv(dims, channels, width, 3, bias=True),
                build_norm(dims, width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        super().__init__(
            nn.Sequential(*layers),
            in_channels=in_channels,
            out_channels=channels,
            dims=dims,
            legacy_pool=legacy_pool,
        )
