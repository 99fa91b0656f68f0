"""One number that chooses between checkpoints of a model with several targets.

Not here: what a checkpoint predicts (``mmmed.evaluation``).
"""

import math
from collections.abc import Sequence


def compute_composite_score(
    correct: Sequence[int],
    labelled: Sequence[int],
    num_classes: Sequence[int],
    *,
    epoch: int | None = None,
    warmup_epochs: int = 120,
    penalty: float = 0.1,
) -> float:
    """Accuracy over all targets, each weighted by its number of classes.

    Early epochs can be held back: the score is multiplied with
    1 - penalty * max(0, warmup - epoch) / warmup, 0.9 at epoch 0 and 1 from epoch 120.

    Args:
        correct: Correct cases of each target.
        labelled: Its labelled cases; a target without any does not count.
        num_classes: Its classes.
        epoch: Finished epochs before this one, from 0; None for no penalty.
        warmup_epochs: Epochs until the penalty is gone, > 0.
        penalty: Share that is lost at epoch 0, in [0, 1].

    Returns:
        In [0, 1]; NaN without a labelled case.

    Raises:
        ValueError: Lengths differ, or an option is out of range.

    Source:
        Selection score of github.com/Ruijin-IMIT/RRMediCa (common.py).

    Example:
        >>> compute_composite_score([8, 5], [10, 10], [2, 6])
        0.575
    """
    if not len(correct) == len(labelled) == len(num_classes):
        raise ValueError(
            f'{len(correct)} correct, {len(labelled)} labelled and {len(num_classes)} '
            'num_classes, expected one of each a target'
        )
    if warmup_epochs <= 0 or not 0 <= penalty <= 1:
        raise ValueError(
            f'warmup_epochs is {warmup_epochs} and penalty {penalty}, expected > 0 and '
            'a share in [0, 1]'
        )
    above = sum(k * hit for k, hit in zip(num_classes, correct, strict=True))
    below = sum(k * n for k, n in zip(num_classes, labelled, strict=True))
    if not below:
        return math.nan
    missing = 0 if epoch is None else max(0, warmup_epochs - epoch)
    return above / below * (1 - penalty * missing / warmup_epochs)
