"""One answer from several classifiers: majority vote, mean and weighted probability.

Not here: label maps (``label_fusion``), which models there are (``mmmed.inference``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.classification_counts import Floats

RULES = ('mean', 'vote', 'weighted')


@dataclass(frozen=True)
class Ensemble:
    """What several models say together about n cases.

    Args:
        label: Class index, shape (n,).
        prob: Shape (n, K), rows add up to 1; for a vote the shares of the votes.
        vote_share: Share of models whose own label is ``label``, shape (n,); with
            weights the share of the weights.
    """

    label: NDArray[np.int64]
    prob: Floats
    vote_share: Floats


def combine_classifiers(
    prob: ArrayLike, *, rule: str = 'mean', weights: Sequence[float] | None = None
) -> Ensemble:
    """Combine the probabilities of M models.

    Args:
        prob: Shape (M, n, K), rows add up to 1.
        rule: ``'mean'``: mean probability. ``'vote'``: each model has one vote for its
            most probable class. ``'weighted'``: mean probability with ``weights``.
        weights: M numbers >= 0; for ``'weighted'``.

    Returns:
        The answer. A tie, within a model or between votes, goes to the lowest class
        index (as in the reference), so an even number of voters leans to class 0: look
        at ``vote_share``.

    Raises:
        ValueError: An unknown rule, another shape, a number that is not finite, or
            weights that do not fit.

    Example:
        >>> two = [[[0.1, 0.9]], [[0.8, 0.2]]]
        >>> combine_classifiers(two, rule='vote').label.tolist()
        [0]
    """
    array = np.asarray(prob, np.float64)
    if rule not in RULES:
        raise ValueError(f'rule is {rule!r}, expected one of {RULES}')
    if array.ndim != 3 or not array.shape[0] or not np.isfinite(array).all():
        raise ValueError(
            f'probabilities have shape {array.shape}, expected finite (M, n, K) of at '
            'least one model'
        )
    shares = _share_weights(len(array), rule, weights)
    votes = np.eye(array.shape[2])[array.argmax(axis=2)]  # (M, n, K)
    voted = _add(votes, shares)
    combined = voted if rule == 'vote' else _add(array, shares)
    # Sums of equal shares differ in their last bits, and ties are ties.
    label = np.round(combined, 12).argmax(axis=1)
    agreement = np.take_along_axis(voted, label[:, None], axis=1)[:, 0]
    return Ensemble(label.astype(np.int64), combined, agreement)


def _add(values: Floats, shares: Floats) -> Floats:
    # einsum, not a matrix product: the same bits whatever the number of threads.
    return np.asarray(np.einsum('mnk,m->nk', values, shares))


def _share_weights(count: int, rule: str, weights: Sequence[float] | None) -> Floats:
    if (rule == 'weighted') != (weights is not None):
        raise ValueError(
            f"weights are {weights} for rule {rule!r}; rule 'weighted' needs them, the "
            'others take none'
        )
    given = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    usable = given.shape == (count,) and bool(np.isfinite(given).all())
    if not usable or given.min() < 0 or not given.sum():
        raise ValueError(
            f'weights are {weights}, expected {count} numbers >= 0, not all 0'
        )
    return np.asarray(given / given.sum())
