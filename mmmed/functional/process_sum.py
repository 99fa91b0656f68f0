"""Sums over the processes of a distributed training, differentiable.

A loss that is a ratio of sums (Dice over a batch, mean over valid pixels) is not the
mean of its values on parts of the batch. Summing above and below the fraction line over
all processes first makes it exactly the loss of the whole batch.
"""

import torch
import torch.distributed
from torch import Tensor


def sum_over_processes(value: Tensor) -> Tensor:
    """Sum of a term over all processes, for losses trained with averaged gradients.

    Every process must call it equally often. Distributed training averages the
    gradients of W processes; the local part therefore carries W times its gradient,
    so that the average is the gradient of the sum.

    Args:
        value: This process's term; any shape, equal in all processes.

    Returns:
        The sum, equal in all processes; ``value`` itself where nothing is
        distributed.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return value
    world_size = torch.distributed.get_world_size()
    if world_size == 1:
        return value
    local = value.detach()
    total = local.clone()
    torch.distributed.all_reduce(total)
    return total + world_size * (value - local)
