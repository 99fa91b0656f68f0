"""VolumeClassifier: regions of several sequences to classes of several targets."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmmed.registry import MODELS
from mmmed.structures.roi_sample import ROISample


@MODELS.register_module()
class VolumeClassifier(BaseModel):
    """Classification of regions of interest inside the host's loops.

    Input: regions (N, S, C, Z, Y, X) of S sequences, and which of them are there,
    (N, S). Each prediction is a ``ROISample`` with ``pred_logits`` and ``pred_scores``
    by target.

    Args:
        network: Maps regions and their availability to features (N, D) or (N, T, D).
        head: See :class:`mmmed.models.cls_heads.MultiTargetHead`; ``in_channels`` may
            be left out, the network knows it (``out_channels``).
        data_preprocessor: See :class:`mmmed.models.data_preprocessors.\
ROIDataPreprocessor`, which is the default.
        train_cfg: Nothing; as in the host.
        test_cfg: Nothing; as in the host.
        init_cfg: As in the host.

    Raises:
        ValueError: The network gives tokens of other targets than the head reads.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        head: Mapping[str, Any],
        data_preprocessor: Mapping[str, Any] | None = None,
        train_cfg: Mapping[str, Any] | None = None,
        test_cfg: Mapping[str, Any] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        default = {'type': 'mmmed.ROIDataPreprocessor'}
        super().__init__(dict(data_preprocessor or default), init_cfg)
        self.network: nn.Module = MODELS.build(dict(network))
        head = dict(head)
        head.setdefault('in_channels', getattr(self.network, 'out_channels', None))
        self.head = MODELS.build(head)
        self._check_targets()
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg

    def _check_targets(self) -> None:
        """Tokens go to the head by position, so both must mean the same by it."""
        network: Any = self.network
        if getattr(network, 'num_tokens', None) is None:
            return
        given, expected = list(network.targets), list(self.head.targets)
        if given != expected:
            raise ValueError(
                f'the network has tokens of the targets {given}, the head expects '
                f'{expected}; give network.routing and head.targets one order'
            )

    def forward(
        self,
        inputs: Tensor,
        available: Tensor | None = None,
        data_samples: list[ROISample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """What the host's loops call.

        Args:
            inputs: Shape (N, S, C, Z, Y, X).
            available: Bool, shape (N, S); None if every sequence is there.
            data_samples: Samples with labels (``'loss'``) or metadata.
            mode: ``'loss'``, ``'predict'``, or ``'tensor'`` for logits by target.
        """
        if mode == 'loss':
            assert data_samples is not None
            return self.loss(inputs, available, data_samples)
        if mode == 'predict':
            return self.predict(inputs, available, data_samples)
        if mode == 'tensor':
            return self.head(self.extract_feat(inputs, available))
        raise ValueError(f"mode is {mode!r}, expected 'loss', 'predict' or 'tensor'")

    def extract_feat(self, inputs: Tensor, available: Tensor | None = None) -> Tensor:
        """Features (N, D) or (N, T, D)."""
        if available is None:
            available = inputs.new_ones(inputs.shape[:2], dtype=torch.bool)
        return self.network(inputs, available)

    def loss(
        self, inputs: Tensor, available: Tensor | None, data_samples: list[ROISample]
    ) -> dict[str, Tensor]:
        """Losses and accuracies of a batch; see ``MultiTargetHead.loss``."""
        return self.head.loss(self.extract_feat(inputs, available), data_samples)

    def predict(
        self,
        inputs: Tensor,
        available: Tensor | None = None,
        data_samples: list[ROISample] | None = None,
    ) -> list[ROISample]:
        """Samples with predictions, changed in place; new ones if none are given."""
        if data_samples is None:
            data_samples = [ROISample() for _ in inputs]
        return self.head.predict(self.extract_feat(inputs, available), data_samples)
