"""Curves of classifiers over all thresholds; not here: their areas."""

import numpy as np
from numpy.typing import ArrayLike

from mmmed.functional.classification_counts import Floats


def compute_roc(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, Floats]:
    """Receiver operating characteristic.

    Args:
        scores: Shape (n,), higher for positive.
        positive: Bool, shape (n,).

    Returns:
        False and true positive rates, from (0, 0) to (1, 1), one point a different
        score: their trapezoids are the area. Both empty without a positive or a
        negative case.

    Example:
        >>> compute_roc([0.9, 0.1], [True, False])[1].tolist()
        [0.0, 1.0, 1.0]
    """
    values, truth = np.asarray(scores, float), np.asarray(positive, bool)
    if not truth.any() or truth.all():
        return np.empty(0), np.empty(0)
    order = np.argsort(-values, kind='stable')
    ends = np.append(np.diff(values[order]) != 0, True)
    right, wrong = (np.cumsum(part[order])[ends] for part in (truth, ~truth))
    return (
        np.concatenate([[0.0], wrong / (~truth).sum()]),
        np.concatenate([[0.0], right / truth.sum()]),
    )
