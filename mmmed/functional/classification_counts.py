"""Scores of class labels, from confusion matrices.

A matrix has the true class in rows and the predicted class in columns, and may be one
of many: every function takes (..., K, K), so that all resamples of a bootstrap are
scored at once. A share without a case below its line is NaN. Not here: scores of
probabilities (``classification_ranking``, ``calibration``).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
CLASS_SCORES = ('sensitivity', 'specificity', 'ppv', 'npv', 'f1')


def count_confusion(
    truth: ArrayLike,
    pred: ArrayLike,
    num_classes: int,
    weights: ArrayLike | None = None,
) -> Floats:
    """Confusion matrix, or one for each row of weights.

    Args:
        truth: Class indices in 0..K-1, shape (n,).
        pred: Likewise.
        num_classes: K.
        weights: How often each case counts, shape (B, n); None for once.

    Returns:
        Shape (K, K), or (B, K, K) with weights.

    Raises:
        ValueError: Shapes differ, or a class is out of range.

    Example:
        >>> count_confusion([0, 1, 1], [0, 0, 1], 2).tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """
    true, found = np.asarray(truth, np.int64), np.asarray(pred, np.int64)
    if true.ndim != 1 or true.shape != found.shape:
        raise ValueError(
            f'truth and pred have shapes {true.shape} and {found.shape}, expected '
            '(n,) twice'
        )
    both = np.concatenate([true, found])
    if both.size and (both.min() < 0 or both.max() >= num_classes):
        raise ValueError(
            f'classes lie in {both.min()}..{both.max()}, expected 0..{num_classes - 1}'
        )
    cells = true * num_classes + found
    size = num_classes**2
    if weights is None:
        flat = np.bincount(cells, minlength=size).astype(np.float64)
        return flat.reshape(num_classes, num_classes)
    given = np.asarray(weights, np.float64)
    # Cell by cell of the few that occur: no (n, K^2) table of indicators.
    counts = np.zeros((len(given), size))
    for cell in np.unique(cells):
        counts[:, cell] = given[:, cells == cell].sum(axis=1)
    return counts.reshape(-1, num_classes, num_classes)


def compute_accuracy(confusion: Floats) -> Floats:
    """Share of cases whose class was found, (...)."""
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return divide(hits, confusion.sum(axis=(-2, -1)))


def compute_balanced_accuracy(confusion: Floats) -> Floats:
    """Mean sensitivity of the classes that have cases, (...)."""
    return average_defined(compute_class_scores(confusion)['sensitivity'])


def compute_macro_f1(confusion: Floats) -> Floats:
    """Mean F1 of the classes that occur in truth or prediction, (...)."""
    return average_defined(compute_class_scores(confusion)['f1'])


def compute_kappa(confusion: Floats, *, quadratic: bool = False) -> Floats:
    """Cohen's kappa: agreement beyond chance, (...).

    Args:
        confusion: Shape (..., K, K).
        quadratic: Whether a miss costs the square of its distance, for ordered classes.

    Source:
        Cohen 1960, doi:10.1177/001316446002000104; 1968, doi:10.1037/h0026256.
    """
    size = confusion.shape[-1]
    place = np.arange(size)
    cost = (place[:, None] - place) ** 2.0 if quadratic else 1.0 - np.eye(size)
    total = confusion.sum(axis=(-2, -1))
    expected = confusion.sum(-1)[..., :, None] * confusion.sum(-2)[..., None, :]
    observed_cost = (cost * confusion).sum(axis=(-2, -1))
    expected_cost = divide((cost * expected).sum(axis=(-2, -1)), total)
    return 1 - divide(observed_cost, expected_cost)


def compute_class_scores(confusion: Floats) -> dict[str, Floats]:
    """Each class against the rest.

    Returns:
        ``sensitivity``, ``specificity``, ``ppv``, ``npv`` and ``f1`` of shape (..., K).
    """
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    fn = confusion.sum(axis=-1) - tp
    fp = confusion.sum(axis=-2) - tp
    tn = confusion.sum(axis=(-2, -1))[..., None] - tp - fn - fp
    return {
        'sensitivity': divide(tp, tp + fn),
        'specificity': divide(tn, tn + fp),
        'ppv': divide(tp, tp + fp),
        'npv': divide(tn, tn + fn),
        'f1': divide(2 * tp, 2 * tp + fp + fn),
    }


def divide(above: Floats, below: Floats) -> Floats:
    """Quotient, NaN where there is nothing to divide by."""
    above, below = np.broadcast_arrays(
        np.asarray(above, np.float64), np.asarray(below, np.float64)
    )
    undefined = np.full(above.shape, np.nan)
    return np.divide(above, below, out=undefined, where=below > 0)


def average_defined(values: Floats) -> Floats:
    """Mean over the last axis, NaN left out; NaN if nothing is left."""
    known = ~np.isnan(values)
    return divide(np.where(known, values, 0.0).sum(-1), known.sum(-1))
