"""Surface metrics by hand, and against surface-distance, SciPy and scikit-image."""

import math
from itertools import pairwise

import numpy as np
import pytest
import surface_distance as reference
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import directed_hausdorff
from skimage.metrics import hausdorff_distance

from mmmed.functional.overlap import EmptyPolicy
from mmmed.functional.surface import (
    SurfaceMetrics,
    compute_average_surface_distance,
    compute_hausdorff,
    compute_surface_dice,
    compute_surface_distances,
    compute_surface_metrics,
)
from mmmed.functional.surface_elements import extract_surface

# The reference uses names that SciPy has moved.
pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning:surface_distance')

SPACING = (3.0, 1.0, 1.5)


def make_box(shape, start, stop):
    mask = np.zeros(shape, bool)
    mask[tuple(map(slice, start, stop))] = True
    return mask


def compute_box_surface(steps, spacing):
    """Area of a box of voxels: flat faces, bevelled edges and corners."""
    faces = [spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]]
    area = math.hypot(*faces)  # eight corners of an eighth each
    for axis in range(3):
        one, other = (steps[k] - 1 for k in range(3) if k != axis)
        area += 2 * one * other * faces[axis]
        sides = math.hypot(*(spacing[k] for k in range(3) if k != axis))
        area += 4 * (steps[axis] - 1) * spacing[axis] * sides / 2
    return area


# --- metrics by hand ----------------------------------------------------------------


def test_surface_dice_jumps_where_nested_boxes_are_apart():
    # Margins of 1, 3 and 2 voxels are 3 mm along each axis.
    inner = make_box((9, 14, 13), (2, 4, 4), (6, 9, 8))
    outer = make_box((9, 14, 13), (1, 1, 2), (7, 12, 10))
    distances = compute_surface_distances(outer, inner, SPACING)
    inner_area = compute_box_surface((4, 5, 4), SPACING)
    outer_area = compute_box_surface((6, 11, 8), SPACING)
    # Elements of the outer faces that look straight at an inner face.
    facing = 2 * (6 * 5 * 1.5 + 5 * 5 * 4.5 + 5 * 6 * 3.0)
    expected = (inner_area + facing) / (inner_area + outer_area)
    assert distances.compute_surface_dice(2.999) == 0.0
    assert distances.compute_surface_dice(3.0) == pytest.approx(expected, rel=1e-12)
    assert distances.compute_surface_dice(3 * math.sqrt(3)) == 1.0
    assert distances.compute_surface_dice(5.19) < 1.0
    assert distances.compute_hausdorff() == pytest.approx(3 * math.sqrt(3))
    assert distances.target_to_pred_mm.tolist() == [3.0] * len(distances.target_sizes)


def test_perfect_prediction():
    mask = make_box((6, 7, 8), (0, 2, 3), (4, 7, 5))
    metrics = compute_surface_metrics(mask, mask.copy(), SPACING, tolerance_mm=0.0)
    assert metrics == SurfaceMetrics(1.0, 0.0, 0.0, 0.0, 0.0)


def test_metrics_at_once_equal_the_single_functions(rng):
    pred, target = rng.random((2, 7, 9, 8)) < 0.05
    metrics = compute_surface_metrics(pred, target, SPACING, tolerance_mm=1.5)
    assert metrics.as_dict() == {
        'surface_dice': compute_surface_dice(pred, target, SPACING, tolerance_mm=1.5),
        'hausdorff_mm': compute_hausdorff(pred, target, SPACING),
        'hausdorff95_mm': compute_hausdorff(pred, target, SPACING, percentile=95),
        'average_distance_mm': compute_average_surface_distance(pred, target, SPACING),
        'tolerance_mm': 1.5,
    }


@pytest.mark.parametrize('dtype', ['uint8', 'int64', 'float32'])
def test_masks_of_numbers_and_tensors(dtype, rng):
    pred, target = rng.random((2, 5, 6, 7)) < 0.2
    expected = compute_hausdorff(pred, target, SPACING)
    numbers = pred.astype(dtype), torch.as_tensor(target.astype(dtype))
    assert compute_hausdorff(*numbers, SPACING) == expected


