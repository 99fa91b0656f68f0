"""Pixel-wise focal loss."""

from typing import Any

from torch import Tensor

from mmmed.functional.labelled_logits import LabelledLogits
from mmmed.functional.pixel_terms import (
    average_pixels,
    compute_focal_term,
    compute_label_weight,
)
from mmmed.models.losses.base import SegmentationLoss
from mmmed.registry import MODELS


@MODELS.register_module()
class PixelFocalLoss(SegmentationLoss):
    """``-alpha_t (1 - p_t)^gamma log p_t``, mean over the valid pixels of the batch.

    Pure torch on every device and for every number of channels. ``alpha_t`` is
    ``alpha`` on foreground pixels (label > 0) and ``1 - alpha`` on background; it is
    not divided out. Class weights, if given, multiply it and are divided out, as in
    torch's cross-entropy. A batch without foreground is an ordinary batch: only the
    background term is left.

    Args:
        alpha: Share of the foreground in [0, 1]; None for no balancing (1 everywhere).
            The paper's 0.25 suits gamma = 2 on detection anchors; for lesions of a few
            pixels values above 0.5 are common (RAX-Net: 0.8).
        gamma: Focusing exponent >= 0; 0 gives (balanced) cross-entropy.
        loss_name: Key in the training log.
        **kwargs: ``loss_weight``, ``class_weight``.

    Raises:
        ValueError: ``alpha`` lies outside [0, 1] or ``gamma`` is negative.

    Source:
        Lin et al. 2017, arXiv:1708.02002, eq. (5). Differs: softmax for K > 1, mean
        over pixels instead of division by the number of positive anchors.
    """

    def __init__(
        self,
        *,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        loss_name: str = 'loss_focal',
        **kwargs: Any,
    ) -> None:
        super().__init__(loss_name=loss_name, **kwargs)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f'alpha must lie in [0, 1] or be None, got {alpha}')
        if gamma < 0:
            raise ValueError(f'gamma must be >= 0, got {gamma}')
        self.alpha = alpha
        self.gamma = gamma

    def compute(self, data: LabelledLogits) -> Tensor:
        """Weighted mean of the focal term, a scalar."""
        term = compute_focal_term(data, gamma=self.gamma)
        if self.alpha is not None:
            balance = [1 - self.alpha] + [self.alpha] * (data.num_classes - 1)
            term = term * compute_label_weight(data, balance)
        weight = data.weight
        if self.class_weight is not None:
            weight = weight * compute_label_weight(data, self.class_weight)
        return average_pixels(term, weight)

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return f'alpha={self.alpha}, gamma={self.gamma}, {super().extra_repr()}'
