"""Slice scores of counts that can be added by hand."""

import numpy as np
import pytest

from mmmed.reporting.study_slices import (
    SliceTable,
    compute_smoothed_dice,
    remove_marks,
    summarize_published,
    summarize_slices,
)


def make_table(counts, subjects):
    rows = [(tp, fp, fn, 20 - tp - fp - fn) for tp, fp, fn in counts]
    return SliceTable('net', tuple(subjects), np.array(rows, np.int64).reshape(-1, 4))


@pytest.fixture
def table():
    counts = [(2, 0, 2), (0, 0, 2), (0, 3, 0), (3, 1, 1), (0, 0, 0), (0, 0, 0)]
    return make_table(counts, ['s1'] * 3 + ['s2'] * 3)


def test_lesion_slices_and_others_are_apart(table):
    row = summarize_slices(table)
    # Dice 4/6, 0 and 6/8 on lesion slices; means of subjects 1/3 and 3/4.
    assert row['lesion_slices'] == 3
    assert row['dice_mean'] == pytest.approx((4 / 6 + 0 + 6 / 8) / 3, rel=1e-12)
    assert row['dice_subjects_mean'] == pytest.approx((1 / 3 + 3 / 4) / 2, rel=1e-12)
    assert row['left_empty'] == pytest.approx(1 / 3)
    assert (row['free_slices'], row['lesion_subjects']) == (3, 2)
    assert row['free_marked'] == pytest.approx(1 / 3)


def test_published_arithmetic_beside_a_predictor_of_nothing(table):
    row = summarize_published(table)
    lesion = (5 / 7 + 1 / 3 + 7 / 9) / 3
    free = (1 / 4 + 1 + 1) / 3
    assert row['all_dice'] == pytest.approx((lesion + free) / 2, rel=1e-12)
    empty = (1 / 5 + 1 / 3 + 1 / 5) / 3
    assert row['lesion_background'] == pytest.approx(empty, rel=1e-12)
    assert row['free_background'] == 1
    assert row['half_background'] == pytest.approx((empty + 1) / 2, rel=1e-12)


def test_half_and_half_does_not_depend_on_the_number_of_empty_slices(table):
    more = make_table(
        [(2, 0, 2), (0, 0, 2), (0, 3, 0), (3, 1, 1)]
        + 8 * [(0, 0, 0)]
        + 3 * [(0, 3, 0)],
        ['s1'] * 15,
    )
    # One in three lesion-free slices is marked in both.
    first, second = summarize_published(table), summarize_published(more)
    assert second['half_dice'] == pytest.approx(first['half_dice'], rel=1e-12)
    assert second['all_dice'] > first['all_dice']
    assert second['lesion_share'] == pytest.approx(3 / 15)


def test_half_of_the_slices_empty_gives_the_published_number():
    # 16 empty slices and 16 with lesions whose mean of 1 / (n + 1) is 0.024.
    table = make_table([(0, 0, 0)] * 16 + [(0, 0, 3)] * 1 + [(0, 0, 9)] * 15, 'x' * 32)
    expected = (16 + 1 / 4 + 15 / 10) / 32
    assert summarize_published(table)['all_dice'] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [((0, 0, 0, 5), 1), ((0, 0, 9, 5), 0.1), ((0, 9, 0, 5), 0.1), ((4, 0, 0, 0), 1)],
)
def test_smoothed_dice(counts, expected):
    assert compute_smoothed_dice(counts) == pytest.approx(expected, rel=1e-12)


def test_removed_marks_keep_the_reference():
    assert remove_marks([[3, 1, 2, 4]]).tolist() == [[0, 0, 5, 5]]


def test_without_slices_of_a_kind_there_is_no_number():
    row = summarize_slices(make_table([(0, 0, 0)], ['s']))
    assert np.isnan(row['dice_mean'])
    assert row['free_marked'] == 0
    assert np.isnan(summarize_published(make_table([], []))['all_dice'])
