"""Tversky loss and its focal power."""

from typing import Any

from torch import Tensor

from mmmed.functional.soft_overlap import (
    SoftCounts,
    compute_focal_power,
    compute_tversky_index,
)
from mmmed.models.losses.base import OverlapLoss
from mmmed.registry import MODELS


@MODELS.register_module()
class SoftTverskyLoss(OverlapLoss):
    """One minus the Tversky index, mean over classes and images.

    The index is ``(TP + s) / (TP + alpha FP + beta FN + s)``. ``alpha`` weighs false
    positives, ``beta`` false negatives: ``beta > alpha`` favours recall. They need not
    add up to 1; with 0.5 and 0.5 (and half the ``smooth``) it is :class:`SoftDiceLoss`.

    A class absent from the target costs ``1 - s / (alpha P + s)``, P the probability
    given to it in pixels; the remark on ``smooth=0`` of :class:`SoftDiceLoss` holds.

    Args:
        alpha: Weight of false positives, >= 0.
        beta: Weight of false negatives, >= 0.
        loss_name: Key in the training log.
        **kwargs: See :class:`mmmed.models.losses.base.OverlapLoss`.

    Raises:
        ValueError: ``alpha`` or ``beta`` is negative, or both are 0.

    Source:
        Salehi et al. 2017, arXiv:1706.05721. Differs: smoothing, per image, ignored
        pixels left out.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        loss_name: str = 'loss_tversky',
        **kwargs: Any,
    ) -> None:
        super().__init__(loss_name=loss_name, **kwargs)
        if min(alpha, beta) < 0 or alpha + beta == 0:
            raise ValueError(
                f'alpha and beta must be >= 0 and not both 0, got {alpha} and {beta}'
            )
        self.alpha = alpha
        self.beta = beta

    def compute_error(self, counts: SoftCounts) -> Tensor:
        """1 - Tversky index, shape (R, C)."""
        return 1 - compute_tversky_index(
            counts, alpha=self.alpha, beta=self.beta, smooth=self.smooth
        )

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return f'alpha={self.alpha}, beta={self.beta}, {super().extra_repr()}'


@MODELS.register_module()
class FocalTverskyLoss(SoftTverskyLoss):
    """``(1 - Tversky index) ** (1 / gamma)``, mean over classes and images.

    ``gamma > 1`` raises small errors, so that classes already found keep a gradient.
    Below an error of 1e-6 the power is replaced by its chord, so the gradient stays
    finite at a perfect prediction. Absent classes as in :class:`SoftTverskyLoss`.

    Two traps of names. Where others write ``(1 - TI) ** g``, ``gamma`` here is
    ``1 / g``, as in the paper. And some codes, RAX-Net's among them, call a *sum* of
    Tversky and focal loss by this name: that is
    :class:`mmmed.models.losses.compound.TverskyFocalLoss`.

    Args:
        gamma: > 0; 1 gives :class:`SoftTverskyLoss`.
        loss_name: Key in the training log.
        **kwargs: ``alpha``, ``beta`` and those of the other overlap losses.

    Raises:
        ValueError: ``gamma`` is not positive.

    Source:
        Abraham & Khan 2019, arXiv:1810.07842 (gamma 4/3, alpha/beta 0.3/0.7). Differs:
        mean over classes instead of their sum, chord near 0.
    """

    def __init__(
        self,
        *,
        gamma: float = 4 / 3,
        loss_name: str = 'loss_focal_tversky',
        **kwargs: Any,
    ) -> None:
        super().__init__(loss_name=loss_name, **kwargs)
        if gamma <= 0:
            raise ValueError(f'gamma must be > 0, got {gamma}')
        self.gamma = gamma

    def compute_error(self, counts: SoftCounts) -> Tensor:
        """Powered error, shape (R, C)."""
        return compute_focal_power(super().compute_error(counts), gamma=self.gamma)

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return f'gamma={self.gamma}, {super().extra_repr()}'
