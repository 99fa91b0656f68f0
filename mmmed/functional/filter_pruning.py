"""Which filters of a network are removed, from how much each of them matters.

Not here: the network, how it is cut (``mmmed.models.networks.unet_pruning``), when
(``mmmed.engine.hooks.pruning_hook``).
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MODES = ('taylor', 'l1', 'l2', 'random')


def score_weights(weight: Tensor, *, mode: str, axis: int = 0) -> NDArray[np.float64]:
    """Size of each filter of a convolution.

    Args:
        weight: Of any shape; filters lie along ``axis``.
        mode: ``'l1'``: mean of absolute values; ``'l2'``: root of the mean square.
            Means, so that a filter of a large kernel is not more than another.
        axis: 0 for convolutions, 1 for transposed ones.

    Returns:
        Shape (filters,), >= 0.

    Raises:
        ValueError: The mode is another.
    """
    rows = weight.detach().double().movedim(axis, 0).flatten(1)
    if mode == 'l1':
        return rows.abs().mean(1).cpu().numpy()
    if mode == 'l2':
        return rows.square().mean(1).sqrt().cpu().numpy()
    raise ValueError(f"mode must be 'l1' or 'l2' for weights, got {mode!r}")


def score_activations(activation: Tensor, gradient: Tensor) -> Tensor:
    """First-order change of the loss when a filter's map is set to zero, negated.

    Args:
        activation: Maps (N, C, Y, X).
        gradient: Derivative of the loss by them, same shape.

    Returns:
        Shape (C,), float64: mean over images and pixels of activation times gradient.
        The sign is kept: absolute values are taken of the mean of all batches.

    Source:
        Molchanov et al. 2017, arXiv:1611.06440, eq. (7).
    """
    product = activation.detach().double() * gradient.detach().double()
    return product.mean(dim=(0, 2, 3))


def normalize_saliency(
    saliency: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Make filters of different layers comparable: |value| / length of the layer.

    Args:
        saliency: For each layer one value a filter, shape (filters,).

    Returns:
        Same layers; each has Euclidean length 1, or is all 0 where nothing matters.

    Raises:
        ValueError: A value is not finite.
    """
    result = {}
    for name, values in saliency.items():
        size = np.abs(np.asarray(values, dtype=np.float64))
        if not np.isfinite(size).all():
            raise ValueError(
                f'saliency of {name} has values that are not finite; the training '
                'diverged, lower the learning rate'
            )
        length = np.sqrt(np.square(size).sum())
        result[name] = size / length if length > 0 else size
    return result


def choose_filters(
    saliency: Mapping[str, NDArray[np.float64]], count: int, *, minimum: int = 1
) -> list[tuple[str, int]]:
    """The filters of least saliency over all layers.

    Args:
        saliency: Comparable values (:func:`normalize_saliency`), (filters,) a layer.
        count: How many to remove, >= 0.
        minimum: Filters that every layer keeps, >= 1.

    Returns:
        Pairs (layer, index before any removal), the least salient first; fewer than
        ``count`` when every layer is down to ``minimum``. Ties go by the order of
        layers, then of filters.

    Raises:
        ValueError: ``count`` or ``minimum`` is out of range.

    Example:
        >>> choose_filters({'a': np.array([3.0, 1.0]), 'b': np.array([0.5])}, 2)
        [('a', 1)]
    """
    if count < 0 or minimum < 1:
        raise ValueError(
            f'count must be >= 0 and minimum >= 1, got {count} and {minimum}'
        )
    left = {name: len(values) - minimum for name, values in saliency.items()}
    chosen: list[tuple[str, int]] = []
    for name, index in _rank(saliency):
        if len(chosen) == count:
            break
        if left[name] > 0:
            left[name] -= 1
            chosen.append((name, index))
    return chosen


def compute_dropout_rates(
    saliency: Mapping[str, NDArray[np.float64]], base: float
) -> dict[str, float]:
    """Targeted dropout: layers with many filters of low rank drop more.

    The rate of a layer is in proportion to the mean over its filters of 1 / rank,
    rank 1 being the least salient filter of the network; the largest rate is ``base``.

    Args:
        saliency: Comparable values, (filters,) a layer.
        base: Largest rate, in [0, 1).

    Returns:
        Rate of each layer, in [0, ``base``].

    Raises:
        ValueError: ``base`` is out of range.

    Source:
        Dinsdale et al. 2022, doi:10.1016/j.media.2022.102583, targeted dropout.

    Example:
        >>> compute_dropout_rates({'a': np.array([1.0]), 'b': np.array([2.0])}, 0.1)
        {'a': 0.1, 'b': 0.05}
    """
    if not 0 <= base < 1:
        raise ValueError(f'base must lie in [0, 1), got {base}')
    sums = dict.fromkeys(saliency, 0.0)
    for rank, (name, _) in enumerate(_rank(saliency), start=1):
        sums[name] += 1 / rank
    means = {name: sums[name] / max(1, len(saliency[name])) for name in sums}
    largest = max(means.values(), default=0.0)
    if largest == 0:
        return sums
    return {name: base * mean / largest for name, mean in means.items()}


def draw_saliency(
    counts: Mapping[str, int], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Saliency of chance: every filter of the network is as likely as another.

    Args:
        counts: Filters of each layer.
        rng: Drawn from in the order of the layers.

    Returns:
        Values in [0, 1), (filters,) a layer; not to be normalised, which would favour
        wide layers.
    """
    return {name: rng.random(count) for name, count in counts.items()}


def _rank(saliency: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, int]]:
    pairs = [(name, i) for name, values in saliency.items() for i in range(len(values))]
    values = np.concatenate([np.zeros(0), *saliency.values()])
    return [pairs[i] for i in np.argsort(values, kind='stable')]


def find_kept(count: int, removed: list[int]) -> Tensor:
    """Indices, int64, that stay when some of ``count`` are removed.

    Raises:
        ValueError: An index is out of range or named twice, or nothing would stay.
    """
    if len(set(removed)) != len(removed) or not set(removed) <= set(range(count)):
        raise ValueError(
            f'filters to remove must be different numbers below {count}, got {removed}'
        )
    if len(removed) >= count:
        raise ValueError(f'cannot remove {len(removed)} of {count} filters: one stays')
    gone = set(removed)
    return torch.tensor([i for i in range(count) if i not in gone])
