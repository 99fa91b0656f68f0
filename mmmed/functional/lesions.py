"""Lesions of a prediction matched to lesions of a target, and lesion-wise scores.

A lesion is a connected component. Not here: finding components (``components``),
means over cases (``aggregation``).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.components import Components, measure_components
from mmmed.functional.lesion_pairs import count_shared, pair_greedily, pair_optimally
from mmmed.functional.masks import check_mask_pair
from mmmed.functional.overlap import DEFAULT_POLICY, EmptyPolicy, compute_scores

Criterion = Literal['overlap', 'greedy', 'optimal']


@dataclass(frozen=True)
class LesionMatch:
    """What was found, missed and invented, lesion by lesion.

    Args:
        target: Lesions of the reference, L of them.
        pred: Lesions of the prediction, M of them.
        target_found: Whether each reference lesion was found, shape (L,).
        pred_true: Whether each predicted lesion touches (``overlap``) or is paired
            with (``greedy``, ``optimal``) a reference lesion, shape (M,).
        dice: Dice of each reference lesion, 0 where missed, shape (L,). By
            ``overlap``: with all predicted lesions that touch it, taken whole; else
            with its partner.
        iou: The same for IoU, shape (L,).
        pairs: Rows of target and pred that touch or are partners, shape (P, 2).
    """

    target: Components
    pred: Components
    target_found: NDArray[np.bool_]
    pred_true: NDArray[np.bool_]
    dice: NDArray[np.float64]
    iou: NDArray[np.float64]
    pairs: NDArray[np.int64]

    @property
    def num_found(self) -> int:
        """Reference lesions found: true positives."""
        return int(self.target_found.sum())

    @property
    def num_missed(self) -> int:
        """Reference lesions missed: false negatives."""
        return len(self.target) - self.num_found

    @property
    def num_false_alarms(self) -> int:
        """Predicted lesions that are none: false positives."""
        return len(self.pred) - int(self.pred_true.sum())

    @property
    def count_difference(self) -> int:
        """Predicted minus reference number of lesions; the scorer takes its size."""
        return len(self.pred) - len(self.target)

    def compute_scores(
        self, *, policy: EmptyPolicy = DEFAULT_POLICY
    ) -> dict[str, float]:
        """Lesion-wise ``f1``, ``sensitivity`` and ``precision`` in [0, 1].

        ``f1 = TP / (TP + (FP + FN) / 2)``, ``sensitivity = TP / (TP + FN)``,
        ``precision = TP / (TP + FP)`` with TP counted in reference lesions. A side
        without a lesion takes the value of the policy, in all three.
        """
        counts = [self.num_found, self.num_false_alarms, self.num_missed, 0]
        scores = compute_scores(counts, policy=policy)
        return {
            'f1': float(scores['dice']),
            'sensitivity': float(scores['recall']),
            'precision': float(scores['precision']),
        }

    def as_rows(self, axes: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """One flat row per lesion: reference lesions, then false alarms.

        ``outcome`` is ``found``, ``missed`` or ``false_alarm``; ``lesion`` is the row
        in its own mask, from 1.

        Args:
            axes: Names of the coordinates of a centroid, in their order; the array's
                own, ``('z', 'y', 'x')``, by default. Where lesions were matched with
                an affine, the coordinates are the world's: ``('x', 'y', 'z')``.

        Raises:
            ValueError: More or fewer names than coordinates.
        """
        num_axes = self.target.centroids_mm.shape[1]
        axes = tuple(axes or ('z', 'y', 'x')[-num_axes:])
        if len(axes) != num_axes:
            raise ValueError(f'axes are {axes}, expected {num_axes} names')
        outcomes = np.where(self.target_found, 'found', 'missed')
        rows = [
            {
                **_describe(self.target, row, axes),
                'outcome': str(outcomes[row]),
                'dice': float(self.dice[row]),
                'iou': float(self.iou[row]),
            }
            for row in range(len(self.target))
        ]
        rows += [
            {
                **_describe(self.pred, int(row), axes),
                'outcome': 'false_alarm',
                'dice': 0.0,
                'iou': 0.0,
            }
            for row in np.flatnonzero(~self.pred_true)
        ]
        return rows


def _describe(lesions: Components, row: int, axes: Sequence[str]) -> dict[str, Any]:
    """Number, size and place of one lesion."""
    place = lesions.centroids_mm[row]
    # In 2-D the volume is an area.
    size = 'volume_mm3' if len(place) == 3 else 'area_mm2'
    return {
        'lesion': row + 1,
        'voxels': int(lesions.sizes[row]),
        size: float(lesions.volumes[row]),
        'radius_mm': float(lesions.radii_mm[row]),
        **{
            f'centroid_{axis}_mm': float(value)
            for axis, value in zip(axes, place, strict=True)
        },
    }


def match_lesions(
    pred: ArrayLike,
    target: ArrayLike,
    spacing: Sequence[float],
    *,
    criterion: Criterion = 'overlap',
    min_iou: float = 0.5,
    connectivity: int | None = None,
    affine: ArrayLike | None = None,
) -> LesionMatch:
    """Which lesions of the target were found, and which of the prediction are none.

    Criteria:
        ``overlap``: a reference lesion is found if one predicted element lies in it; a
        predicted lesion is a false alarm if no element of it lies in the target. One
        predicted lesion may find several, so this is lenient to merged lesions.
        ``greedy``: one-to-one, pairs in order of falling IoU, each at least
        ``min_iou``.
        ``optimal``: one-to-one, the pairs of at least ``min_iou`` with the greatest sum
        of IoU (Hungarian method). With ``min_iou`` above 0.5 the same as ``greedy``.

    Args:
        pred: Binary mask, shape (Z, Y, X) or (Y, X): boolean, or numbers 0 and 1.
        target: Reference mask, same shape.
        spacing: Voxel size in mm, one per array axis, in array order.
        criterion: How lesions are matched.
        min_iou: Smallest IoU of a pair, in (0, 1]; not used by ``overlap``.
        connectivity: As in :func:`~mmmed.functional.components.label_components`;
            ``None`` is 6 in 3-D. Later revisions of the ATLAS scorer use 26 for F1.
        affine: From array index to mm, for the centroids.

    Returns:
        The match; with no lesion on a side, that side has no rows.

    Raises:
        ValueError: Shapes differ, a mask is not binary or has not two or three axes,
            or an option does not exist.

    Source:
        ``overlap``: scorer of the ATLAS v2.0 challenge, npnl/atlas2_grand_challenge.
        Differs: an explicit policy for empty masks (the scorer gives F1 = 1 if both
        are empty: ``EmptyPolicy(both_empty=1.0)``).

    Example:
        >>> match = match_lesions([[1, 0, 0, 1]], [[1, 1, 0, 0]], (1, 1))
        >>> match.num_found, match.num_missed, match.num_false_alarms
        (1, 0, 1)
    """
    if criterion not in get_args(Criterion) or not 0 < min_iou <= 1:
        raise ValueError(
            f'criterion is {criterion!r} and min_iou {min_iou}, expected one of '
            f'{get_args(Criterion)} and a share in (0, 1]'
        )
    pred_mask, target_mask = check_mask_pair(pred, target)
    if pred_mask.ndim not in (2, 3):
        raise ValueError(
            f'masks have shape {pred_mask.shape}, expected two or three axes; match '
            'each case on its own'
        )
    there, here = (
        measure_components(mask, spacing, connectivity=connectivity, affine=affine)
        for mask in (target_mask, pred_mask)
    )
    pairs, shared = count_shared(
        _pick_labels(there, target_mask, pred_mask),
        _pick_labels(here, pred_mask, target_mask),
    )
    if criterion != 'overlap':
        unions = there.sizes[pairs[:, 0]] + here.sizes[pairs[:, 1]] - shared
        ious = shared / unions
        pair = pair_greedily if criterion == 'greedy' else pair_optimally
        enough = np.flatnonzero(ious >= min_iou)
        chosen = enough[pair(pairs[enough], ious[enough])]
        pairs, shared = pairs[chosen], shared[chosen]
    # One partner each, or by overlap as many as touch the lesion.
    common = np.bincount(pairs[:, 0], shared, len(there))
    partner_sizes = np.bincount(pairs[:, 0], here.sizes[pairs[:, 1]], len(there))
    total = there.sizes + partner_sizes
    return LesionMatch(
        target=there,
        pred=here,
        target_found=np.isin(np.arange(len(there)), pairs[:, 0]),
        pred_true=np.isin(np.arange(len(here)), pairs[:, 1]),
        dice=np.asarray(2 * common / total),
        iou=np.asarray(common / (total - common)),
        pairs=pairs,
    )


def _pick_labels(
    lesions: Components, mask: NDArray[np.bool_], other: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Lesion of each element that lies in both masks, in array order."""
    if not len(lesions):
        return lesions.labels
    low, high = lesions.boxes[:, :, 0].min(axis=0), lesions.boxes[:, :, 1].max(axis=0)
    box = tuple(map(slice, low, high))
    return lesions.labels[other[box][mask[box]]]


