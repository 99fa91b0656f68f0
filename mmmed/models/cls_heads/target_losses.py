"""Registered losses of one target: class logits against labels that may be missing."""

from abc import ABCMeta, abstractmethod

from torch import Tensor, nn

from mmmed.functional.classification_losses import (
    average_terms,
    compute_cumulative_terms,
    compute_focal_terms,
)
from mmmed.registry import MODELS


class TargetLoss(nn.Module, metaclass=ABCMeta):
    """Mean over the labelled cases, each weighted by its class.

    Sums run over all processes of a distributed training; a batch without a label
    gives 0 with a gradient of 0.
    """

    @abstractmethod
    def compute_terms(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss (N,) of logits (N, K), 0 where the label is missing."""

    def forward(
        self, logits: Tensor, target: Tensor, class_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Weighted mean, and the number of labelled cases.

        Args:
            logits: Shape (N, K).
            target: Class indices, shape (N,); -1 where the label is missing.
            class_weight: Shape (K,); None for equal weights.
        """
        return average_terms(self.compute_terms(logits, target), target, class_weight)


@MODELS.register_module()
class TargetCrossEntropyLoss(TargetLoss):
    """Cross-entropy of the softmax."""

    def compute_terms(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :class:`TargetLoss`."""
        return compute_focal_terms(logits, target)


@MODELS.register_module()
class TargetFocalLoss(TargetLoss):
    """Focal loss, which turns to the cases that are still wrong.

    Args:
        gamma: Focus, >= 0; 0 is the cross-entropy.

    Raises:
        ValueError: ``gamma`` is negative.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f'gamma is {gamma}, expected >= 0')
        self.gamma = gamma

    def compute_terms(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :class:`TargetLoss`."""
        return compute_focal_terms(logits, target, gamma=self.gamma)


@MODELS.register_module()
class TargetOrdinalLoss(TargetLoss):
    """Cumulative cross-entropy, for classes that have an order."""

    def compute_terms(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :class:`TargetLoss`."""
        return compute_cumulative_terms(logits, target)
