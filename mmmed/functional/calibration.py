"""Whether probabilities of classes mean what they say, and how to make them.

Not here: whether they rank well (``classification_ranking``).
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from mmmed.functional.classification_counts import Floats, divide

# A temperature beyond these says that the cases cannot tell; exp(3) is about 20.
_LOG_RANGE = (-3.0, 3.0)
_LOG_DEVIATION = 0.5
_TINY = 1e-15


def apply_temperature(logits: ArrayLike, temperature: float) -> Floats:
    """Softmax of logits divided by a temperature.

    Args:
        logits: Shape (..., K); logarithms of probabilities will do.
        temperature: > 0; above 1 the probabilities become less certain.

    Raises:
        ValueError: ``temperature`` is not a number > 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f'temperature is {temperature}, expected a number > 0')
    return np.asarray(
        special.softmax(np.asarray(logits, np.float64) / temperature, axis=-1)
    )


def fit_temperature(logits: ArrayLike, truth: ArrayLike) -> float:
    """Temperature with the lowest negative log-likelihood; the labels stay the same.

    The logarithm has a normal prior about 0 with a standard deviation of 0.5: a few
    cases that are all right would else make every answer certain. Among many cases it
    weighs nothing.

    Args:
        logits: Of validation cases, shape (n, K).
        truth: Class indices, shape (n,); negative where the label is missing.

    Returns:
        Within exp(-3)..exp(3); 1 without a labelled case.

    Raises:
        ValueError: Shapes differ, or a logit is not finite.

    Source:
        Guo et al. 2017, arXiv:1706.04599, 4.2. The likelihood has one minimum in the
        inverse temperature, so a search along one dimension finds it.
        Differs: the prior.
    """
    values, labels = _read(logits, truth)
    if not labels.size:
        return 1.0

    def measure(log_temperature: float) -> float:
        scaled = special.log_softmax(values * math.exp(-log_temperature), axis=1)
        loss = float(-scaled[np.arange(labels.size), labels].sum())
        return loss + (log_temperature / _LOG_DEVIATION) ** 2 / 2

    found = optimize.minimize_scalar(
        measure, bounds=_LOG_RANGE, method='bounded', options={'xatol': 1e-6}
    )
    return math.exp(found.x) if measure(found.x) < measure(0.0) else 1.0


def compute_log_loss(
    prob: ArrayLike, truth: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Mean negative log-likelihood, () or (B,); see :func:`compute_brier`."""
    values, labels = _read(prob, truth)
    likely = values[np.arange(labels.size), labels].clip(_TINY, 1)
    return _average(-np.log(likely), weights)


def compute_brier(
    prob: ArrayLike, truth: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Mean squared distance of the probabilities from the truth, over all classes.

    Args:
        prob: Shape (n, K), rows add up to 1.
        truth: Class indices in 0..K-1, shape (n,).
        weights: How often each case counts, shape (B, n); None for once.

    Returns:
        In [0, 2], shape (), or (B,) with weights: for K = 2 twice the score of the
        positive class alone. NaN without a case.

    Source:
        Brier 1950, doi:10.1175/1520-0493(1950)078<0001:vofeit>2.0.co;2, its own form.
    """
    values, labels = _read(prob, truth)
    exact = np.eye(values.shape[1])[labels]
    return _average(((values - exact) ** 2).sum(axis=1), weights)


def compute_calibration_error(
    prob: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    num_bins: int = 15,
) -> Floats:
    """Expected calibration error (ECE): how far confidence and accuracy lie apart.

    Cases are binned by the probability of the predicted class; the distance of mean
    confidence and accuracy is averaged over bins by their cases. Few cases a bin make
    it large even for a perfect model.

    Args:
        prob: Shape (n, K).
        truth: Class indices in 0..K-1, shape (n,).
        weights: As in :func:`compute_brier`.
        num_bins: Bins of equal width over (0, 1].

    Returns:
        In [0, 1], shape (), or (B,) with weights; NaN without a case.

    Source:
        Guo et al. 2017, arXiv:1706.04599, eq. (3).
    """
    values, labels = _read(prob, truth)
    given = np.ones((1, labels.size)) if weights is None else np.asarray(weights)
    total = given.sum(axis=1)
    gap = np.zeros(len(given))
    if labels.size:
        confidence = values.max(axis=1)
        surplus = confidence - (values.argmax(axis=1) == labels)
        bins = np.ceil(confidence * num_bins).astype(int) - 1
        for number in np.unique(bins):
            inside = bins == number
            gap += abs((given[:, inside] * surplus[inside]).sum(axis=1))
    result = divide(gap, total)
    return result if weights is not None else result[0]


def list_reliability(
    prob: ArrayLike, truth: ArrayLike, *, num_bins: int = 10
) -> list[dict[str, float]]:
    """Points of a reliability diagram.

    Returns:
        For each bin that has cases ``confidence`` and ``accuracy`` (means), ``low``,
        ``high`` (its bounds) and ``n``.
    """
    values, labels = _read(prob, truth)
    if not labels.size:
        return []
    confidence = values.max(axis=1)
    correct = values.argmax(axis=1) == labels
    bins = np.ceil(confidence * num_bins).astype(int) - 1
    return [
        {
            'low': float(number / num_bins),
            'high': float((number + 1) / num_bins),
            'n': int((bins == number).sum()),
            'confidence': float(confidence[bins == number].mean()),
            'accuracy': float(correct[bins == number].mean()),
        }
        for number in np.unique(bins)
    ]


def _read(values: ArrayLike, truth: ArrayLike) -> tuple[Floats, np.ndarray]:
    """Rows and labels of the labelled cases."""
    rows, labels = np.asarray(values, np.float64), np.asarray(truth, np.int64)
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise ValueError(
            f'values have shape {rows.shape} and truth {labels.shape}, expected (n, K) '
            'and (n,)'
        )
    known = labels >= 0
    rows, labels = rows[known], labels[known]
    if not np.isfinite(rows).all():
        raise ValueError('values are not finite, expected logits or probabilities')
    return rows, labels


def _average(terms: Floats, weights: ArrayLike | None) -> Floats:
    given = np.ones((1, terms.size)) if weights is None else np.asarray(weights)
    result = divide((given * terms).sum(axis=1), given.sum(axis=1))
    return result if weights is not None else result[0]
