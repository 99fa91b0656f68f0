"""Tables over subjects, against numbers made by hand."""

import math

import numpy as np
import pytest

from mmmed.reporting.study_subjects import (
    SubjectFacts,
    average_subjects,
    compare_subjects,
    correct_holm,
    list_subjects,
    summarize_groups,
    summarize_subjects,
    tabulate_subjects,
)

COUNTS = [[3, 1, 1, 55], [2, 3, 4, 51]]


@pytest.fixture
def table():
    return tabulate_subjects('net', ['s2', 's1'], COUNTS, [0.004, 0.002])


def test_subjects_are_sorted_with_their_scores(table):
    assert table.subjects == ('s1', 's2')
    assert table.scores['dice'] == pytest.approx([4 / 11, 6 / 8], rel=1e-12)
    assert table.scores['precision'] == pytest.approx([2 / 5, 3 / 4], rel=1e-12)
    assert table.scores['recall'] == pytest.approx([2 / 6, 3 / 4], rel=1e-12)
    assert table.scores['volume_difference_ml'] == pytest.approx([-0.002, 0])


def test_summary(table):
    row = summarize_subjects(table)
    assert row['dice_n'] == 2
    assert row['dice_mean'] == pytest.approx((4 / 11 + 6 / 8) / 2, rel=1e-12)
    assert row['dice_sd'] == pytest.approx((6 / 8 - 4 / 11) / math.sqrt(2), rel=1e-12)
    assert row['absolute_volume_difference_ml_mean'] == pytest.approx(0.001)
    assert row['volume_difference_ml_mean'] == pytest.approx(-0.001)
    # Of two subjects a resample holds the lower one twice in a quarter of all cases.
    assert (row['dice_low'], row['dice_high']) == pytest.approx((4 / 11, 6 / 8))


def test_subject_that_is_empty_on_both_sides_has_no_score():
    table = tabulate_subjects('net', ['a', 'b'], [[0, 0, 0, 9], [1, 0, 0, 8]], [1, 1])
    row = summarize_subjects(table)
    assert (row['dice_n'], row['dice_n_undefined'], row['dice_mean']) == (1, 1, 1)


def test_groups_in_the_order_given(table):
    facts = {'s1': SubjectFacts('R2', 1, 6), 's2': SubjectFacts('R1', 1, 4)}
    rows = summarize_groups([table], facts, lambda one: one.site, ['R2'])
    assert [row['group'] for row in rows] == ['R2', 'R1']
    assert [row['dice_mean'] for row in rows] == pytest.approx([4 / 11, 6 / 8])


def test_subject_without_facts_is_in_no_known_group(table):
    rows = summarize_groups([table], {}, lambda one: one.stratum)
    assert [(row['group'], row['dice_n']) for row in rows] == [('unknown', 2)]


@pytest.mark.parametrize(
    ('reference_ml', 'expected'),
    [
        (5.0, '≤ 5,000 mm³'),
        (5.001, '5,000 to 30,000 mm³'),
        (300.0, '> 200,000 mm³'),
        (0.0, 'no lesion'),
        (math.nan, 'unknown'),
    ],
)
def test_stratum_is_of_cubic_millimetres(reference_ml, expected):
    assert SubjectFacts('', 0.008, reference_ml).stratum == expected


def test_mean_over_seeds_is_of_common_subjects(table):
    other = tabulate_subjects('b', ['s1', 's3'], [[1, 0, 0, 5], [1, 0, 0, 5]], [1, 1])
    mean = average_subjects('both', [table, other])
    assert mean.subjects == ('s1',)
    assert mean.scores['dice'] == pytest.approx([(4 / 11 + 1) / 2], rel=1e-12)


def test_pairs_take_the_same_subjects():
    names = [f's{k}' for k in range(6)]
    # Dice 2 tp / (2 tp + fn): 0.8 against 2/3 for all but the last.
    first = tabulate_subjects('a', names, [[2, 0, 1, 9]] * 6, [1] * 6)
    second = tabulate_subjects('b', names[:5], [[1, 0, 1, 9]] * 5, [1] * 5)
    (row,) = compare_subjects(first, [second])
    assert row['mean_difference'] == pytest.approx(0.8 - 2 / 3, abs=1e-11)
    assert (row['n'], row['n_only_first'], row['n_only_second']) == (5, 1, 0)
    assert (row['higher'], row['ties'], row['lower']) == (5, 0, 0)
    assert row['p_holm'] == row['p_value']


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ([0.01, 0.5, 0.03], [0.03, 0.5, 0.06]),
        # A smaller p value never gets the larger corrected one.
        ([0.02, 0.021, 0.9], [0.06, 0.06, 0.9]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm(values, expected):
    assert correct_holm(values) == pytest.approx(expected, rel=1e-12)


def test_holm_passes_over_what_could_not_be_tested():
    corrected = correct_holm([0.02, math.nan])
    assert corrected[0] == pytest.approx(0.02)
    assert math.isnan(corrected[1])


def test_subject_rows_hold_counts(table):
    rows = list_subjects(table, 'run', {'s1': SubjectFacts('R1', 0.004, 6.0)})
    assert rows[0] == {
        'run': 'run', 'subject': 's1', 'site': 'R1',
        'volume_bin': '5,000 to 30,000 mm³',
        'tp_voxels': 2, 'fp_voxels': 3, 'fn_voxels': 4, 'dice': 0.363636,
    }  # fmt: skip
    assert rows[1]['volume_bin'] == 'unknown'


def test_summary_does_not_depend_on_the_order_of_subjects(table):
    same = tabulate_subjects('net', ['s1', 's2'], COUNTS[::-1], [0.002, 0.004])
    assert summarize_subjects(same) == summarize_subjects(table)
    assert np.array_equal(same.counts, table.counts)
