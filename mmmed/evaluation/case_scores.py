"""Scores of one case: rows per label, per lesion and per slice; pure maths.

Not here: files (``folder_run``), means over cases (``score_summary``).
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.evaluation.case_grid import CaseGrid
from mmmed.evaluation.label_maps import LabelMap, unite_boxes
from mmmed.evaluation.lesion_rows import list_lesions, match_case, score_lesions
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.functional.masks import Box
from mmmed.functional.overlap import (
    COUNT_NAMES,
    EmptyPolicy,
    compute_scores,
    count_masks,
    label_outcomes,
)
from mmmed.functional.planes import get_plane_axis
from mmmed.functional.surface_distances import compute_surface_distances
from mmmed.structures import Volume

Row = dict[str, Any]
Mask = NDArray[np.bool_]


@dataclass
class CaseScores:
    """Rows of one case; undefined numbers are None.

    Attributes:
        grid: Of the reference.
        cases: One row per label.
        lesions: One row per lesion of either side.
        slices: One row per label and slice, if a plane was asked for.
    """

    grid: CaseGrid
    cases: list[Row]
    lesions: list[Row]
    slices: list[Row]

    def add(self, other: 'CaseScores') -> None:
        """Append the rows of further labels."""
        self.cases += other.cases
        self.lesions += other.lesions
        self.slices += other.slices


def score_case(
    case_id: str, pred: Volume | None, target: Volume, options: ScoreOptions
) -> CaseScores:
    """All scores of one prediction.

    Everything is computed in the box around prediction and reference of a label,
    which changes no number.

    Args:
        case_id: Name in the rows.
        pred: Labels; None if there is no prediction, which is scored as an empty one
            and never gets credit for it.
        target: Reference labels; the grids must agree, axes may be flipped or
            permuted (slices are counted in canonical orientation).
        options: See :class:`ScoreOptions`.

    Returns:
        One row per label of ``options.labels``, or per label that occurs on a side.

    Raises:
        ValueError: The grids differ, or the values are no labels; the message names
            the file.
    """
    target = target.reorient()
    reference = _read_labels(target)
    answer = None
    if pred is not None:
        pred = pred.reorient()
        target.check_grid(pred)
        answer = _read_labels(_process(pred, options))
    ignored = None
    if options.ignore_label in reference.values:
        ignored = target.array == options.ignore_label
    grid = _make_grid(target, ignored, options, is_pred_missing=pred is None)
    labels = options.labels
    if labels is None:
        found = {*reference.values, *(answer.values if answer else ())}
        labels = {str(value): (value,) for value in sorted(found)}
        labels.pop(str(options.ignore_label), None)
    scores = CaseScores(grid, [], [], [])
    for name, values in labels.items():
        boxes = reference.find_boxes(values)
        boxes += answer.find_boxes(values) if answer else []
        box = unite_boxes(boxes)
        there = reference.crop_mask(values, box)
        here = answer.crop_mask(values, box) if answer else np.zeros_like(there)
        if ignored is not None:
            here &= ~ignored[box]
        scores.add(_score_label(case_id, name, here, there, box, grid, options))
    return scores


def score_absent_label(
    case_id: str, label: str, grid: CaseGrid, options: ScoreOptions
) -> CaseScores:
    """Scores of a structure that is on neither side of a case."""
    empty = np.zeros((0, 0, 0), np.bool_)
    box = unite_boxes([])
    return _score_label(case_id, label, empty, empty, box, grid, options)


def _read_labels(volume: Volume) -> LabelMap:
    try:
        return LabelMap(volume)
    except ValueError as error:
        name = volume.source.path if volume.source else 'label map'
        raise ValueError(f'{name}: {error}') from error


def _process(pred: Volume, options: ScoreOptions) -> Volume:
    """A prediction as it is scored."""
    rule, values = options.keep_near, options.labels
    if rule is None or values is None:
        return pred
    return pred.replace_array(rule.apply(pred.array, pred.spacing, values))


def _make_grid(
    target: Volume,
    ignored: Mask | None,
    options: ScoreOptions,
    *,
    is_pred_missing: bool,
) -> CaseGrid:
    sizes = None
    counted = math.prod(target.shape)
    if options.plane is not None:
        axis = get_plane_axis(options.plane)
        length = target.shape[axis]
        per_slice = np.full(length, counted // length)
        if ignored is not None:
            per_slice -= _sum_slices(ignored, axis)
        sizes = tuple(per_slice.tolist())
    if ignored is not None:
        counted -= int(np.count_nonzero(ignored))
    affine = tuple(map(tuple, target.grid.tolist()))
    return CaseGrid(
        target.shape, target.spacing, affine, counted, sizes, is_pred_missing
    )


def _score_label(
    case_id: str,
    label: str,
    pred: Mask,
    target: Mask,
    box: Box,
    grid: CaseGrid,
    options: ScoreOptions,
) -> CaseScores:
    """Rows of one label from its masks in a box."""
    policy = options.policy
    if grid.is_pred_missing and policy.both_empty is not None:
        # A file that is not there must not be right.
        policy = dataclasses.replace(policy, both_empty=policy.pred_empty)
    counts = count_masks(pred, target)
    counts[3] = grid.counted - counts[:3].sum()
    match = match_case(pred, target, box, grid, options)
    identity = {'case_id': case_id, 'label': label}
    row = {
        **identity,
        'outcome': str(label_outcomes(counts)),
        'pred_missing': int(grid.is_pred_missing),
        **dict(zip(COUNT_NAMES, counts.tolist(), strict=True)),
        **{name: float(v) for name, v in compute_scores(counts, policy=policy).items()},
        **_score_surfaces(pred, target, grid, options.tolerance_mm, policy),
        **_compare_volumes(counts, grid),
        **score_lesions(match, policy),
    }
    slices: list[Row] = []
    if options.plane is not None:
        facts = {**identity, 'plane': options.plane}
        axis = get_plane_axis(options.plane)
        slices = _score_slices(facts, pred, target, box, axis, grid, policy)
    lesions = [{**identity, **_drop_nan(one)} for one in list_lesions(match, grid)]
    return CaseScores(grid, [_drop_nan(row)], lesions, slices)


def _score_surfaces(
    pred: Mask, target: Mask, grid: CaseGrid, tolerance_mm: float, policy: EmptyPolicy
) -> Row:
    spacing: Sequence[float] = grid.spacing
    axis = grid.flat_axis
    if axis is not None:
        # A single slice has an outline; its faces are no surface.
        pred = np.asarray(pred.any(axis=axis))
        target = np.asarray(target.any(axis=axis))
        spacing = [*spacing[:axis], *spacing[axis + 1 :]]
    distances = compute_surface_distances(pred, target, spacing)
    distances = dataclasses.replace(distances, diagonal_mm=grid.diagonal_mm)
    return {
        'surface_dice': distances.compute_surface_dice(tolerance_mm, policy=policy),
        'hausdorff_mm': distances.compute_hausdorff(policy=policy),
        'hausdorff95_mm': distances.compute_hausdorff(95.0, policy=policy),
        'average_surface_distance_mm': distances.compute_average(policy=policy),
    }


def _compare_volumes(counts: NDArray[np.int64], grid: CaseGrid) -> Row:
    tp, fp, fn, _ = counts.tolist()
    voxel_ml = math.prod(grid.spacing) / 1000
    difference = (fp - fn) * voxel_ml
    return {
        'target_volume_ml': (tp + fn) * voxel_ml,
        'pred_volume_ml': (tp + fp) * voxel_ml,
        'volume_difference_ml': difference,
        'absolute_volume_difference_ml': abs(difference),
        'relative_volume_difference': (fp - fn) / (tp + fn) if tp + fn else math.nan,
    }


def _score_slices(
    facts: Row,
    pred: Mask,
    target: Mask,
    box: Box,
    axis: int,
    grid: CaseGrid,
    policy: EmptyPolicy,
) -> list[Row]:
    assert grid.slice_counted is not None
    counts = np.zeros((len(grid.slice_counted), 4), np.int64)
    for column, mask in enumerate((pred & target, pred & ~target, target & ~pred)):
        counts[box[axis], column] = _sum_slices(mask, axis)
    counts[:, 3] = grid.slice_counted - counts[:, :3].sum(axis=1)
    scores = compute_scores(counts, policy=policy)
    return [
        _drop_nan(
            {
                **facts,
                'slice_index': index,
                'has_lesion': int(tp + fn > 0),
                **dict(zip(COUNT_NAMES, (tp, fp, fn, tn), strict=True)),
                **{name: float(values[index]) for name, values in scores.items()},
            }
        )
        for index, (tp, fp, fn, tn) in enumerate(counts.tolist())
    ]


def _sum_slices(mask: Mask, axis: int) -> NDArray[np.int64]:
    """Voxels in each slice along an axis."""
    others = tuple(other for other in range(3) if other != axis)
    return np.count_nonzero(mask, axis=others)


def _drop_nan(row: Row) -> Row:
    return {k: None if v != v else v for k, v in row.items()}
