import dataclasses
import math

import numpy as np
import pytest

from mmmed.evaluation.case_grid import CaseGrid
from mmmed.evaluation.case_scores import score_absent_label, score_case
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.functional.lesions import match_lesions
from mmmed.functional.organ_rule import OrganRule
from mmmed.functional.overlap import EmptyPolicy, compute_dice
from mmmed.functional.surface import compute_surface_metrics
from mmmed.structures import Volume

SPACING = (3.0, 1.0, 2.0)
SHAPE = (12, 14, 10)
DIAGONAL = math.hypot(36, 14, 20)
SCORES = ('dice', 'iou', 'precision', 'recall', 'surface_dice')
DISTANCES = ('hausdorff_mm', 'hausdorff95_mm', 'average_surface_distance_mm')


def make_cube(corner, size=4, shape=SHAPE, value=1):
    array = np.zeros(shape, np.uint8)
    array[tuple(slice(c, c + size) for c in corner)] = value
    return array


def score(pred, target, **options):
    pred = None if pred is None else Volume(pred, SPACING)
    return score_case('c', pred, Volume(target, SPACING), ScoreOptions(**options))


@pytest.mark.parametrize('k', range(5))
@pytest.mark.parametrize('axis', range(3))
def test_a_shifted_cube_has_dice_1_minus_k_over_a(axis, k):
    corner = [2, 2, 2]
    corner[axis] += k
    (row,) = score(make_cube(corner), make_cube((2, 2, 2))).cases
    tp = 64 - 16 * k
    assert row['dice'] == pytest.approx(1 - k / 4, abs=1e-15)
    assert [row[n] for n in ('tp', 'fp', 'fn', 'tn')] == [
        tp,
        16 * k,
        16 * k,
        12 * 14 * 10 - 64 - 16 * k,
    ]
    assert row['hausdorff_mm'] == pytest.approx(k * SPACING[axis])
    assert row['target_volume_ml'] == pytest.approx(64 * 6 / 1000)
    assert row['volume_difference_ml'] == 0
    assert row['outcome'] == ('hit' if k < 4 else 'disjoint')
    assert row['found_lesions'] == (1 if k < 4 else 0)
    assert row['lesion_f1'] == (1 if k < 4 else 0)


def test_two_boxes_of_which_one_is_found():
    target = make_cube((0, 0, 0)) | make_cube((8, 10, 6), 2)
    scores = score(make_cube((0, 0, 0)) | make_cube((8, 2, 6), 3), target)
    (row,) = scores.cases
    names = ('target_lesions', 'pred_lesions', 'found_lesions', 'missed_lesions')
    assert [row[name] for name in names] == [2, 2, 1, 1]
    assert row['false_positive_lesions'] == 1
    assert row['lesion_count_difference'] == 0
    assert (row['lesion_f1'], row['lesion_sensitivity'], row['lesion_precision']) == (
        pytest.approx(1 / (1 + (1 + 1) / 2)),
        0.5,
        0.5,
    )
    # 64 common voxels, 27 invented, 8 missed.
    assert row['dice'] == pytest.approx(128 / (128 + 27 + 8))
    assert row['relative_volume_difference'] == pytest.approx(19 / 72)
    rows = {(one['side'], one['outcome']): one for one in scores.lesions}
    missed = rows['target', 'missed']
    assert (missed['voxels'], missed['volume_mm3'], missed['dice']) == (8, 48.0, 0.0)
    assert missed['radius_mm'] == pytest.approx((48 * 3 / (4 * math.pi)) ** (1 / 3))
    # Index (8.5, 10.5, 6.5) times spacing; X is right, Y anterior, Z superior.
    place = [missed[f'centroid_{axis}_mm'] for axis in 'ras']
    assert place == pytest.approx([13.0, 10.5, 25.5])
    assert rows['pred', 'matched']['dice'] is None
    assert rows['pred', 'false_alarm']['dice'] == 0.0
    assert rows['target', 'found']['dice'] == 1.0


def test_centroids_are_in_patient_space_whatever_the_orientation():
    target = Volume(make_cube((1, 2, 3), 2), SPACING).reorient('LPI')
    place = score_case('c', None, target, ScoreOptions()).lesions[0]
    assert [place[f'centroid_{axis}_mm'] for axis in 'ras'] == pytest.approx(
        [7.0, 2.5, 4.5]
    )


