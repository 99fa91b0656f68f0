"""What every backbone of the lesion classifiers shares: maps, then one vector a case.

Not here: several sequences (``fusion``, ``correlation_routing``).
"""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmed.models.networks.classification.layers import average_map


class ROIBackbone(BaseModule):
    """Features of one image stack: (N, C, [Z,] Y, X) to (N, D).

    Any image size will do: an axis of one voxel is not pooled further.

    Args:
        features: Image to its last maps, (N, D, [Z,] Y, X).
        in_channels: C.
        out_channels: D.
        dims: 2 or 3, the spatial axes.
        legacy_pool: See :func:`average_map`; the default takes the whole map.

    Attributes:
        cam_layer: Name of the module whose output are the last maps, for Grad-CAM.
    """

    cam_layer = 'features'

    def __init__(
        self,
        features: nn.Module,
        *,
        in_channels: int,
        out_channels: int,
        dims: int,
        legacy_pool: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.in_channels, self.out_channels = in_channels, out_channels
        self.dims = dims
        self.legacy_pool = legacy_pool

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (N, D).

        Raises:
            ValueError: The input has other axes or channels than the network.
        """
        if inputs.ndim != self.dims + 2 or inputs.shape[1] != self.in_channels:
            axes = 'Z, Y, X' if self.dims == 3 else 'Y, X'
            raise ValueError(
                f'{type(self).__name__} of dims={self.dims} reads '
                f'(N, {self.in_channels}, {axes}), got {tuple(inputs.shape)}'
            )
        return average_map(self.features(inputs), legacy_pool=self.legacy_pool)
