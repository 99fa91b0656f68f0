"""Overlap of probabilities with labels: soft counts, Dice and Tversky scores, N-D.

These are the differentiable counterparts of :mod:`mmmed.functional.overlap`, which
holds the metrics on hard masks. Not here: pixel-wise terms such as cross-entropy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmmed.functional.labelled_logits import LabelledLogits, compute_membership
from mmmed.functional.probabilities import compute_probabilities
from mmmed.functional.process_sum import sum_over_processes


class SoftCounts(NamedTuple):
    """Sums of probability over pixels, one row an image (or one row a batch).

    Attributes:
        tp: Probability given to the class where it is, shape (R, C).
        fp: Probability given to the class where it is not, shape (R, C).
        fn: Probability denied to the class where it is, shape (R, C).
        is_counted: Whether the row holds any pixel of weight > 0, shape (R, 1), bool.
    """

    tp: Tensor
    fp: Tensor
    fn: Tensor
    is_counted: Tensor


def compute_soft_counts(
    data: LabelledLogits,
    *,
    include_background: bool,
    pool_batch: bool,
    square_errors: bool = False,
) -> SoftCounts:
    """Weighted soft true positives, false positives and false negatives.

    Args:
        data: Output of :func:`prepare_labelled_logits`.
        include_background: Whether class 0 is counted.
        pool_batch: Sum over the batch (of all processes) too: R = 1, otherwise
            R = N.
        square_errors: Sum squares of the errors p and 1 - p in ``fp`` and ``fn``. The
            Dice score of such counts is the one with squared denominators: for
            labels g in {0, 1}, sum(g^2) + sum(p^2) = 2 sum(g p) + sum((p - g)^2).

    Returns:
        Counts in pixels (times weight); without squares, ``tp + fn`` is the size of
        the class.
    """
    first = 0 if include_background else 1
    member = compute_membership(data.target, data.num_classes, first)  # (N, C, *space)
    prob = compute_probabilities(data.logits, include_background=include_background)
    weight = data.weight.unsqueeze(1)  # (N, 1, *space)
    dims = tuple(range(2, prob.ndim))
    inside = member * weight
    # fp and fn are summed as such: differences of large sums would lose small lesions.
    false, missed = prob, 1 - prob
    if square_errors:
        false, missed = false.square(), missed.square()
    tp = _sum_pixels(prob * inside, dims)
    fp = _sum_pixels(false * (weight - inside), dims)
    fn = _sum_pixels(missed * inside, dims)
    is_counted = _sum_pixels(weight, dims) > 0
    if pool_batch:
        terms = torch.stack([tp, fp, fn]).sum(1, keepdim=True)
        tp, fp, fn = sum_over_processes(terms)
        counted_rows = is_counted.to(prob.dtype).sum(0, keepdim=True)
        is_counted = sum_over_processes(counted_rows) > 0
    return SoftCounts(tp, fp, fn, is_counted)


def compute_soft_dice(counts: SoftCounts, *, smooth: float) -> Tensor:
    """Soft Dice score ``(2 TP + s) / (2 TP + FP + FN + s)``.

    Args:
        counts: Soft counts, terms of shape (R, C).
        smooth: s >= 0, in pixels.

    Returns:
        Values in [0, 1], shape (R, C). A class absent from target and prediction has
        1, also with ``smooth=0``.

    Source:
        Milletari et al. 2016, arXiv:1606.04797, with the first power in the
        denominator (theirs: counts with ``square_errors``). Differs: smoothing term
        in both places.
    """
    overlap = 2 * counts.tp + smooth
    return _divide_or_one(overlap, overlap + counts.fp + counts.fn)


def compute_tversky_index(
    counts: SoftCounts, *, alpha: float, beta: float, smooth: float
) -> Tensor:
    """Tversky index ``(TP + s) / (TP + alpha FP + beta FN + s)``.

    Args:
        counts: Soft counts, terms of shape (R, C).
        alpha: Cost of a false positive, >= 0.
        beta: Cost of a false negative, >= 0. ``alpha + beta`` need not be 1;
            0.5 and 0.5 give Dice, 1 and 1 give IoU.
        smooth: s >= 0, in pixels.

    Returns:
        Values in [0, 1], shape (R, C); 1 where the class is absent from both.

    Source:
        Salehi et al. 2017, arXiv:1706.05721, eq. (3). Differs: smoothing term.
    """
    overlap = counts.tp + smooth
    return _divide_or_one(overlap, overlap + alpha * counts.fp + beta * counts.fn)


def compute_focal_power(error: Tensor, *, gamma: float, knee: float = 1e-6) -> Tensor:
    """``error ** (1 / gamma)`` with a finite slope at 0.

    For ``gamma > 1`` the power has an infinite slope at error 0, that is at a perfect
    prediction. Below ``knee`` it is replaced by its chord from the origin: the value
    stays continuous and 0 at 0, the slope stays finite and positive.

    Args:
        error: Values in [0, 1], such as 1 - Tversky index.
        gamma: > 0; above 1 small errors count more.
        knee: Error below which the chord is used.

    Returns:
        Same shape as ``error``.

    Source:
        Abraham & Khan 2019, arXiv:1810.07842, eq. (4) (their exponent is 1/gamma).
        Differs: the chord.
    """
    exponent = 1 / gamma
    # The inner clamp keeps the unused branch, hence its gradient, finite.
    power = error.clamp_min(knee) ** exponent
    return torch.where(error > knee, power, error * knee ** (exponent - 1))


def average_class_errors(
    error: Tensor, is_counted: Tensor, class_weight: Sequence[float] | None = None
) -> Tensor:
    """Weighted mean over rows and classes, of all processes.

    Rows without a counted pixel are left out.

    Args:
        error: Shape (R, C).
        is_counted: Shape (R, 1), bool.
        class_weight: C weights >= 0; None for equal ones.

    Returns:
        Scalar; 0 with zero gradient if no row is counted.
    """
    share = is_counted.to(error.dtype).expand_as(error)
    if class_weight is not None:
        share = share * error.new_tensor(class_weight)
    terms = torch.stack([(error * share).sum(), share.sum()])
    errors, total = sum_over_processes(terms)
    return errors / torch.where(total > 0, total, 1.0)


def _sum_pixels(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    # torch reads an empty tuple as "every dimension".
    return values.sum(dims) if dims else values


def _divide_or_one(numerator: Tensor, denominator: Tensor) -> Tensor:
    is_defined = denominator > 0
    quotient = numerator / torch.where(is_defined, denominator, 1.0)
    return torch.where(is_defined, quotient, 1.0)