@pytest.mark.parametrize('connectivity', [6, 26])
@pytest.mark.parametrize('seed', range(3))
def test_the_box_changes_no_number(seed, connectivity):
    rng = np.random.default_rng(seed)
    pred, target = np.zeros((2, *SHAPE), np.uint8)
    # One corner touches the border of the image.
    pred[:5, 3:9, :6] = rng.random((5, 6, 6)) < 0.4
    target[1:6, 2:8, :5] = rng.random((5, 6, 5)) < 0.4
    (row,) = score(pred, target, tolerance_mm=1.5, connectivity=connectivity).cases
    whole = compute_surface_metrics(pred, target, SPACING, tolerance_mm=1.5)
    match = match_lesions(pred, target, SPACING, connectivity=connectivity)
    assert row['dice'] == compute_dice(pred, target)
    assert row['surface_dice'] == pytest.approx(whole.surface_dice, abs=1e-12)
    assert row['hausdorff_mm'] == whole.hausdorff_mm
    assert row['hausdorff95_mm'] == whole.hausdorff95_mm
    assert row['average_surface_distance_mm'] == pytest.approx(
        whole.average_distance_mm, abs=1e-12
    )
    assert row['found_lesions'] == match.num_found
    assert row['false_positive_lesions'] == match.num_false_alarms
    assert row['lesion_f1'] == match.compute_scores()['f1']
    assert row['tn'] == np.count_nonzero((pred | target) == 0)


@pytest.mark.parametrize(
    ('pred', 'target', 'outcome'),
    [
        (np.zeros(SHAPE, np.uint8), make_cube((2, 2, 2)), 'missed'),
        (None, make_cube((2, 2, 2)), 'missed'),
        (make_cube((2, 2, 2)), np.zeros(SHAPE, np.uint8), 'false_alarm'),
    ],
)
def test_one_empty_side_has_the_worst_value(pred, target, outcome):
    (row,) = score(pred, target).cases
    assert row['outcome'] == outcome
    assert [row[name] for name in SCORES] == [0] * 5
    assert [row[name] for name in DISTANCES] == pytest.approx([DIAGONAL] * 3)
    assert [row[f'lesion_{n}'] for n in ('f1', 'sensitivity', 'precision')] == [0] * 3
    assert row['absolute_volume_difference_ml'] == pytest.approx(0.384)
    assert row['pred_missing'] == (pred is None)
    expected = -1 if outcome == 'missed' else None
    assert row['relative_volume_difference'] == expected


@pytest.mark.parametrize(
    ('both_empty', 'expected', 'distance'),
    [(None, None, None), (1.0, 1.0, 0.0), (0.0, 0.0, DIAGONAL)],
)
def test_both_empty_follows_the_policy_everywhere(both_empty, expected, distance):
    empty = np.zeros(SHAPE, np.uint8)
    options = ScoreOptions({'x': (1,)}, policy=EmptyPolicy(both_empty=both_empty))
    scores = score_case('c', Volume(empty, SPACING), Volume(empty, SPACING), options)
    (row,) = scores.cases
    assert row['outcome'] == 'both_empty'
    assert [row[name] for name in (*SCORES, 'lesion_f1')] == [expected] * 6
    assert [row[name] for name in DISTANCES] == pytest.approx([distance] * 3)
    assert (row['specificity'], row['volume_difference_ml']) == (1, 0)
    assert score_absent_label('c', 'x', scores.grid, options).cases == [row]


def test_a_missing_prediction_gets_no_credit_for_an_empty_reference():
    empty = np.zeros(SHAPE, np.uint8)
    labels = {'x': (1,)}
    policy = EmptyPolicy(both_empty=1.0)
    (row,) = score(None, empty, labels=labels, policy=policy).cases
    assert (row['dice'], row['lesion_f1'], row['hausdorff_mm']) == (0, 0, DIAGONAL)
    (row,) = score(None, empty, labels=labels).cases
    assert row['dice'] is None


def test_labels_are_named_joined_and_found():
    target = make_cube((0, 0, 0)) + make_cube((6, 6, 5), value=2)
    pred = make_cube((0, 0, 0)) + make_cube((6, 6, 5), value=7)
    assert [row['label'] for row in score(pred, target).cases] == ['1', '2', '7']
    named = score(pred, target, labels={'b': (2, 7), 'all': (1, 2, 7), 'none': (9,)})
    assert [row['dice'] for row in named.cases] == [1.0, 1.0, None]


def test_ignored_voxels_are_not_counted():
    target, pred = make_cube((2, 2, 2)), make_cube((2, 2, 2)) | make_cube((2, 7, 2))
    target[2:6, 7:11] = 255
    (row,) = score(pred, target, ignore_label=255, plane='axial').cases
    assert (row['dice'], row['fp'], row['hausdorff_mm']) == (1.0, 0, 0.0)
    ignored = 4 * 4 * 10
    assert row['tn'] == 12 * 14 * 10 - 64 - ignored
    slices = score(pred, target, ignore_label=255, plane='axial').slices
    assert [one['tn'] for one in slices[1:3]] == [140, 140 - 16 - 40]


