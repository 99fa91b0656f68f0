"""Soft Dice loss and its logarithm."""

from typing import Any

from torch import Tensor

from mmmed.functional.soft_overlap import SoftCounts, compute_soft_dice
from mmmed.models.losses.base import OverlapLoss
from mmmed.registry import MODELS


@MODELS.register_module()
class SoftDiceLoss(OverlapLoss):
    """One minus the soft Dice score, mean over classes and images.

    The score is ``(2 TP + s) / (2 TP + FP + FN + s)`` in each image and class. The
    background is left out by default: on a scan with 0.07 % lesion, predicting only
    background costs about 1, where a Dice that pools all channels charges 0.0007.

    A class absent from the target costs ``1 - s / (P + s)``, P the probability given to
    it in pixels: 0 when nothing is predicted, near 1 for large false alarms. With
    ``smooth=0`` such a class costs 1 with zero gradient unless P is exactly 0, so keep
    ``smooth`` > 0 (or ``batch_dice=True``) where images without lesion occur.

    With ``square_errors=True`` the denominator is ``sum(p^2) + sum(g^2) + s``, as in
    the first paper: sure pixels count, unsure ones hardly.

    Args:
        loss_name: Key in the training log.
        **kwargs: ``loss_weight``, ``class_weight``, ``batch_dice``,
            ``include_background``, ``smooth``, ``square_errors``; see
            :class:`mmmed.models.losses.base.OverlapLoss`.

    Source:
        Milletari et al. 2016, arXiv:1606.04797. Differs: first power in the
        denominator unless ``square_errors``, smoothing, per image, ignored pixels left
        out.
    """

    def __init__(self, *, loss_name: str = 'loss_dice', **kwargs: Any) -> None:
        super().__init__(loss_name=loss_name, **kwargs)

    def compute_error(self, counts: SoftCounts) -> Tensor:
        """1 - Dice, shape (R, C)."""
        return 1 - compute_soft_dice(counts, smooth=self.smooth)


class LogDiceLoss(SoftDiceLoss):
    """``-log`` of the soft Dice score, mean over classes and images.

    A part of :class:`mmmed.models.losses.compound.EnhancedMixingLoss`. Without bound:
    a lesion of n pixels that is missed altogether costs ``log(n / s + 1)``.

    Args:
        loss_name: Key in the training log.
        **kwargs: See :class:`SoftDiceLoss`; ``smooth`` must be > 0.

    Raises:
        ValueError: ``smooth`` is not positive: no overlap would cost infinity.
    """

    def __init__(self, *, loss_name: str = 'loss_log_dice', **kwargs: Any) -> None:
        super().__init__(loss_name=loss_name, **kwargs)
        if self.smooth <= 0:
            raise ValueError(f'smooth must be > 0 under a logarithm, got {self.smooth}')

    def compute_error(self, counts: SoftCounts) -> Tensor:
        """-log Dice, shape (R, C)."""
        return -compute_soft_dice(counts, smooth=self.smooth).log()
