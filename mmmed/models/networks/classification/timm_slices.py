"""2-D encoders of timm on the slices of a volume. Not here: pretrained weights."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmed.registry import MODELS

POOLS = ('mean', 'attention')


@MODELS.register_module()
class TimmSliceEncoder(BaseModule):
    """Every slice through one 2-D network, and one vector of all slices.

    Input (N, C, Z, Y, X) with any number of slices, output (N, D). Nothing is
    downloaded: weights come from a file (``checkpoint_path``), unless
    ``pretrained=True`` is asked for.

    Args:
        in_channels: C.
        model: Name of timm (``resnet18``, ``convnext_atto``, ``vit_tiny_patch16_224``
            with ``img_size``, ...).
        pool: ``mean`` over slices, or ``attention``: a mean with learned weights.
        pretrained: Whether timm may fetch weights.
        **kwargs: Others of ``timm.create_model``.

    Attributes:
        cam_layer: Module whose output are the last maps of all slices, (N * Z, D, Y,
            X), those of a case together, for Grad-CAM.
        weights: A module without parameters whose output are the weights of slices,
            (N, Z): hook it to see them.

    Raises:
        ImportError: timm is not installed.
        ValueError: ``pool`` is unknown.

    Source:
        Attention: Ilse et al. 2018, arXiv:1802.04712, eq. (8).
    """

    dims = 3

    def __init__(
        self,
        in_channels: int = 1,
        model: str = 'resnet18',
        pool: str = 'attention',
        pretrained: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f'pool must be one of {POOLS}, got {pool!r}')
        self.net = _load_timm().create_model(
            model, pretrained=pretrained, in_chans=in_channels, num_classes=0, **kwargs
        )
        self.in_channels = in_channels
        # That of the pooled vector; a last convolution may widen num_features.
        self.out_channels: int = getattr(
            self.net, 'head_hidden_size', self.net.num_features
        )
        self.cam_layer = f'net.{self.net.feature_info[-1]["module"]}'
        self.pool = pool
        self.weights = nn.Softmax(dim=1)
        if pool == 'attention':
            self.score = nn.Sequential(
                nn.Linear(self.out_channels, self.out_channels),
                nn.Tanh(),
                nn.Linear(self.out_channels, 1, bias=False),
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (N, D)."""
        slices = inputs.transpose(1, 2).flatten(0, 1)
        # (N * Z, D) to (N, Z, D)
        vectors = self.net(slices).unflatten(0, (len(inputs), -1))
        if self.pool == 'mean':
            return vectors.mean(1)
        weights = self.weights(self.score(vectors).squeeze(-1))
        return torch.einsum('nz,nzd->nd', weights, vectors)


def _load_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f'TimmSliceEncoder needs timm, which cannot be imported ({error}); install '
            'it with: pip install "mmmed[timm]"'
        ) from error
    return timm