def summarize_strata(
    matches: Iterable[LesionMatch], edges: Sequence[float]
) -> list[dict[str, float]]:
    """Lesion-wise results by lesion volume, pooled over cases.

    Reference lesions are sorted in by their own volume, false alarms by theirs.

    Args:
        matches: One per case.
        edges: Rising inner bounds in mm3 (2-D: mm2); a lesion on a bound belongs to
            the stratum above it.

    Returns:
        One row per stratum, small to large: ``low``, ``high``, ``lesions``, ``found``,
        ``false_alarms``, ``sensitivity`` and ``mean_dice`` (missed lesions count 0).
        The last two are NaN in a stratum without a reference lesion.

    Raises:
        ValueError: ``edges`` do not rise.
    """
    cases = list(matches)
    volumes, found, dice = (
        np.concatenate([np.empty(0), *values])
        for values in (
            [case.target.volumes for case in cases],
            [case.target_found for case in cases],
            [case.dice for case in cases],
        )
    )
    alarms = np.concatenate(
        [np.empty(0), *(case.pred.volumes[~case.pred_true] for case in cases)]
    )
    return stratify_lesions(volumes, found, dice, alarms, edges)


def stratify_lesions(
    volumes: ArrayLike,
    found: ArrayLike,
    dice: ArrayLike,
    alarm_volumes: ArrayLike,
    edges: Sequence[float],
) -> list[dict[str, float]]:
    """The same from what is known of each lesion, such as the rows of a table.

    Args:
        volumes: Of reference lesions in mm3 (2-D: mm2), shape (L,).
        found: Whether each was found, shape (L,).
        dice: Of each, 0 where missed, shape (L,).
        alarm_volumes: Of false alarms, shape (M,).
        edges: As in :func:`summarize_strata`.

    Returns:
        Rows as :func:`summarize_strata`.

    Raises:
        ValueError: ``edges`` do not rise.
    """
    volumes, found, dice, alarms = (
        np.asarray(values, np.float64)
        for values in (volumes, found, dice, alarm_volumes)
    )
    bounds = [0.0, *map(float, edges), math.inf]
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError(f'edges are {list(edges)}, expected rising volumes > 0')
    rows = []
    for low, high in pairwise(bounds):
        held = (volumes >= low) & (volumes < high)
        count = int(held.sum())
        rows.append(
            {
                'low': low,
                'high': high,
                'lesions': count,
                'found': int(found[held].sum()),
                'false_alarms': int(((alarms >= low) & (alarms < high)).sum()),
                'sensitivity': float(found[held].mean()) if count else math.nan,
                'mean_dice': float(dice[held].mean()) if count else math.nan,
            }
        )
    return rows