def test_slices_of_a_plane_add_up_to_the_case():
    pred, target = make_cube((3, 2, 2)), make_cube((2, 2, 2))
    for plane, axis in (('axial', 0), ('coronal', 1), ('sagittal', 2)):
        scores = score(pred, target, plane=plane)
        assert len(scores.slices) == SHAPE[axis]
        for name in ('tp', 'fp', 'fn', 'tn'):
            assert sum(row[name] for row in scores.slices) == scores.cases[0][name]
    rows = score(pred, target, plane='axial').slices
    assert [row['has_lesion'] for row in rows[1:7]] == [0, 1, 1, 1, 1, 0]
    # Missed, three perfect, one false alarm, empty on both sides.
    assert [row['dice'] for row in rows[2:8]] == [0, 1, 1, 1, 0, None]


def test_a_single_slice_is_measured_in_two_dimensions():
    pred, target = np.zeros((2, 1, 14, 10), np.uint8)
    pred[0, 3:7, 2:6], target[0, 2:6, 2:6] = 1, 1
    scores = score(pred, target, tolerance_mm=0.5)
    flat = compute_surface_metrics(pred[0], target[0], (1.0, 2.0), tolerance_mm=0.5)
    (row,) = scores.cases
    assert row['surface_dice'] == flat.surface_dice
    assert row['hausdorff_mm'] == flat.hausdorff_mm == 1.0
    assert row['dice'] == 0.75
    assert scores.lesions[0]['radius_mm'] == pytest.approx(math.sqrt(32 / math.pi))
    (row,) = score(None, target).cases
    assert row['hausdorff_mm'] == pytest.approx(math.hypot(14, 20))


def test_turned_axes_are_no_other_grid():
    target = Volume(make_cube((2, 3, 1)), SPACING)
    pred = Volume(make_cube((3, 3, 1)), SPACING).reorient('PIL')
    (row,) = score_case('c', pred, target, ScoreOptions()).cases
    assert row['dice'] == 0.75


def test_another_grid_is_refused_with_the_difference():
    target = Volume(make_cube((2, 3, 1)), SPACING)
    affine = np.array(target.grid)
    affine[0, 3] += 0.5
    pred = Volume(target.array, SPACING, affine)
    with pytest.raises(ValueError, match=r'largest affine difference 0\.5'):
        score_case('c', pred, target, ScoreOptions())


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.full(SHAPE, 0.5), 'value 0.5, expected whole numbers'),
        (np.full(SHAPE, -1, np.int16), 'is this an image'),
        (np.full(SHAPE, 1 << 20), 'expected labels from 0 to 65535'),
        (np.stack([make_cube((0, 0, 0)), make_cube((1, 0, 0))]), '2 channels of diff'),
    ],
)
def test_what_is_no_label_map_is_refused(array, message):
    with pytest.raises(ValueError, match=message):
        score(array, make_cube((2, 2, 2)))


@pytest.mark.parametrize('dtype', [bool, np.float64, np.int64, np.uint16])
def test_the_type_of_the_file_does_not_matter(dtype):
    pred = make_cube((3, 2, 2)).astype(dtype)
    (row,) = score(pred, make_cube((2, 2, 2)).astype(np.float32)).cases
    assert row['dice'] == 0.75


def test_a_grid_survives_json():
    grid = score(None, make_cube((2, 2, 2)), plane='coronal').grid
    assert CaseGrid.from_dict(dataclasses.asdict(grid)) == grid


def test_post_processing_concerns_the_prediction_alone():
    target = make_cube((0, 0, 0)) | make_cube((0, 6, 0), 2, value=2)
    target |= make_cube((9, 10, 6), 2, value=2)  # far from the organ, and true
    pred = target | make_cube((9, 0, 6), 1)
    labels = {'liver': (1,), 'tumor': (2,)}
    options = {'labels': labels, 'keep_near': OrganRule('liver', 'tumor', 3.0)}
    liver, tumor = score(pred, target, **options).cases
    assert (liver['dice'], liver['pred_lesions']) == (1.0, 1)
    assert [tumor[n] for n in ('tp', 'fp', 'fn')] == [8, 0, 8]
    plain, _ = score(pred, target, labels=labels).cases
    assert plain['false_positive_lesions'] == 1
    assert 'keep_near' not in ScoreOptions(labels=labels).as_dict()
    assert ScoreOptions(**options).as_dict()['keep_near'] == ['liver', 'tumor', 3.0]
    with pytest.raises(ValueError, match="names 'liver'"):
        ScoreOptions(keep_near=options['keep_near'])
