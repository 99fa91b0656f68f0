"""Numbers of a report against the metric and against hand counts."""

import dataclasses

import pytest

from mmmed.reporting.evaluation_folder import CaseRow, read_evaluation
from mmmed.reporting.tables import (
    compute_levels,
    find_contradictions,
    list_cases,
    list_curves,
    list_patients,
    list_scores,
    rank_cases,
)
from mmmed.reporting.training_log import read_training_log


@pytest.fixture
def val(run):
    return read_evaluation(run.work_dir / 'evaluation' / 'val')


def make_evaluation(val, cells: list) -> object:
    rows = tuple(CaseRow(name, 'p', 'lesion', counts) for name, counts in cells)
    return dataclasses.replace(val, rows=rows)


def test_levels_equal_what_the_metric_recorded(val) -> None:
    """Same counts, policy and seed: the same numbers, intervals included."""
    assert compute_levels(val) == val.recorded['structures']
    assert find_contradictions(val, compute_levels(val)) == []


def test_contradiction_is_named(val) -> None:
    key = 'overlap/dice_patient_hemorrhage'
    wrong = {**val.summary['metrics'], key: 0.99}
    broken = dataclasses.replace(val, summary={**val.summary, 'metrics': wrong})
    (text,) = find_contradictions(broken, compute_levels(val))
    assert key in text
    assert '0.99' in text


def test_patients_by_hand(val) -> None:
    c, d = list_patients(val)
    assert (c['patient_id'], c['num_images'], c['num_positive_images']) == ('c', 4, 2)
    # Boxes of 6 x 8 and 6 x 9 moved by 2: (36 + 42) in common, 24 on either side.
    assert (c['tp'], c['fp'], c['fn']) == (78, 24, 24)
    assert c['dice'] == pytest.approx(156 / 204)
    assert d['dice'] == pytest.approx(0.75)


def test_cases_keep_counts_and_mark_what_is_undefined(val) -> None:
    rows = {row['case_id']: row for row in list_cases(val)}
    assert rows['c_1']['dice'] == pytest.approx(0.75)
    assert rows['c_3']['dice'] is None
    assert rows['c_3']['outcome'] == 'both_empty'


def test_every_score_is_a_row(val) -> None:
    rows = list_scores(val, 'held_out', compute_levels(val))
    keys = {(row['level'], row['score']): row for row in rows}
    assert keys['patient', 'dice']['value'] == pytest.approx((156 / 204 + 0.75) / 2)
    assert keys['image', 'num_hit']['value'] == 3
    assert keys['image', 'detection_specificity']['value'] == 1
    assert len(keys) == len(rows) == 16 + 4 + 10


def test_curves_are_long_rows(run) -> None:
    rows = list_curves(read_training_log(run.work_dir))
    assert rows[1] == {'phase': 'train', 'step': 2, 'name': 'loss', 'value': 0.5}
    assert {row['phase'] for row in rows} == {'train', 'val'}


CASES = [
    ('empty', (0, 0, 0, 9)),
    ('small_alarm', (0, 1, 0, 9)),
    ('alarm', (0, 5, 0, 9)),
    ('missed_small', (0, 0, 1, 9)),
    ('missed', (0, 0, 7, 9)),
    ('good', (9, 1, 0, 9)),
    ('perfect', (9, 0, 0, 9)),
]


def test_ranking(val) -> None:
    ranking = rank_cases(make_evaluation(val, CASES), 6)
    assert ranking.worst == ('missed', 'missed_small')
    assert ranking.best == ('perfect', 'good')
    assert ranking.false_alarms == ('alarm', 'small_alarm')


@pytest.mark.parametrize('max_cases', [0, 1])
def test_ranking_shows_no_more_than_asked(val, max_cases: int) -> None:
    ranking = rank_cases(make_evaluation(val, CASES), max_cases)
    assert ranking.worst == ('missed',)[:max_cases]
    assert ranking.false_alarms == ('alarm',)[:max_cases]
    assert ranking.best == ('perfect',)[:max_cases]


def test_ranking_of_a_case_with_two_structures(val) -> None:
    """One perfect, one missed: Dice 0.5, between the others."""
    rows = (
        CaseRow('two', 'p', 'a', (5, 0, 0, 9)),
        CaseRow('two', 'p', 'b', (0, 0, 5, 9)),
        CaseRow('low', 'p', 'a', (1, 5, 5, 9)),
        CaseRow('low', 'p', 'b', (0, 0, 0, 9)),
        CaseRow('high', 'p', 'a', (5, 1, 0, 9)),
    )
    ranking = rank_cases(dataclasses.replace(val, rows=rows), 3)
    assert (ranking.worst, ranking.best) == (('low', 'two'), ('high',))
