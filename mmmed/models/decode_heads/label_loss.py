"""What every head of ours shares: losses on the labels' grid, and a log that tells."""

from typing import Any

import torch
from mmseg.models.utils import resize
from torch import Tensor, nn

from mmmed.functional.labelled_logits import prepare_labelled_logits
from mmmed.functional.soft_overlap import compute_soft_counts, compute_soft_dice


class LabelLossMixin:
    """Training behaviour for a head of the host's, to be named before it as a base.

    The host logs ``acc_seg``, which for one channel is the share of background. This
    logs ``dice_train`` instead: soft Dice of all foreground classes in the batch
    (pooled over images, mean over classes), in [0, 1]. It is a log value without
    gradient, and absent for a batch without foreground, which says nothing about it.

    Args:
        threshold: Probability that foreground must exceed, for one channel. The
            host's default, 0.3, is a surprise for a sigmoid model.
        **kwargs: See :class:`mmseg.models.decode_heads.decode_head.BaseDecodeHead`;
            for binary models ``num_classes=2, out_channels=1``.

    Raises:
        ValueError: ``threshold`` lies outside (0, 1).
    """

    # Set by the host's constructor.
    align_corners: bool
    ignore_index: int | None
    loss_decode: nn.Module
    sampler: Any
    _stack_batch_gt: Any

    def __init__(self, *, threshold: float = 0.5, **kwargs: Any) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f'threshold must lie in (0, 1), got {threshold}')
        settings: Any = {'threshold': threshold, **kwargs}  # of the host's head
        super().__init__(**settings)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        """Compute every loss on the grid of the labels.

        Args:
            seg_logits: Logits of ``forward``, shape (N, K, Y_i, X_i).
            batch_data_samples: Samples with ``gt_sem_seg`` of shape (1, Y, X).

        Returns:
            One scalar per ``loss_name`` (losses of one name are added), and
            ``dice_train`` if the batch has foreground.
        """
        labels = self._stack_batch_gt(batch_data_samples)  # (N, 1, Y, X)
        seg_logits = self._resize_to(seg_logits, labels.shape[2:])
        weight = None
        if self.sampler is not None:
            weight = self.sampler.sample(seg_logits, labels)
        target = labels.squeeze(1)
        losses: dict[str, Tensor] = {}
        for part in self._list_losses():
            value = part(
                seg_logits, target, weight=weight, ignore_index=self.ignore_index
            )
            name = str(part.loss_name)
            losses[name] = losses[name] + value if name in losses else value
        losses.update(self._describe(seg_logits, target))
        return losses

    def _list_losses(self) -> list[nn.Module]:
        if isinstance(self.loss_decode, nn.ModuleList):
            return list(self.loss_decode)
        return [self.loss_decode]

    def _resize_to(self, seg_logits: Tensor, size: torch.Size) -> Tensor:
        if seg_logits.shape[2:] == size:
            return seg_logits
        return resize(
            seg_logits, size=size, mode='bilinear', align_corners=self.align_corners
        )

    @torch.no_grad()
    def _describe(self, seg_logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        data = prepare_labelled_logits(
            seg_logits, target, ignore_index=self.ignore_index
        )
        counts = compute_soft_counts(data, include_background=False, pool_batch=True)
        is_present = counts.tp + counts.fn > 0
        if not is_present.any():
            return {}
        dice = compute_soft_dice(counts, smooth=0.0)
        return {'dice_train': dice[is_present].mean()}
