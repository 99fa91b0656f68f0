"""Pixel-wise loss terms from logits: cross-entropy and focal maps, and their mean.

All are computed from log-probabilities, so that no logit a half-precision network can
emit overflows. Not here: overlap terms (:mod:`mmmed.functional.soft_overlap`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmmed.functional.labelled_logits import LabelledLogits, compute_membership
from mmmed.functional.process_sum import sum_over_processes


def compute_cross_entropy(data: LabelledLogits) -> Tensor:
    """Cross-entropy of each pixel: ``-log p`` of its own label.

    Args:
        data: Output of :func:`prepare_labelled_logits`.

    Returns:
        Values >= 0 in nats, shape (N, *space); at ignored pixels meaningless, to be
        averaged with ``data.weight``.
    """
    if data.logits.shape[1] == 1:
        return -nn.functional.logsigmoid(_sign_by_target(data))
    return nn.functional.cross_entropy(data.logits, data.target, reduction='none')


def compute_focal_term(data: LabelledLogits, *, gamma: float) -> Tensor:
    """Focal term of each pixel: ``-(1 - p)^gamma log p`` of its own label.

    Args:
        data: Output of :func:`prepare_labelled_logits`.
        gamma: Focusing exponent >= 0; 0 gives cross-entropy.

    Returns:
        Values >= 0, shape (N, *space).

    Source:
        Lin et al. 2017, arXiv:1708.02002, eq. (4), without alpha.
    """
    cross_entropy = compute_cross_entropy(data)
    if gamma == 0:
        return cross_entropy
    # exp(gamma log(1 - p)) instead of a power: its gradient is finite at p = 1 for
    # every gamma, where (1 - p)^(gamma - 1) is not below gamma = 1.
    return torch.exp(gamma * _compute_log_rest(data)) * cross_entropy


def compute_label_weight(data: LabelledLogits, class_weight: Sequence[float]) -> Tensor:
    """Class weight of each pixel's own label.

    Args:
        data: Output of :func:`prepare_labelled_logits`.
        class_weight: One weight >= 0 a label, background first.

    Returns:
        Shape (N, *space).
    """
    return data.logits.new_tensor(class_weight)[data.target]


def average_pixels(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over all pixels of the batch, of all processes.

    Args:
        values: Shape (N, *space).
        weight: >= 0, same shape.

    Returns:
        ``sum(weight values) / sum(weight)``; 0 with zero gradient if all weights are 0.
    """
    terms = torch.stack([(values * weight).sum(), weight.sum()])
    costs, total = sum_over_processes(terms)
    return costs / torch.where(total > 0, total, 1.0)


def _sign_by_target(data: LabelledLogits) -> Tensor:
    score = data.logits.squeeze(1)  # (N, *space)
    return torch.where(data.target > 0, score, -score)


def _compute_log_rest(data: LabelledLogits) -> Tensor:
    """``log(1 - p)`` of each pixel's own label, shape (N, *space)."""
    if data.logits.shape[1] == 1:
        return nn.functional.logsigmoid(-_sign_by_target(data))
    own = compute_membership(data.target, data.num_classes)
    others = data.logits.masked_fill(own, -torch.inf)
    return others.logsumexp(dim=1) - data.logits.logsumexp(dim=1)
