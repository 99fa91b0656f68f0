"""Head of 3-D networks: losses on the labels' grid, at several depths if asked to."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmmed.functional.labelled_logits import prepare_labelled_logits
from mmmed.functional.probabilities import activate_logits, assign_labels
from mmmed.functional.soft_overlap import compute_soft_counts, compute_soft_dice
from mmmed.registry import MODELS


@MODELS.register_module()
class VolumeHead(BaseModule):
    """Losses and labels of logits that a network makes itself; has no parameters.

    Input: logits (N, ``out_channels``, Z, Y, X), or a list of them, the finest first,
    while a network with deep supervision trains. The losses are those of the house,
    for one channel (sigmoid) or K (softmax). Coarser logits are compared with the
    labels at the middle of their voxels and count half as much at each depth; the
    weights add up to 1.

    Args:
        num_classes: Labels, background included.
        out_channels: Channels of the network: 1 or ``num_classes``; None for 1 if
            there are two classes, else ``num_classes``.
        threshold: Probability that foreground must exceed, for one channel, in (0, 1).
        ignore_index: Label that takes part in nothing.
        loss_decode: Loss or losses; those of one ``loss_name`` are added.
        depth_weights: One weight >= 0 per depth, the finest first, in place of 1,
            1/2, 1/4 ...; they are scaled to add up to 1.

    Raises:
        ValueError: An option is impossible.
    """

    def __init__(
        self,
        num_classes: int,
        out_channels: int | None = None,
        threshold: float = 0.5,
        ignore_index: int = 255,
        loss_decode: dict | Sequence[dict] | None = None,
        depth_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if out_channels is None:
            out_channels = 1 if num_classes == 2 else num_classes
        if num_classes < 2 or out_channels not in (num_classes, 1):
            raise ValueError(
                f'out_channels is {out_channels} for {num_classes} classes, expected '
                'num_classes, or 1 for two classes'
            )
        if out_channels == 1 and num_classes != 2:
            raise ValueError(f'one channel cannot tell {num_classes} classes apart')
        if not 0 < threshold < 1:
            raise ValueError(f'threshold must lie in (0, 1), got {threshold}')
        if depth_weights is not None and (
            min(depth_weights) < 0 or not sum(depth_weights)
        ):
            raise ValueError(
                f'depth_weights are {list(depth_weights)}, expected >= 0, not all 0'
            )
        self.num_classes = num_classes
        self.out_channels = out_channels
        self.threshold = threshold
        self.ignore_index = ignore_index
        self.depth_weights = None if depth_weights is None else tuple(depth_weights)
        losses = loss_decode or {'type': 'mmmed.DiceCELoss', 'batch_dice': True}
        losses = [losses] if isinstance(losses, dict) else list(losses)
        self.loss_decode = nn.ModuleList([MODELS.build(loss) for loss in losses])

    def loss(
        self, inputs: Tensor | Sequence[Tensor], batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compute every loss.

        Args:
            inputs: Logits (N, K, Z, Y, X), or several, the finest first.
            batch_data_samples: Samples with ``gt_sem_seg`` of shape (1, Z, Y, X), all
                of one size.

        Returns:
            One scalar per ``loss_name``, and ``dice_train``, the soft Dice of all
            foreground in the batch at the finest depth, if there is any.

        Raises:
            ValueError: The network gives another number of channels, or there are
                more depths than ``depth_weights``.
        """
        depths = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        target = torch.stack([s.gt_sem_seg.data for s in batch_data_samples]).squeeze(1)
        losses: dict[str, Tensor] = {}
        for logits, weight in zip(depths, self._weigh(len(depths)), strict=True):
            self._check(logits)
            labels = pick_labels(target, logits.shape[2:])
            for part in self.loss_decode:
                name = str(part.loss_name)
                value = weight * part(logits, labels, ignore_index=self.ignore_index)
                losses[name] = losses[name] + value if name in losses else value
        losses.update(
            self._describe(depths[0], pick_labels(target, depths[0].shape[2:]))
        )
        return losses

    def predict(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (N, K, Z, Y, X), and labels (N, 1, Z, Y, X), uint8."""
        prob = activate_logits(logits)
        return prob, self.assign(prob)

    def assign(self, prob: Tensor) -> Tensor:
        """Labels (N, 1, Z, Y, X), uint8, of probabilities (N, K, Z, Y, X)."""
        return assign_labels(prob, threshold=self.threshold).to(torch.uint8)

    def _weigh(self, count: int) -> list[float]:
        given = self.depth_weights or tuple(0.5**depth for depth in range(count))
        if len(given) < count:
            raise ValueError(
                f'the network has {count} depths, expected at most {len(given)}, one '
                'for each of depth_weights'
            )
        total = sum(given[:count])
        return [weight / total for weight in given[:count]]

    def _check(self, logits: Tensor) -> None:
        if logits.shape[1] != self.out_channels:
            raise ValueError(
                f'the network gives {logits.shape[1]} channels, expected '
                f'{self.out_channels}; set out_channels of network and decode_head to '
                'the same number'
            )

    @torch.no_grad()
    def _describe(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        data = prepare_labelled_logits(logits, target, ignore_index=self.ignore_index)
        counts = compute_soft_counts(data, include_background=False, pool_batch=True)
        is_present = counts.tp + counts.fn > 0
        if not is_present.any():
            return {}
        dice = compute_soft_dice(counts, smooth=0.0)
        return {'dice_train': dice[is_present].mean()}


def pick_labels(target: Tensor, size: Sequence[int]) -> Tensor:
    """Labels at the middle of the voxels of a coarser grid over the same space.

    Args:
        target: Shape (N, Z, Y, X), integer.
        size: (Z, Y, X) of the grid.

    Returns:
        Shape (N, *size).
    """
    for axis, (n, wanted) in enumerate(zip(target.shape[1:], size, strict=True)):
        if n != wanted:
            place = (torch.arange(wanted, device=target.device) + 0.5) * n / wanted
            target = target.index_select(axis + 1, place.floor().long())
    return target