def test_does_not_depend_on_direction_or_order(rng):
    pred, target = rng.random((2, 5, 6, 7)) < 0.2
    expected = compute_surface_metrics(pred, target, SPACING, tolerance_mm=1)
    swapped = compute_surface_metrics(target, pred, SPACING, tolerance_mm=1)
    turned = compute_surface_metrics(pred.T, target.T, SPACING[::-1], tolerance_mm=1)
    for metrics in (swapped, turned):
        assert tuple(metrics.as_dict().values()) == pytest.approx(
            tuple(expected.as_dict().values()), rel=1e-12
        )


# --- empty masks --------------------------------------------------------------------

# 4 x 12 mm and 3 x 5 mm and 2 x 8 mm.
DIAGONAL = math.hypot(12, 15, 16)


@pytest.mark.parametrize('is_pred_empty', [True, False])
def test_missed_or_invented_structure_gets_the_worst_value(is_pred_empty):
    masks = [np.zeros((4, 3, 2), bool), np.ones((4, 3, 2), bool)]
    pred, target = masks if is_pred_empty else masks[::-1]
    metrics = compute_surface_metrics(pred, target, (3, 5, 8), tolerance_mm=1)
    assert metrics == SurfaceMetrics(0.0, DIAGONAL, DIAGONAL, DIAGONAL, 1.0)


def test_both_empty_is_left_out_of_the_mean_by_default():
    empty = np.zeros((4, 3, 2), bool)
    values = compute_surface_metrics(empty, empty, (3, 5, 8), tolerance_mm=1).as_dict()
    assert values.pop('tolerance_mm') == 1.0
    assert np.isnan(list(values.values())).all()


def test_policy_holds_for_scores_and_distances_alike():
    policy = EmptyPolicy(both_empty=1.0, pred_empty=0.25, target_empty=0.5)
    empty, full = np.zeros((4, 3, 2), bool), np.ones((4, 3, 2), bool)
    for pred, target, score in (
        (empty, empty, 1),
        (empty, full, 0.25),
        (full, empty, 0.5),
    ):
        metrics = compute_surface_metrics(
            pred, target, (3, 5, 8), tolerance_mm=1, policy=policy
        )
        distance = (1 - score) * DIAGONAL
        assert metrics == SurfaceMetrics(score, distance, distance, distance, 1.0)


def test_no_distance_is_beyond_the_diagonal():
    pred, target = np.zeros((2, 4, 3, 2), bool)
    pred[0, 0, 0], target[-1, -1, -1] = True, True
    worst = compute_hausdorff(pred, np.zeros_like(pred), (3, 5, 8))
    assert compute_hausdorff(pred, target, (3, 5, 8)) == math.hypot(9, 10, 8) < worst


def test_image_without_elements_is_empty():
    nothing = np.zeros((0, 5, 5), bool)
    assert math.isnan(compute_hausdorff(nothing, nothing, SPACING))


# --- parity -------------------------------------------------------------------------


def compute_reference(pred, target, spacing, tolerance_mm, percentile):
    """Dice, Hausdorff, its bounds at the next share of area, and the ASSD."""
    found = reference.compute_surface_distances(target, pred, spacing)
    means = reference.compute_average_surface_distance(found)
    areas = found['surfel_areas_gt'].sum(), found['surfel_areas_pred'].sum()
    near = [max(percentile - 1e-9, 0), percentile, min(percentile + 1e-9, 100)]
    return (
        reference.compute_surface_dice_at_tolerance(found, tolerance_mm),
        [reference.compute_robust_hausdorff(found, value) for value in near],
        np.average(means, weights=areas),
        found,
    )


def check_against_reference(pred, target, spacing, tolerance_mm, percentile):
    dice, hausdorff, average, found = compute_reference(
        pred, target, spacing, tolerance_mm, percentile
    )
    ours = compute_surface_distances(pred, target, spacing)
    for one, other in (
        (ours.target_to_pred_mm, found['distances_gt_to_pred']),
        (ours.pred_to_target_mm, found['distances_pred_to_gt']),
        (ours.target_sizes, found['surfel_areas_gt']),
        (ours.pred_sizes, found['surfel_areas_pred']),
    ):
        np.testing.assert_allclose(np.sort(one), np.sort(other), rtol=1e-13)
    assert ours.compute_surface_dice(tolerance_mm) == pytest.approx(dice, abs=1e-12)
    # Where exactly that share of area ends, rounding decides in either.
    distance = ours.compute_hausdorff(percentile)
    assert min(abs(distance - value) for value in hausdorff) < 1e-12 * (1 + distance)
    assert ours.compute_average() == pytest.approx(average, rel=1e-12, abs=1e-15)


