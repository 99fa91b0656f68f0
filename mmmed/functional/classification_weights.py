"""Class counts, and what a class weighs in a loss.

Not here: the losses (``classification_losses``), which cases count (datasets).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RULES = ('inverse', 'balanced')


def count_classes(
    labels: ArrayLike, num_classes: int | None = None
) -> NDArray[np.int64]:
    """Cases of each class.

    Args:
        labels: Class indices, shape (n,); negative where the label is missing.
        num_classes: K; None for the largest label + 1, so that labels {0, 2} make
            three classes of which one is empty.

    Returns:
        Shape (K,); all zero without a label.

    Raises:
        ValueError: A label is not below ``num_classes``, or ``labels`` is not (n,).

    Example:
        >>> count_classes([0, 2, 2, -1]).tolist()
        [1, 0, 2]
    """
    array = np.asarray(labels, np.int64)
    if array.ndim != 1:
        raise ValueError(f'labels have shape {array.shape}, expected (n,)')
    known = array[array >= 0]
    if num_classes is not None and known.size and known.max() >= num_classes:
        raise ValueError(
            f'a label is {known.max()}, expected 0..{num_classes - 1}; correct the '
            'number of classes or the label'
        )
    return np.bincount(known, minlength=num_classes or 0).astype(np.int64)


def compute_class_weights(
    counts: Iterable[int], *, rule: str = 'balanced'
) -> NDArray[np.float64]:
    """Weights that make rare classes count as much as frequent ones.

    Args:
        counts: Cases of each class in the training fold, N in total.
        rule: ``'inverse'``: N / n_c. ``'balanced'``: N / (K n_c), K being the classes
            that occur, whose mean over the cases is 1.

    Returns:
        Shape (K,); 0 for a class without a case, which no loss ever meets.

    Raises:
        ValueError: Unknown rule, or a negative count.

    Source:
        ``'balanced'`` is scikit-learn's ``compute_class_weight``.

    Example:
        >>> compute_class_weights([30, 0, 10], rule='inverse').tolist()
        [1.3333333333333333, 0.0, 4.0]
    """
    if rule not in RULES:
        raise ValueError(f'rule is {rule!r}, expected one of {RULES}')
    array = np.asarray(list(counts), np.float64)
    if (array < 0).any():
        raise ValueError(f'counts are {array.tolist()}, expected >= 0')
    occurs = array > 0
    weights = np.zeros_like(array)
    weights[occurs] = array.sum() / array[occurs]
    if rule == 'balanced' and occurs.any():
        weights /= occurs.sum()
    return weights


def check_class_weights(weights: Sequence[float], num_classes: int) -> None:
    """Refuse weights that cannot be used.

    Raises:
        ValueError: Their number is not K, one is negative or none is positive.
    """
    if len(weights) != num_classes or min(weights) < 0 or not sum(weights):
        raise ValueError(
            f'class weights are {list(weights)}, expected {num_classes} numbers >= 0, '
            'not all 0'
        )
