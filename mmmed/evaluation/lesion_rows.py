"""Lesions of one structure in one case: columns of the case, and rows of their own.

Not here: matching (``mmmed.functional.lesions``), other columns (``case_scores``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.evaluation.case_grid import CaseGrid
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.functional.components import Components, compute_equivalent_radius
from mmmed.functional.lesions import LesionMatch, match_lesions
from mmmed.functional.masks import Box
from mmmed.functional.overlap import EmptyPolicy


def match_case(
    pred: NDArray[np.bool_],
    target: NDArray[np.bool_],
    box: Box,
    grid: CaseGrid,
    options: ScoreOptions,
) -> LesionMatch:
    """Match the lesions of two masks in a box of a case."""
    affine = np.array(grid.affine)
    affine[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    return match_lesions(
        pred,
        target,
        grid.spacing,
        criterion=options.criterion,
        min_iou=options.min_iou,
        connectivity=options.connectivity,
        affine=affine,
    )


def score_lesions(match: LesionMatch, policy: EmptyPolicy) -> dict[str, Any]:
    """Columns of a case."""
    scores = match.compute_scores(policy=policy)
    return {
        'target_lesions': len(match.target),
        'pred_lesions': len(match.pred),
        'found_lesions': match.num_found,
        'missed_lesions': match.num_missed,
        'false_positive_lesions': match.num_false_alarms,
        'lesion_count_difference': match.count_difference,
        **{f'lesion_{name}': value for name, value in scores.items()},
    }


def list_lesions(match: LesionMatch, grid: CaseGrid) -> list[dict[str, Any]]:
    """dict[str, Any]s of lesions: those of the reference, then the predicted ones."""
    rows = []
    for index in range(len(match.target)):
        is_found = bool(match.target_found[index])
        row = {
            'side': 'target',
            'lesion': index + 1,
            'outcome': 'found' if is_found else 'missed',
            'dice': float(match.dice[index]),
            'iou': float(match.iou[index]),
        }
        rows.append(row | _measure_lesion(match.target, index, grid))
    for index in range(len(match.pred)):
        is_true = bool(match.pred_true[index])
        row = {
            'side': 'pred',
            'lesion': index + 1,
            'outcome': 'matched' if is_true else 'false_alarm',
            'dice': None if is_true else 0.0,
            'iou': None if is_true else 0.0,
        }
        rows.append(row | _measure_lesion(match.pred, index, grid))
    return rows


def _measure_lesion(lesions: Components, index: int, grid: CaseGrid) -> dict[str, Any]:
    radius = lesions.radii_mm[index]
    if grid.flat_axis is not None:
        area = lesions.volumes[index] / grid.spacing[grid.flat_axis]
        radius = compute_equivalent_radius(area, 2)
    right, anterior, superior = lesions.centroids_mm[index].tolist()
    return {
        'voxels': int(lesions.sizes[index]),
        'volume_mm3': float(lesions.volumes[index]),
        'radius_mm': float(radius),
        'centroid_r_mm': right,
        'centroid_a_mm': anterior,
        'centroid_s_mm': superior,
    }
