"""Lesion tables by hand, and against the ATLAS scorer's definitions restated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import generate_binary_structure, label

from mmmed.functional.components import CONNECTIVITIES
from mmmed.functional.lesions import match_lesions, summarize_strata
from mmmed.functional.overlap import EmptyPolicy, compute_dice

SPACING = (2.0, 0.5, 1.5)


@pytest.fixture
def pair():
    """Three reference lesions of 24, 8 and 1 voxels; prediction and target.

    The first is hit by two predicted lesions of 8 (all in it) and 6 (2 in it) voxels,
    the second by one of 8 (4 in it), the third is missed; 1 and 2 voxels are invented.
    """
    pred, target = np.zeros((2, 6, 12, 16), bool)
    target[0:2, 0:3, 0:4] = True
    target[3:5, 4:6, 8:10] = True
    target[5, 11, 15] = True
    pred[0:2, 0:2, 0:2] = True
    pred[0, 2, 2:8] = True
    pred[3:5, 4:6, 9:11] = True
    pred[0, 9, 9] = True
    pred[5, 0, 0:2] = True
    return pred, target


def test_overlap_by_hand(pair):
    match = match_lesions(*pair, SPACING)
    assert match.target.sizes.tolist() == [24, 8, 1]
    assert match.pred.sizes.tolist() == [8, 6, 1, 8, 2]
    assert match.target_found.tolist() == [True, True, False]
    assert match.pred_true.tolist() == [True, True, False, True, False]
    assert match.pairs.tolist() == [[0, 0], [0, 1], [1, 3]]
    # With both that touch it: 10 voxels in common, 24 + 8 + 6 in all.
    assert match.dice.tolist() == pytest.approx([20 / 38, 8 / 16, 0])
    assert match.iou.tolist() == pytest.approx([10 / 28, 4 / 12, 0])
    counts = match.num_found, match.num_missed, match.num_false_alarms
    assert counts == (2, 1, 2)
    assert match.count_difference == 2
    assert match.compute_scores() == pytest.approx(
        {'f1': 2 / 3.5, 'sensitivity': 2 / 3, 'precision': 2 / 4}
    )


@pytest.mark.parametrize('criterion', ['greedy', 'optimal'])
def test_one_to_one_by_hand(criterion, pair):
    match = match_lesions(*pair, SPACING, criterion=criterion, min_iou=0.3)
    # 8 of 24 voxels are exactly a third, as are 4 of 12.
    assert match.pairs.tolist() == [[0, 0], [1, 3]]
    assert match.dice.tolist() == pytest.approx([16 / 32, 8 / 16, 0])
    assert match.iou.tolist() == pytest.approx([1 / 3, 1 / 3, 0])
    assert match.num_false_alarms == 3
    assert match.compute_scores()['precision'] == pytest.approx(2 / 5)
    strict = match_lesions(*pair, SPACING, criterion=criterion, min_iou=0.34)
    assert (strict.num_found, strict.num_false_alarms) == (0, 5)
    assert strict.compute_scores() == {'f1': 0, 'sensitivity': 0, 'precision': 0}


def test_greedy_and_optimal_differ_where_pairs_compete():
    # Lesions of 10 and 9 pixels, predictions of 3 and 12: the best pair is 0 with 1.
    target, pred = np.zeros((2, 1, 30), bool)
    target[0, 0:10] = target[0, 11:20] = True
    pred[0, 0:3] = pred[0, 4:16] = True
    ious = {(0, 0): 3 / 10, (0, 1): 6 / 16, (1, 1): 5 / 16}
    options = {'spacing': (1, 1), 'min_iou': 0.2}
    greedy = match_lesions(pred, target, criterion='greedy', **options)
    optimal = match_lesions(pred, target, criterion='optimal', **options)
    assert greedy.pairs.tolist() == [[0, 1]]
    assert greedy.iou.tolist() == [ious[0, 1], 0]
    assert optimal.pairs.tolist() == [[0, 0], [1, 1]]
    assert optimal.iou.tolist() == [ious[0, 0], ious[1, 1]]


def test_one_prediction_over_two_lesions_finds_both_by_overlap():
    target = np.array([[1, 1, 0, 0, 1, 1, 1]], bool)
    match = match_lesions(np.ones((1, 7)), target, (1, 1))
    assert (match.num_found, match.num_false_alarms) == (2, 0)
    assert match.dice.tolist() == pytest.approx([4 / 9, 6 / 10])
    assert match.count_difference == -1
    strict = match_lesions(
        np.ones((1, 7)), target, (1, 1), criterion='optimal', min_iou=0.1
    )
    assert (strict.num_found, strict.num_missed) == (1, 1)
    assert strict.iou.tolist() == pytest.approx([0, 3 / 7])


def test_rows_by_hand(pair):
    rows = match_lesions(*pair, SPACING).as_rows()
    assert [row['outcome'] for row in rows] == [
        'found',
        'found',
        'missed',
        'false_alarm',
        'false_alarm',
    ]
    assert [row['lesion'] for row in rows] == [1, 2, 3, 3, 5]
    assert rows[1] == {
        'lesion': 2,
        'voxels': 8,
        'volume_mm3': 12.0,
        'radius_mm': pytest.approx((36 / (4 * math.pi)) ** (1 / 3)),
        'centroid_z_mm': 7.0,
        'centroid_y_mm': 2.25,
        'centroid_x_mm': 12.75,
        'outcome': 'found',
        'dice': 0.5,
        'iou': pytest.approx(1 / 3),
    }
    assert [row['dice'] for row in rows[2:]] == [0, 0, 0]


def test_rows_of_slices_hold_areas():
    row = match_lesions([[0, 1]], [[0, 1]], (2.0, 3.0)).as_rows()[0]
    assert row['area_mm2'] == 6.0
    assert row['centroid_x_mm'] == 3.0
    assert 'volume_mm3' not in row
    assert 'centroid_z_mm' not in row


def test_centroids_through_an_affine(pair):
    affine = np.diag([2, 0.5, 1.5, 1])
    affine[:3, 3] = [-10, 20, 30]
    match = match_lesions(*pair, SPACING, affine=affine)
    row = match.as_rows(axes=('x', 'y', 'z'))[2]
    place = row['centroid_x_mm'], row['centroid_y_mm'], row['centroid_z_mm']
    assert place == (0, 25.5, 52.5)
    with pytest.raises(ValueError, match='expected 3 names'):
        match.as_rows(axes=('x', 'y'))


def test_connectivity_joins_and_splits():
    target = np.array([[1, 0], [0, 1]])
    pred = np.array([[1, 0], [0, 0]])
    assert match_lesions(pred, target, (1, 1)).num_missed == 1
    assert match_lesions(pred, target, (1, 1), connectivity=8).num_missed == 0


# --- empty masks --------------------------------------------------------------------


def test_no_lesions_at_all():
    empty = np.zeros((3, 4, 5), bool)
    match = match_lesions(empty, empty, SPACING)
    assert match.as_rows() == []
    assert match.count_difference == 0
    assert all(math.isnan(score) for score in match.compute_scores().values())
    atlas = match.compute_scores(policy=EmptyPolicy(both_empty=1.0))
    assert atlas == {'f1': 1.0, 'sensitivity': 1.0, 'precision': 1.0}


@pytest.mark.parametrize('criterion', ['overlap', 'greedy', 'optimal'])
def test_all_missed_or_all_invented(criterion):
    empty, full = np.zeros((3, 4, 5), bool), np.ones((3, 4, 5), bool)
    missed = match_lesions(empty, full, SPACING, criterion=criterion)
    assert (missed.num_missed, missed.num_false_alarms) == (1, 0)
    assert missed.compute_scores() == {'f1': 0, 'sensitivity': 0, 'precision': 0}
    assert missed.dice.tolist() == [0]
    invented = match_lesions(full, empty, SPACING, criterion=criterion)
    assert (invented.num_missed, invented.num_false_alarms) == (0, 1)
    assert invented.compute_scores() == {'f1': 0, 'sensitivity': 0, 'precision': 0}
    policy = EmptyPolicy(pred_empty=0.25, target_empty=0.5)
    assert set(missed.compute_scores(policy=policy).values()) == {0.25}
    assert set(invented.compute_scores(policy=policy).values()) == {0.5}


# --- strata -------------------------------------------------------------------------


def test_strata_by_hand(pair):
    # Volumes 36, 12 and 1.5 mm3; false alarms of 1.5 and 3 mm3.
    match = match_lesions(*pair, SPACING)
    rows = summarize_strata([match, match], [1.5, 12])
    assert rows[0]['lesions'] == rows[0]['false_alarms'] == 0
    assert math.isnan(rows[0]['sensitivity'])
    assert math.isnan(rows[0]['mean_dice'])
    assert rows[1] == {
        'low': 1.5,
        'high': 12.0,
        'lesions': 2,
        'found': 0,
        'false_alarms': 4,
        'sensitivity': 0.0,
        'mean_dice': 0.0,
    }
    assert rows[2]['lesions'] == rows[2]['found'] == 4
    assert rows[2]['sensitivity'] == 1.0
    assert rows[2]['mean_dice'] == pytest.approx((20 / 38 + 1 / 2) / 2)
    assert rows[2]['high'] == math.inf


def test_strata_of_nothing():
    rows = summarize_strata([], [10.0])
    assert [row['lesions'] for row in rows] == [0, 0]


@pytest.mark.parametrize('edges', [[5, 5], [7, 3], [0, 1], [-1]])
def test_strata_need_rising_volumes(edges):
    with pytest.raises(ValueError, match='rising volumes'):
        summarize_strata([], edges)


# --- parity -------------------------------------------------------------------------


def score_like_atlas(truth, prediction, structure):
    """The challenge's counts, lesion by lesion, as its scorer defines them."""
    truth_labels, num_truth = label(truth, structure)
    pred_labels, num_pred = label(prediction, structure)
    tp = sum(bool(prediction[truth_labels == k + 1].any()) for k in range(num_truth))
    fp = sum(not truth[pred_labels == k + 1].any() for k in range(num_pred))
    fn = num_truth - tp
    f1 = 1.0 if tp + fp + fn == 0 else tp / (tp + (fp + fn) / 2)
    return tp, fp, fn, f1, abs(num_pred - num_truth)