def draw_masks(max_side, axes):
    shapes = hnp.array_shapes(min_dims=axes, max_dims=axes, max_side=max_side)
    return shapes.flatmap(
        lambda shape: st.tuples(*[hnp.arrays(bool, shape, fill=st.booleans())] * 2)
    )


LENGTHS = st.sampled_from([0.3, 0.7, 1.0, 1.0, 2.5, 5.0])


@pytest.mark.parametrize(('axes', 'max_side'), [(2, 12), (3, 6)])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_equals_surface_distance(axes, max_side, data):
    pred, target = data.draw(draw_masks(max_side, axes))
    assume(pred.any() and target.any())
    spacing = data.draw(st.tuples(*[LENGTHS] * axes))
    tolerance_mm = data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.3]))
    percentile = data.draw(st.sampled_from([0.0, 50.0, 90.0, 95.0, 99.0, 100.0]))
    check_against_reference(pred, target, spacing, tolerance_mm, percentile)


@pytest.mark.parametrize('density', [0.002, 0.05, 0.5, 0.98])
@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (5.0, 0.6, 0.7)])
def test_equals_surface_distance_in_noise(density, spacing, rng):
    pred, target = rng.random((2, 20, 33, 27)) < density
    check_against_reference(pred, target, spacing, 1.0, 95.0)


def make_ball(shape, center, radii):
    grid = np.ogrid[tuple(map(slice, shape))]
    return (
        sum(
            ((axis - middle) / radius) ** 2
            for axis, middle, radius in zip(grid, center, radii, strict=True)
        )
        <= 1
    )


@pytest.mark.parametrize(
    ('center', 'radii'),
    [
        ((30, 42, 35), (20, 30, 25)),  # a fair prediction, shifted
        ((30, 40, 36), (28, 12, 33)),  # a poor one
        ((4, 80, 70), (12, 12, 12)),  # beside it, cut by the border
    ],
)
@pytest.mark.parametrize('spacing', [(1.0, 1.0, 1.0), (2.5, 0.7, 0.8)])
def test_equals_surface_distance_on_organs(center, radii, spacing):
    shape = (60, 90, 80)
    pred, target = (
        make_ball(shape, center, radii),
        make_ball(shape, (29, 40, 35), (20, 30, 25)),
    )
    check_against_reference(pred, target, spacing, 2.0, 95.0)


def test_maximum_equals_scipy_on_the_elements(rng):
    pred, target = rng.random((2, 6, 9, 8)) < 0.03
    points = [
        extract_surface(mask, SPACING).points.T * SPACING for mask in (pred, target)
    ]
    expected = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert compute_hausdorff(pred, target, SPACING) == pytest.approx(expected)


def test_maximum_of_single_voxels_equals_scikit_image(rng):
    # With one voxel each, surfaces are as far apart as the voxels, plus or minus one.
    pred, target = np.zeros((2, 9, 11, 10), bool)
    pred[1, 2, 3], target[7, 9, 4] = True, True
    voxels = hausdorff_distance(pred, target)
    assert voxels == math.hypot(6, 7, 1)
    assert compute_hausdorff(pred, target, (1, 1, 1)) == math.hypot(6, 7, 1)
    assert compute_hausdorff(pred, target, (1, 1, 1), percentile=0) == math.hypot(
        5, 6, 0
    )


@pytest.mark.data
def test_equals_surface_distance_on_real_lesions(sample_data):
    from mmmed.io.base import read_volume

    files = sorted((sample_data / 'stroke_masks' / 'lesions').glob('*.nii.gz'))[:3]
    masks = [read_volume(file).array > 0 for file in files]
    for pred, target in pairwise(masks):
        check_against_reference(pred, target, (1.0, 1.0, 1.0), 2.0, 95.0)
    moved = np.roll(masks[0], 2, axis=1)
    check_against_reference(moved, masks[0], (1.0, 1.0, 1.0), 1.0, 95.0)
