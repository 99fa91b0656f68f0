"""Sums of an overlap term and a pixel term, one key in the log.

To log the terms apart, list two losses in ``loss_decode`` instead.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmmed.functional.labelled_logits import LabelledLogits
from mmmed.functional.pixel_terms import (
    average_pixels,
    compute_cross_entropy,
    compute_label_weight,
)
from mmmed.models.losses.base import SegmentationLoss
from mmmed.models.losses.dice import LogDiceLoss, SoftDiceLoss
from mmmed.models.losses.focal import PixelFocalLoss
from mmmed.models.losses.tversky import SoftTverskyLoss
from mmmed.registry import MODELS


@MODELS.register_module()
class DiceCELoss(SegmentationLoss):
    """``dice_weight`` x soft Dice loss + ``ce_weight`` x cross-entropy.

    The cross-entropy (binary for one channel) is the mean over valid pixels; with
    class weights it is divided by the sum of the weights that were used, as torch does
    for ``ignore_index``. Its gradient reaches every pixel from the first step on,
    while Dice keeps a lesion of a few pixels from being outvoted. On images without
    lesion the cross-entropy alone teaches; the Dice term costs
    ``1 - s / (P + s)`` there (see :class:`SoftDiceLoss`).

    Args:
        dice_weight: Factor of the Dice term, >= 0.
        ce_weight: Factor of the cross-entropy, >= 0.
        class_weight: One weight a label, background first, for both terms.
        loss_name: Key in the training log.
        loss_weight: Factor on the sum.
        **kwargs: ``batch_dice``, ``include_background``, ``smooth`` of the Dice term.

    Raises:
        ValueError: A weight is negative, or both are 0.

    Source:
        Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (equal weights). Differs:
        per-image Dice by default, smoothing 1.
    """

    def __init__(
        self,
        *,
        dice_weight: float = 1.0,
        ce_weight: float = 1.0,
        class_weight: Sequence[float] | None = None,
        loss_name: str = 'loss_dice_ce',
        loss_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            loss_name=loss_name, loss_weight=loss_weight, class_weight=class_weight
        )
        _check_weights(dice_weight=dice_weight, ce_weight=ce_weight)
        self.dice_weight = dice_weight
        self.ce_weight = ce_weight
        self.dice = SoftDiceLoss(class_weight=class_weight, **kwargs)

    def compute(self, data: LabelledLogits) -> Tensor:
        """Weighted sum of both terms, a scalar."""
        weight = data.weight
        if self.class_weight is not None:
            weight = weight * compute_label_weight(data, self.class_weight)
        cross_entropy = average_pixels(compute_cross_entropy(data), weight)
        dice = self.dice.compute(data)
        return self.dice_weight * dice + self.ce_weight * cross_entropy


@MODELS.register_module()
class TverskyFocalLoss(SegmentationLoss):
    """``tversky_weight`` x Tversky loss + ``focal_weight`` x focal loss.

    Beware of the name: the RAX-Net code calls this sum "FocalTverskyLoss". It is not
    the focal *power* of the Tversky loss, which the literature calls so: that is
    :class:`mmmed.models.losses.tversky.FocalTverskyLoss`. On images without lesion
    both terms only punish false alarms. With ``batch_dice=True`` the defaults are that
    code's numbers.

    Args:
        tversky_weight: Factor of the Tversky term, >= 0.
        focal_weight: Factor of the focal term, >= 0.
        focal_alpha: ``alpha`` of :class:`PixelFocalLoss` (``alpha`` itself is the
            Tversky cost of a false positive).
        focal_gamma: ``gamma`` of :class:`PixelFocalLoss`.
        class_weight: One weight a label, background first, for both terms.
        loss_name: Key in the training log.
        loss_weight: Factor on the sum.
        **kwargs: ``alpha``, ``beta``, ``batch_dice``, ``include_background``,
            ``smooth`` of the Tversky term.

    Raises:
        ValueError: A weight is negative, or both are 0.

    Source:
        Sum of Salehi et al. 2017, arXiv:1706.05721, and Lin et al. 2017,
        arXiv:1708.02002; the defaults are those of stroke segmentation codes
        (alpha_t 0.8 for the lesion). Differs: None.
    """

    def __init__(
        self,
        *,
        tversky_weight: float = 1.0,
        focal_weight: float = 1.0,
        focal_alpha: float | None = 0.8,
        focal_gamma: float = 2.0,
        class_weight: Sequence[float] | None = None,
        loss_name: str = 'loss_tversky_focal',
        loss_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            loss_name=loss_name, loss_weight=loss_weight, class_weight=class_weight
        )
        _check_weights(tversky_weight=tversky_weight, focal_weight=focal_weight)
        self.tversky_weight = tversky_weight
        self.focal_weight = focal_weight
        self.tversky = SoftTverskyLoss(class_weight=class_weight, **kwargs)
        self.focal = PixelFocalLoss(
            alpha=focal_alpha, gamma=focal_gamma, class_weight=class_weight
        )

    def compute(self, data: LabelledLogits) -> Tensor:
        """Weighted sum of both terms, a scalar."""
        tversky = self.tversky_weight * self.tversky.compute(data)
        return tversky + self.focal_weight * self.focal.compute(data)


@MODELS.register_module()
class EnhancedMixingLoss(SegmentationLoss):
    """Focal loss - log(Dice) with squared denominators: the "EML" of D-UNet.

    Args:
        focal_alpha: ``alpha`` of :class:`PixelFocalLoss`.
        focal_gamma: ``gamma`` of :class:`PixelFocalLoss`.
        square_errors: Whether the denominators of Dice are squared.
        class_weight: One weight a label, background first, for both terms.
        loss_name: Key in the training log.
        loss_weight: Factor on the sum.
        **kwargs: ``batch_dice``, ``include_background``, ``smooth`` (> 0) of the Dice
            term. As published: ``batch_dice=True``.

    Raises:
        ValueError: A setting of a term is impossible.

    Source:
        Zhou et al. 2021, doi:10.1109/TCBB.2019.2939522, arXiv:1908.05104, from the
        formula (alpha 0.48, gamma 1.1, smoothing 1). Differs: per image by default.
    """

    def __init__(
        self,
        *,
        focal_alpha: float | None = 0.48,
        focal_gamma: float = 1.1,
        square_errors: bool = True,
        class_weight: Sequence[float] | None = None,
        loss_name: str = 'loss_eml',
        loss_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            loss_name=loss_name, loss_weight=loss_weight, class_weight=class_weight
        )
        self.log_dice = LogDiceLoss(
            square_errors=square_errors, class_weight=class_weight, **kwargs
        )
        self.focal = PixelFocalLoss(
            alpha=focal_alpha, gamma=focal_gamma, class_weight=class_weight
        )

    def compute(self, data: LabelledLogits) -> Tensor:
        """Sum of both terms, a scalar."""
        return self.focal.compute(data) + self.log_dice.compute(data)


def _check_weights(**weights: float) -> None:
    if min(weights.values()) < 0 or not sum(weights.values()):
        raise ValueError(f'term weights must be >= 0 and not all 0, got {weights}')