MASK_PAIRS = hnp.array_shapes(min_dims=2, max_dims=3, max_side=7).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(bool, shape)] * 2)
)


@settings(max_examples=100, deadline=None)
@given(MASK_PAIRS, st.booleans())
def test_overlap_equals_the_atlas_scorer(masks, is_full):
    pred, target = masks
    choices = CONNECTIVITIES[pred.ndim]
    connectivity = max(choices) if is_full else None
    differing = choices[connectivity] if is_full else 1
    structure = generate_binary_structure(pred.ndim, differing)
    match = match_lesions(pred, target, (1,) * pred.ndim, connectivity=connectivity)
    scores = match.compute_scores(policy=EmptyPolicy(both_empty=1.0))
    assert (
        match.num_found,
        match.num_false_alarms,
        match.num_missed,
        pytest.approx(scores['f1'], abs=1e-12),
        abs(match.count_difference),
    ) == score_like_atlas(target, pred, structure)


@settings(max_examples=60, deadline=None)
@given(MASK_PAIRS)
def test_dice_of_each_lesion_equals_dice_of_masks(masks):
    pred, target = masks
    match = match_lesions(pred, target, (1,) * pred.ndim)
    target_labels, pred_labels = label(target)[0], label(pred)[0]
    for row, dice in enumerate(match.dice):
        lesion = target_labels == row + 1
        touching = np.unique(pred_labels[lesion & pred])
        assert dice == pytest.approx(
            compute_dice(np.isin(pred_labels, touching) & pred, lesion)
        )


