"""Overlap of two segmentations: integer counts, and every score made from them.

Masks are counted once; all scores are vectorised maths on those counts, so a
score from masks, from a table of cases or from sums over a patient cannot differ.
Not here: distances (``surface``), lesions (``lesions``), means over cases
(``aggregation``).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Order of the last axis of every count array.
COUNT_NAMES = ('tp', 'fp', 'fn', 'tn')
SCORE_NAMES = ('dice', 'iou', 'precision', 'recall')
# What happened to one structure in one case; see label_outcomes.
OUTCOMES = ('hit', 'disjoint', 'missed', 'false_alarm', 'both_empty')

# Elements counted at a time: bounds the index array to 8 MB for volumes of any size.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class EmptyPolicy:
    """Value of a score where a structure is absent on one side or on both.

    One policy holds for Dice, IoU, precision and recall alike. A structure that was
    missed keeps the worst value, so it can never drop out of a mean.

    Args:
        both_empty: Value if neither mask holds the structure. ``None`` leaves the
            case out of the mean (its score is NaN); summaries count such cases.
        pred_empty: Value if only the target holds it: the structure was missed.
        target_empty: Value if only the prediction holds it: a false alarm.
    """

    both_empty: float | None = None
    pred_empty: float = 0.0
    target_empty: float = 0.0

    def __post_init__(self) -> None:
        for name in ('pred_empty', 'target_empty'):
            value = getattr(self, name)
            if value is None or math.isnan(value):
                raise ValueError(
                    f'EmptyPolicy.{name} is {value}, expected a number: a missed or '
                    'invented structure must not vanish from the mean'
                )

    def as_dict(self) -> dict[str, float | None]:
        """The three values by name, ready for JSON."""
        return asdict(self)


DEFAULT_POLICY = EmptyPolicy()


def count_overlap(
    pred: ArrayLike,
    target: ArrayLike,
    num_classes: int,
    *,
    ignore_index: int | None = 255,
) -> NDArray[np.int64]:
    """Per-class true and false positives and negatives of two label maps.

    Args:
        pred: Label map, any shape, integers in [0, K).
        target: Reference label map, same shape, integers in [0, K) or
            ``ignore_index``.
        num_classes: K, background included, >= 1.
        ignore_index: Target label whose elements are not counted at all, whatever
            was predicted there; ``None`` counts every element.

    Returns:
        Shape (K, 4), int64, last axis tp, fp, fn, tn; every row sums to the number
        of counted elements. All zero for empty arrays.

    Raises:
        ValueError: Shapes differ, a map is not of integers, or a label is outside
            its range (the host's metric drops such pixels silently).

    Example:
        >>> count_overlap([[0, 1, 1]], [[0, 0, 1]], 2).tolist()
        [[1, 0, 1, 1], [1, 1, 0, 1]]
    """
    if num_classes < 1:
        raise ValueError(f'num_classes is {num_classes}, expected at least 1')
    pred_array = _check_labels(pred, 'pred')
    target_array = _check_labels(target, 'target')
    _check_shapes(pred_array, target_array)
    pred_flat, target_flat = pred_array.reshape(-1), target_array.reshape(-1)
    confusion = np.zeros((num_classes, num_classes), np.int64)
    for start in range(0, pred_flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        confusion += _count_block(
            pred_flat[block], target_flat[block], num_classes, ignore_index
        )
    tp = confusion.diagonal()
    fp = confusion.sum(axis=0) - tp
    fn = confusion.sum(axis=1) - tp
    return np.stack([tp, fp, fn, confusion.sum() - tp - fp - fn], axis=-1)


def _count_block(
    pred: NDArray[Any],
    target: NDArray[Any],
    num_classes: int,
    ignore_index: int | None,
) -> NDArray[np.int64]:
    """Confusion matrix (K target, K pred) of two flat pieces of label maps."""
    if ignore_index is not None:
        kept = target != ignore_index
        if not kept.all():
            pred, target = pred[kept], target[kept]
    for name, labels in (('pred', pred), ('target', target)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            found = sorted({int(labels.min()), int(labels.max())})
            raise ValueError(
                f'{name} holds labels outside the classes: extremes {found}, expected '
                f'0 to {num_classes - 1}; map the labels or raise num_classes'
            )
    index = target.astype(np.intp) * num_classes + pred.astype(np.intp, copy=False)
    counts = np.bincount(index, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def count_masks(pred: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
    """Counts tp, fp, fn, tn of two binary masks, shape (4,).

    Faster than :func:`count_overlap` on volumes, for one structure.

    Raises:
        ValueError: Shapes differ, or a mask holds anything but 0 and 1.
    """
    pred_mask, target_mask = _check_mask(pred, 'pred'), _check_mask(target, 'target')
    _check_shapes(pred_mask, target_mask)
    tp = np.count_nonzero(pred_mask & target_mask)
    fp = np.count_nonzero(pred_mask) - tp
    fn = np.count_nonzero(target_mask) - tp
    return np.array([tp, fp, fn, pred_mask.size - tp - fp - fn], np.int64)


def compute_scores(
    counts: ArrayLike, *, policy: EmptyPolicy = DEFAULT_POLICY
) -> dict[str, NDArray[np.float64]]:
    """Dice, IoU, precision, recall and specificity from counts.

    Args:
        counts: Shape (..., 4): tp, fp, fn, tn. Leading axes are cases, classes or
            bootstrap resamples.
        policy: Value of the first four scores where a side is empty.

    Returns:
        One array of shape (...) in [0, 1] per score; 1 is best. NaN only where
        ``policy.both_empty`` is ``None`` and both sides are empty. Specificity has
        no structure to be empty: it is NaN where the target leaves no background.

    Raises:
        ValueError: Last axis is not 4 long, or a count is negative.

    Source:
        Taha and Hanbury 2015, doi:10.1186/s12880-015-0068-x. Differs: empty masks
        follow an explicit policy.
    """
    array = np.asarray(counts, np.float64)
    if array.ndim == 0 or array.shape[-1] != 4 or (array < 0).any():
        raise ValueError(
            f'counts have shape {array.shape}, minimum '
            f'{array.min() if array.size else "none"}; expected (..., 4) counts >= 0 '
            'in the order tp, fp, fn, tn'
        )
    tp, fp, fn, tn = np.moveaxis(array, -1, 0)
    has_pred, has_target = tp + fp > 0, tp + fn > 0
    both_empty = math.nan if policy.both_empty is None else policy.both_empty
    ratios = {
        'dice': (2 * tp, 2 * tp + fp + fn),
        'iou': (tp, tp + fp + fn),
        'precision': (tp, tp + fp),
        'recall': (tp, tp + fn),
    }
    scores = {}
    for name, (numerator, denominator) in ratios.items():
        score = _divide(numerator, denominator)
        score = np.where(has_target & ~has_pred, policy.pred_empty, score)
        score = np.where(~has_target & has_pred, policy.target_empty, score)
        scores[name] = np.where(~has_target & ~has_pred, both_empty, score)
    scores['specificity'] = _divide(tn, tn + fp)
    return scores


def _divide(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Quotient, NaN where the denominator is zero, without a warning."""
    undefined = np.full(np.shape(denominator), math.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def label_outcomes(counts: ArrayLike) -> NDArray[np.str_]:
    """What happened to the structure in each case.

    Args:
        counts: Shape (..., 4): tp, fp, fn, tn.

    Returns:
        Shape (...), one of ``hit`` (at least one common element), ``disjoint``
        (present on both sides, nothing in common), ``missed`` (prediction empty),
        ``false_alarm`` (target empty) and ``both_empty``.
    """
    tp, fp, fn, _ = np.moveaxis(np.asarray(counts), -1, 0)
    return np.select(
        [tp > 0, (fp > 0) & (fn > 0), fn > 0, fp > 0],
        ['hit', 'disjoint', 'missed', 'false_alarm'],
        'both_empty',
    )


def compute_dice(
    pred: ArrayLike, target: ArrayLike, *, policy: EmptyPolicy = DEFAULT_POLICY
) -> float:
    """Twice the common size over the sum of sizes of two binary masks.

    Args:
        pred: Binary mask, any shape: boolean, or numbers 0 and 1.
        target: Reference mask, same shape.
        policy: Value if a mask is empty.

    Returns:
        Value in [0, 1]; 1 is best. By default NaN if both masks are empty, 0 if
        exactly one is.

    Raises:
        ValueError: Shapes differ, or a mask holds anything but 0 and 1.

    Example:
        >>> compute_dice([1, 1, 0, 0], [0, 1, 1, 0])
        0.5
    """
    return _score_masks('dice', pred, target, policy)


def compute_iou(
    pred: ArrayLike, target: ArrayLike, *, policy: EmptyPolicy = DEFAULT_POLICY
) -> float:
    """Common size over joint size (Jaccard); arguments as :func:`compute_dice`."""
    return _score_masks('iou', pred, target, policy)


def compute_precision(
    pred: ArrayLike, target: ArrayLike, *, policy: EmptyPolicy = DEFAULT_POLICY
) -> float:
    """Share of the prediction that is right; arguments as :func:`compute_dice`."""
    return _score_masks('precision', pred, target, policy)


def compute_recall(
    pred: ArrayLike, target: ArrayLike, *, policy: EmptyPolicy = DEFAULT_POLICY
) -> float:
    """Share of the target that was found; arguments as :func:`compute_dice`."""
    return _score_masks('recall', pred, target, policy)


def compute_specificity(pred: ArrayLike, target: ArrayLike) -> float:
    """Share of the background left alone; NaN if the target has no background."""
    return _score_masks('specificity', pred, target, DEFAULT_POLICY)


def _score_masks(
    name: str, pred: ArrayLike, target: ArrayLike, policy: EmptyPolicy
) -> float:
    """One score of two binary masks."""
    return float(compute_scores(count_masks(pred, target), policy=policy)[name])


def compute_volume_difference(
    pred: ArrayLike, target: ArrayLike, spacing: Sequence[float]
) -> float:
    """Predicted minus reference size of two binary masks.

    Args:
        pred: Binary mask, any shape.
        target: Reference mask, same shape.
        spacing: Element size in mm, one per array axis, each > 0.

    Returns:
        In mm3 for volumes, mm2 for slices; negative if too little was predicted,
        0 if both masks are empty.

    Raises:
        ValueError: As :func:`compute_dice`, or ``spacing`` does not fit the axes.
    """
    tp, fp, fn, _ = count_masks(pred, target).tolist()
    dimensions = np.ndim(target)
    if len(spacing) != dimensions or not all(size > 0 for size in spacing):
        raise ValueError(
            f'spacing is {tuple(spacing)}, expected {dimensions} lengths > 0 in mm, '
            'one per array axis'
        )
    return ((tp + fp) - (tp + fn)) * math.prod(spacing)


def compute_relative_volume_difference(pred: ArrayLike, target: ArrayLike) -> float:
    """Predicted minus reference size, over the reference size.

    Returns:
        -1 if the structure was missed, 0 if sizes agree or both masks are empty,
        ``inf`` if only the target is empty: no number is bad enough, and NaN would
        drop the case from a mean.

    Raises:
        ValueError: As :func:`compute_dice`.
    """
    tp, fp, fn, _ = count_masks(pred, target).tolist()
    if tp + fn == 0:
        return math.inf if fp else 0.0
    return (fp - fn) / (tp + fn)


def _check_labels(labels: ArrayLike, name: str) -> NDArray[Any]:
    """An integer or boolean array, or an error that names the remedy."""
    array = np.asarray(labels)
    if array.dtype.kind not in 'biu':
        raise ValueError(
            f'{name} has dtype {array.dtype}, expected integer labels; threshold '
            'probabilities, or take the arg-max, first'
        )
    return array


def _check_mask(mask: ArrayLike, name: str) -> NDArray[np.bool_]:
    """A boolean array of a mask that holds 0 and 1 only."""
    array = np.asarray(mask)
    if array.dtype == np.bool_:
        return array
    binary = array == 1
    if not np.array_equal(binary, array):
        wrong = array[binary != array].flat[0]
        raise ValueError(
            f'{name} holds {wrong!r}, expected a binary mask of 0 and 1; compare with '
            'a label (seg == 1) or a threshold (prob > 0.5) first'
        )
    return binary


def _check_shapes(pred: NDArray[Any], target: NDArray[Any]) -> None:
    if pred.shape != target.shape:
        raise ValueError(
            f'pred has shape {pred.shape}, target {target.shape}, expected the same; '
            'bring the prediction to the grid of the target first'
        )
