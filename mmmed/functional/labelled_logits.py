"""Logits with their labels: checked, in full precision, ignored pixels made harmless.

Every segmentation loss starts here, so that one-channel and K-channel models, ignored
pixels and mixed precision are settled once. Not here: any loss.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class LabelledLogits(NamedTuple):
    """What every loss reads.

    Attributes:
        logits: Raw scores, shape (N, K, *space), float32 or float64. K = 1 means
            sigmoid scores of label 1; K > 1 means softmax scores of labels 0..K-1.
        target: Labels, shape (N, *space), int64, all within the classes.
        weight: Pixel weights >= 0, shape (N, *space), dtype of ``logits``; 0 where
            the pixel is ignored.
    """

    logits: Tensor
    target: Tensor
    weight: Tensor

    @property
    def num_classes(self) -> int:
        """Number of labels, background included: 2 for one channel, else K."""
        return max(2, self.logits.shape[1])


def prepare_labelled_logits(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int | None = 255,
) -> LabelledLogits:
    """Check and align logits, labels and weights for a loss.

    Half precision is raised to float32 *before* any exponential, which is all that
    autocast safety needs here. At ignored pixels the logit itself is replaced by 0:
    whatever it was (NaN included), it reaches neither the value nor the gradient, and
    the result still hangs on ``logits`` when every pixel is ignored.

    Args:
        logits: Raw scores, shape (N, K, *space), any floating dtype.
        target: Labels, shape (N, *space), integer or boolean.
        weight: Optional pixel weights >= 0, shape (N, *space).
        ignore_index: Label of pixels to leave out; None if there are none.

    Returns:
        Aligned tensors on the device of ``logits``.

    Raises:
        ValueError: Shapes do not fit, the target is not integer, or it holds a label
            that is neither a class nor ``ignore_index``.
    """
    _check_shapes(logits, target, weight)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    target = target.long()
    if ignore_index is None:
        valid = torch.ones_like(target, dtype=torch.bool)
    else:
        valid = target != ignore_index
    target = target.masked_fill(~valid, 0)
    _check_labels(target, max(2, logits.shape[1]), ignore_index)
    logits = logits.masked_fill(~valid.unsqueeze(1), 0.0)
    pixel_weight = valid.to(logits.dtype)
    if weight is not None:
        # masked_fill, not a product: a NaN weight of an ignored pixel must not count.
        pixel_weight = weight.to(pixel_weight).masked_fill(~valid, 0.0)
    return LabelledLogits(logits, target, pixel_weight)


def compute_membership(target: Tensor, num_classes: int, first: int = 0) -> Tensor:
    """Which pixel belongs to which class (a one-hot code that allocates bools only).

    Args:
        target: Labels, shape (N, *space).
        num_classes: Number of labels.
        first: First label to code; 1 leaves the background out.

    Returns:
        Boolean, shape (N, num_classes - first, *space).
    """
    labels = torch.arange(first, num_classes, device=target.device)
    return target.unsqueeze(1) == labels.view(1, -1, *[1] * (target.ndim - 1))


def _check_shapes(logits: Tensor, target: Tensor, weight: Tensor | None) -> None:
    expected = (logits.shape[0], *logits.shape[2:])
    if logits.ndim < 2 or tuple(target.shape) != expected:
        raise ValueError(
            f'target does not fit the logits, got target {tuple(target.shape)} and '
            f'logits {tuple(logits.shape)}, expected (N, K, *space) logits and '
            f'(N, *space) target; resize the logits or drop the channel of the target'
        )
    if weight is not None and tuple(weight.shape) != expected:
        raise ValueError(
            f'weight does not fit the target, got {tuple(weight.shape)}, expected '
            f'{expected}; give one weight a pixel, or use class_weight of the loss'
        )
    if not logits.is_floating_point() or target.is_floating_point():
        raise ValueError(
            f'wrong number types, got logits {logits.dtype} and target {target.dtype}, '
            f'expected floating logits and integer labels'
        )


def _check_labels(target: Tensor, num_classes: int, ignore_index: int | None) -> None:
    if target.numel() == 0:
        return
    lowest, highest = (int(value) for value in target.aminmax())
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f'target holds labels {lowest}..{highest}, expected 0..{num_classes - 1} '
            f'or ignore_index {ignore_index}; map the labels when preparing the data '
            f'(masks stored as 0/255 are the usual cause)'
        )