@settings(max_examples=60, deadline=None)
@given(MASK_PAIRS, st.sampled_from([0.01, 0.2, 0.5, 0.51]))
def test_one_to_one_is_one_to_one_and_above_the_threshold(masks, min_iou):
    found = {
        criterion: match_lesions(
            *masks, (1,) * masks[0].ndim, criterion=criterion, min_iou=min_iou
        )
        for criterion in ('greedy', 'optimal')
    }
    for match in found.values():
        assert match.num_found == match.pred_true.sum() == len(match.pairs)
        assert (match.iou[match.target_found] >= min_iou).all()
    assert found['optimal'].iou.sum() >= found['greedy'].iou.sum() - 1e-12
    if min_iou > 0.5:
        assert (found['optimal'].pairs == found['greedy'].pairs).all()


@pytest.mark.parametrize(
    'options', [{'criterion': 'any'}, {'min_iou': 0}, {'min_iou': 1.1}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match='criterion is'):
        match_lesions([[1]], [[1]], (1, 1), **options)


def test_wrong_masks_are_refused():
    with pytest.raises(ValueError, match='pred has shape'):
        match_lesions(np.ones((2, 3)), np.ones((3, 2)), (1, 1))
    with pytest.raises(ValueError, match='target holds'):
        match_lesions(np.ones((2, 3)), 2 * np.ones((2, 3)), (1, 1))
    with pytest.raises(ValueError, match='two or three axes'):
        match_lesions(np.ones(3), np.ones(3), (1,))
