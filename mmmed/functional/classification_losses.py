"""Losses of class logits with missing labels, in PyTorch.

A loss is made of terms, one a case, and of their mean over the labelled cases. Not
here: the registered classes (``mmmed.models.cls_heads``), losses of pixels
(``pixel_terms``).
"""

import torch
from torch import Tensor
from torch.nn import functional

from mmmed.functional.process_sum import sum_over_processes


def compute_focal_terms(
    logits: Tensor, target: Tensor, *, gamma: float = 0.0
) -> Tensor:
    """(1 - p_y)^gamma times the cross-entropy of each case.

    Args:
        logits: Shape (N, K).
        target: Class indices, shape (N,); negative where the label is missing.
        gamma: Focus on hard cases, >= 0; 0 is the cross-entropy.

    Returns:
        Shape (N,), float32 or float64; 0 where the label is missing.

    Source:
        Lin et al. 2017, arXiv:1708.02002, eq. (4), for K classes.
    """
    log_prob = functional.log_softmax(_raise_precision(logits), dim=1)
    known = target.clamp(min=0)[:, None]
    log_true = log_prob.gather(1, known)[:, 0]
    terms = -log_true
    if gamma:
        # expm1 keeps the gradient of confident cases exact.
        terms = (-torch.expm1(log_true)).clamp(min=1e-12) ** gamma * terms
    return torch.where(target >= 0, terms, torch.zeros_like(terms))


def compute_cumulative_terms(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy of "is it beyond class k?" over the K - 1 steps.

    For ordered classes: a prediction two classes off costs more than one that is a
    class off. The probabilities stay those of the softmax, so everything that works on
    K logits goes on working; for K = 2 it is the cross-entropy.

    Args:
        logits: Shape (N, K), K >= 2.
        target: Class indices, shape (N,); negative where the label is missing.

    Returns:
        Shape (N,); 0 where the label is missing.

    Source:
        Cumulative (all-threshold) form of ordinal regression, McCullagh 1980,
        doi:10.1111/j.2517-6161.1980.tb01109.x, with softmax probabilities.
    """
    log_prob = functional.log_softmax(_raise_precision(logits), dim=1)
    below = torch.logcumsumexp(log_prob, dim=1)[:, :-1]  # log P(y <= k), (N, K-1)
    beyond = torch.logcumsumexp(log_prob.flip(1), dim=1).flip(1)[:, 1:]
    steps = torch.arange(below.shape[1], device=target.device)
    is_beyond = target[:, None] > steps
    terms = -torch.where(is_beyond, beyond, below).mean(dim=1)
    return torch.where(target >= 0, terms, torch.zeros_like(terms))


def average_terms(
    terms: Tensor, target: Tensor, class_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Weighted mean of the terms of the labelled cases, over all processes.

    Args:
        terms: Shape (N,).
        target: Class indices, shape (N,); negative where the label is missing.
        class_weight: Shape (K,), >= 0; None for equal weights.

    Returns:
        The mean, and the number of labelled cases. Without a label the mean is 0 on the
        device of ``terms``, with a gradient of 0, so that the training goes on.
    """
    is_known = target >= 0
    weight = is_known.to(terms)
    if class_weight is not None:
        weight = weight * class_weight.to(terms)[target.clamp(min=0)]
    sums = torch.stack([(terms * weight).sum(), weight.sum(), is_known.to(terms).sum()])
    total, denominator, count = sum_over_processes(sums)
    safe = torch.where(denominator > 0, denominator, torch.ones_like(denominator))
    return total / safe, count


def _raise_precision(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()
