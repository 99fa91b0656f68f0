"""Counts and scores against hand-computed and analytic answers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, jaccard_score

from mmmed.functional import overlap
from mmmed.functional.overlap import (
    EmptyPolicy,
    compute_dice,
    compute_iou,
    compute_precision,
    compute_recall,
    compute_relative_volume_difference,
    compute_scores,
    compute_specificity,
    compute_volume_difference,
    count_masks,
    count_overlap,
    label_outcomes,
)

PRED = np.array([[0, 1, 1, 2], [0, 0, 2, 2]])
TARGET = np.array([[0, 1, 0, 2], [1, 255, 2, 1]])
# Confusion by hand, 255 left out; rows tp, fp, fn, tn per class.
COUNTS = [[1, 1, 1, 4], [1, 1, 2, 3], [2, 1, 0, 4]]


def test_counts_by_hand_with_ignored_pixel() -> None:
    counts = count_overlap(PRED, TARGET, 3)
    assert counts.tolist() == COUNTS
    assert counts.dtype == np.int64


def test_ignored_pixel_counts_when_not_ignored() -> None:
    target = np.where(TARGET == 255, 0, TARGET)
    assert count_overlap(PRED, target, 3, ignore_index=None).sum() == 3 * 8


def test_counts_of_tensors_and_mixed_dtypes() -> None:
    pred, target = torch.as_tensor(PRED), TARGET.astype(np.uint64)
    assert count_overlap(pred, target, 3).tolist() == COUNTS


def test_counts_match_scikit_learn(rng: np.random.Generator) -> None:
    pred, target = rng.integers(0, 4, (2, 5, 7, 9))
    matrix = confusion_matrix(target.ravel(), pred.ravel())
    counts = count_overlap(pred, target, 4)
    assert (counts[:, 0] == matrix.diagonal()).all()
    assert (counts[:, :2].sum(1) == matrix.sum(0)).all()
    assert (counts[:, [0, 2]].sum(1) == matrix.sum(1)).all()
    assert (counts.sum(1) == pred.size).all()


def test_counts_do_not_depend_on_block_size(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pred, target = rng.integers(0, 3, (2, 5, 7, 9))
    whole = count_overlap(pred, target, 3)
    monkeypatch.setattr(overlap, '_BLOCK', 11)
    assert (count_overlap(pred, target, 3) == whole).all()


def test_counts_stay_exact_where_float32_sums_do_not() -> None:
    """The host adds float32 areas: above 2**24 single pixels get lost."""
    per_image = np.tile([3, 0, 0, 2**24], (5, 1)).astype(np.int64)
    lossy = sum(np.float32(row[3]) + np.float32(1) for row in per_image)
    exact = (per_image[:, 3] + 1).sum()
    assert exact == 5 * (2**24 + 1)
    assert lossy != exact


def test_everything_ignored_counts_nothing() -> None:
    counts = count_overlap(np.zeros((3, 2), int), np.full((3, 2), 255), 2)
    assert counts.tolist() == [[0, 0, 0, 0]] * 2


def test_empty_array_counts_nothing() -> None:
    empty = np.zeros((0, 4), int)
    assert count_overlap(empty, empty, 2).tolist() == [[0, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    ('pred', 'target', 'message'),
    [
        ([[0, 1]], [[0], [1]], 'same'),
        ([0.2, 0.9], [0, 1], 'threshold'),
        ([0, 2], [0, 1], 'pred holds labels outside'),
        ([0, -1], [0, 1], 'pred holds labels outside'),
        ([0, 1], [0, 7], 'target holds labels outside'),
    ],
)
def test_wrong_label_maps_are_refused(pred: list, target: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_overlap(pred, target, 2)


def test_zero_classes_are_refused() -> None:
    with pytest.raises(ValueError, match='num_classes'):
        count_overlap([0], [0], 0)


@pytest.mark.parametrize('shift', range(5))
@pytest.mark.parametrize('axis', range(3))
def test_dice_of_a_shifted_cube(shift: int, axis: int) -> None:
    """Cube of side a moved by k: Dice = 1 - k / a, IoU = (a - k) / (a + k)."""
    target = np.zeros((9, 11, 13), bool)
    target[1:5, 2:6, 3:7] = True
    pred = np.roll(target, shift, axis)
    assert compute_dice(pred, target) == pytest.approx(1 - shift / 4, rel=1e-12)
    assert compute_iou(pred, target) == pytest.approx(
        (4 - shift) / (4 + shift), rel=1e-12
    )


def test_scores_by_hand() -> None:
    pred = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    target = np.array([0, 1, 1, 1, 1, 0, 0, 0])
    assert count_masks(pred, target).tolist() == [2, 1, 2, 3]
    assert compute_dice(pred, target) == pytest.approx(4 / 7)
    assert compute_iou(pred, target) == pytest.approx(2 / 5)
    assert compute_precision(pred, target) == pytest.approx(2 / 3)
    assert compute_recall(pred, target) == pytest.approx(1 / 2)
    assert compute_specificity(pred, target) == pytest.approx(3 / 4)


def test_iou_matches_scikit_learn(rng: np.random.Generator) -> None:
    pred, target = rng.random((2, 6, 5, 4)) > 0.6
    expected = jaccard_score(target.ravel(), pred.ravel())
    assert compute_iou(pred, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('score', ['dice', 'iou', 'precision', 'recall'])
@pytest.mark.parametrize(
    ('policy', 'expected'),
    [
        (EmptyPolicy(), [math.nan, 0, 0]),
        (EmptyPolicy(both_empty=1.0), [1, 0, 0]),
        (EmptyPolicy(0.5, 0.25, 0.75), [0.5, 0.25, 0.75]),
    ],
)
def test_empty_policy(score: str, policy: EmptyPolicy, expected: list) -> None:
    both, missed, false_alarm = [0, 0, 0, 9], [0, 0, 4, 5], [0, 4, 0, 5]
    scores = compute_scores([both, missed, false_alarm], policy=policy)[score]
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize('field', ['pred_empty', 'target_empty'])
def test_a_missed_structure_cannot_be_left_out(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        EmptyPolicy(**{field: math.nan})


def test_scores_keep_leading_axes() -> None:
    counts = np.tile([2, 1, 2, 3], (3, 5, 1))
    assert compute_scores(counts)['dice'].shape == (3, 5)


def test_specificity_without_background_is_undefined() -> None:
    full = np.ones((2, 3), bool)
    assert math.isnan(compute_specificity(full, full))
    assert compute_specificity(~full, ~full) == 1


@pytest.mark.parametrize('counts', [3, [1, 2, 3], [1, -1, 0, 0]])
def test_wrong_counts_are_refused(counts: object) -> None:
    with pytest.raises(ValueError, match='tp, fp, fn, tn'):
        compute_scores(counts)


def test_outcomes() -> None:
    counts = [[1, 0, 5, 9], [0, 1, 1, 9], [0, 0, 1, 9], [0, 1, 0, 9], [0, 0, 0, 9]]
    assert label_outcomes(counts).tolist() == list(overlap.OUTCOMES)


def test_volume_difference_uses_spacing_of_every_axis() -> None:
    target = np.zeros((4, 5, 6), bool)
    target[1:3, 1:3, 1:3] = True
    pred = np.zeros_like(target)
    pred[0, 0, :3] = True
    assert compute_volume_difference(pred, target, (3.0, 0.5, 2.0)) == -5 * 3.0
    assert compute_relative_volume_difference(pred, target) == -5 / 8


def test_relative_volume_difference_of_empty_masks() -> None:
    empty, full = np.zeros(4, bool), np.ones(4, bool)
    assert compute_relative_volume_difference(empty, empty) == 0
    assert compute_relative_volume_difference(empty, full) == -1
    assert compute_relative_volume_difference(full, empty) == math.inf


@pytest.mark.parametrize('spacing', [(1.0,), (1.0, 0.0), (1.0, 1.0, 1.0)])
def test_wrong_spacing_is_refused(spacing: tuple) -> None:
    mask = np.ones((2, 3), bool)
    with pytest.raises(ValueError, match='one per array axis'):
        compute_volume_difference(mask, mask, spacing)


@pytest.mark.parametrize('wrong', [[0, 255], [0.0, 0.4], [0.0, math.nan]])
def test_masks_that_are_not_binary_are_refused(wrong: list) -> None:
    with pytest.raises(ValueError, match='binary'):
        compute_dice(wrong, [0, 1])


def test_float_masks_of_zero_and_one_are_taken() -> None:
    assert compute_dice(np.float32([0, 1, 1]), torch.tensor([0, 1, 0])) == 2 / 3


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60),
)
def test_dice_and_iou_agree_on_any_masks(pairs: list) -> None:
    """Dice = 2 IoU / (1 + IoU); Dice is symmetric; both lie in [0, 1]."""
    pred, target = np.array(pairs).T
    dice, iou = compute_dice(pred, target), compute_iou(pred, target)
    if not (pred | target).any():
        assert math.isnan(dice)
        assert math.isnan(iou)
        return
    assert dice == pytest.approx(2 * iou / (1 + iou), rel=1e-12)
    assert dice == compute_dice(target, pred)
    assert 0 <= iou <= dice <= 1
