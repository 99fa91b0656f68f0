"""2-D encoders of timm on slices. Not here: reading weights (``encoder_weights``)."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmed.models.networks.classification.encoder_weights import load_encoder_weights
from mmmed.registry import MODELS

POOLS = ('mean', 'attention')
# timm's ways to read files that the checkpoint of a stranger may name.
_READERS = ('checkpoint_path', 'pretrained_cfg', 'pretrained_cfg_overlay')


@MODELS.register_module()
class TimmSliceEncoder(BaseModule):
    """Every slice through one 2-D network, and one vector of all slices.

    Input (N, C, Z, Y, X) with any number of slices, output (N, D). Nothing is
    downloaded.

    Args:
        in_channels: C.
        model: Name of timm (``resnet18``, ``efficientvit_m5``, ``repvit_m1_0``,
            ``mobilenetv4_hybrid_medium``, ``vit_tiny_patch16_224`` with ``img_size``,
            ...).
        pool: ``mean`` over slices, or ``attention``: a mean with learned weights.
        pretrained: File with weights of the same network, with any head: a checkpoint
            of a training of ours, or one of timm that was fetched before. It is read
            when a training starts, and not in tests. None for random weights.
        frozen: Whether the network stays as it is in training, running statistics of
            its normalisation too.
        **kwargs: Others of ``timm.create_model``.

    Attributes:
        cam_layer: Module whose output are the last maps of all slices, (N * Z, D, Y,
            X), those of a case together, for Grad-CAM.
        weights: A module without parameters whose output are the weights of slices,
            (N, Z): hook it to see them.

    Raises:
        ImportError: timm is not installed.
        ValueError: ``pool`` is unknown, or an option would fetch weights or read
            others than those of ``pretrained``.

    Source:
        Attention: Ilse et al. 2018, arXiv:1802.04712, eq. (8). The published RepViT
        and EfficientViT end with a head, which is not here: with
        ``MultiTargetHead(batch_norm=True)`` EfficientViT is complete, and RepViT has
        one head where the published one has a second for distillation.
    """

    dims = 3

    def __init__(
        self,
        in_channels: int = 1,
        model: str = 'resnet18',
        pool: str = 'attention',
        pretrained: str | None = None,
        frozen: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f'pool must be one of {POOLS}, got {pool!r}')
        _check_sources(model, pretrained, kwargs)
        self.net = _load_timm().create_model(
            model, pretrained=False, in_chans=in_channels, num_classes=0, **kwargs
        )
        self.in_channels = in_channels
        # That of the pooled vector; a last convolution may widen num_features.
        self.out_channels: int = getattr(
            self.net, 'head_hidden_size', self.net.num_features
        )
        self.cam_layer = f'net.{self.net.feature_info[-1]["module"]}'
        self.pool = pool
        self.pretrained = pretrained
        self.frozen = frozen
        self.weights = nn.Softmax(dim=1)
        if pool == 'attention':
            self.score = nn.Sequential(
                nn.Linear(self.out_channels, self.out_channels),
                nn.Tanh(),
                nn.Linear(self.out_channels, 1, bias=False),
            )
        if frozen:
            self.net.requires_grad_(False)

    def init_weights(self) -> None:
        """Those of the file, if one is given; the host calls this before training."""
        super().init_weights()
        if self.pretrained:
            load_encoder_weights(self.net, self.pretrained)

    def train(self, mode: bool = True) -> 'TimmSliceEncoder':
        """As in torch, without the network where it is frozen."""
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (N, D)."""
        slices = inputs.transpose(1, 2).flatten(0, 1)
        # (N * Z, D) to (N, Z, D)
        vectors = self.net(slices).unflatten(0, (len(inputs), -1))
        if self.pool == 'mean':
            return vectors.mean(1)
        weights = self.weights(self.score(vectors).squeeze(-1))
        return torch.einsum('nz,nzd->nd', weights, vectors)


def _check_sources(model: str, pretrained: Any, kwargs: dict[str, Any]) -> None:
    if pretrained is True:
        raise ValueError(
            'pretrained is True, expected a file; fetch the weights once and give '
            'their path'
        )
    wrong = [name for name in _READERS if name in kwargs]
    # "hf-hub:..." and the like name a server or a folder.
    if ':' in model or wrong:
        raise ValueError(
            f'model={model!r} {wrong or ""} would read other files, expected the name '
            'of a network of timm, with pretrained=FILE for its weights'
        )


def _load_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f'TimmSliceEncoder needs timm, which cannot be imported ({error}); install '
            'it with: pip install "mmmed[timm]"'
        ) from error
    return timm
