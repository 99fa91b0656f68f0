"""Between logits, probabilities and labels, for one-channel and K-channel models, N-D.

Not here: losses, and anything that needs the truth.
"""

import torch
from torch import Tensor


def compute_probabilities(logits: Tensor, *, include_background: bool = True) -> Tensor:
    """Class probabilities of one-channel (sigmoid) or K-channel (softmax) logits.

    One channel ``z`` gives exactly what the two channels ``(0, z)`` give: every loss
    and metric can treat binary models as two-class ones.

    Args:
        logits: Shape (N, K, *space).
        include_background: Whether class 0 is kept.

    Returns:
        Values in [0, 1], shape (N, C, *space) with C = max(2, K), or one less without
        background.
    """
    if logits.shape[1] == 1:
        foreground = logits.sigmoid()
        if not include_background:
            return foreground
        # sigmoid(-z) keeps the digits that 1 - sigmoid(z) loses near 1.
        return torch.cat([(-logits).sigmoid(), foreground], dim=1)
    prob = logits.softmax(dim=1)
    return prob if include_background else prob[:, 1:]


def activate_logits(logits: Tensor) -> Tensor:
    """Probabilities in the layout of the logits.

    Args:
        logits: Shape (N, K, *space); half precision is raised to float32.

    Returns:
        Values in [0, 1], same shape: for K = 1 the foreground (sigmoid), for K > 1
        every class (softmax, sum 1).
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return compute_probabilities(logits, include_background=logits.shape[1] > 1)


def deactivate_probabilities(prob: Tensor, *, margin: float = 1e-7) -> Tensor:
    """Logits that :func:`activate_logits` turns into these probabilities.

    Args:
        prob: Values in [0, 1], shape (N, K, *space).
        margin: Distance from 0 and 1 to which probabilities are moved, so that the
            logits are finite.

    Returns:
        Logits, same shape; for K > 1 those whose exponentials sum to 1.
    """
    if prob.shape[1] == 1:
        return prob.logit(eps=margin)
    return prob.clamp_min(margin).log()


def assign_labels(prob: Tensor, *, threshold: float = 0.5) -> Tensor:
    """Labels from probabilities.

    Args:
        prob: Shape (N, K, *space), as of :func:`activate_logits`.
        threshold: For K = 1, the probability that foreground must exceed.

    Returns:
        int64 labels, shape (N, 1, *space): 0 or 1 for K = 1; for K > 1 the most
        probable class, the lowest one if several are.
    """
    if prob.shape[1] == 1:
        return (prob > threshold).long()
    return prob.argmax(dim=1, keepdim=True)
