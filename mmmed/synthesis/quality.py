"""Quality filter: which synthetic lesions a trained network finds.

A pure function of probabilities, for use on batches, outside the workers of the data
loader. Not here: the network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmmed.functional.masks import Box


def measure_found(prob: Tensor, lesions: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Share of each lesion's voxels with a probability at or above a threshold.

    Args:
        prob: Probability of lesion (after softmax or sigmoid, not logits), (N, Z, Y,
            X) or (Z, Y, X), in [0, 1].
        lesions: Number of the lesion at each voxel, from 1; 0 elsewhere. Same shape;
            numbers go on through the batch or start again in each item, then call
            once an item.
        threshold: In (0, 1].

    Returns:
        (L,), L the largest number; NaN for a number without voxels.

    Raises:
        ValueError: Shapes differ, or ``prob`` holds something else than probabilities,
            which is what makes every lesion look found.
    """
    if prob.shape != lesions.shape:
        raise ValueError(
            f'prob has shape {tuple(prob.shape)}, lesions {tuple(lesions.shape)}'
        )
    if prob.numel() and not (prob.min() >= 0 and prob.max() <= 1):
        raise ValueError(
            f'prob runs from {float(prob.min())} to {float(prob.max())}, expected '
            'probabilities in [0, 1]; apply softmax or sigmoid to logits first'
        )
    numbers = lesions.long().flatten()
    length = int(numbers.max()) + 1 if numbers.numel() else 1
    found = (prob >= threshold).flatten().to(torch.float64)
    total = torch.bincount(numbers, minlength=length)[1:].to(torch.float64)
    hits = torch.bincount(numbers, weights=found, minlength=length)[1:]
    return torch.where(total > 0, hits / total, torch.nan)


def number_lesions(label: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Numbers from 1 for lesions by their boxes, where label is 2; int64, same shape.

    Where boxes overlap, the later one wins.
    """
    numbers = torch.zeros(label.shape, dtype=torch.int64, device=label.device)
    for number, box in enumerate(boxes, start=1):
        numbers[box].masked_fill_(label[box] == 2, number)
    return numbers


def select_found(
    prob: Tensor, lesions: Tensor, *, threshold: float = 0.5, least_share: float = 0.5
) -> Tensor:
    """Which lesions are found: at least half of their voxels, by default; (L,) bool."""
    return measure_found(prob, lesions, threshold=threshold) >= least_share
