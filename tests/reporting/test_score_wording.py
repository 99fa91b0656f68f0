"""Numbers and sentences of pages about scores."""

import math

import pytest

from mmmed.functional.overlap import EmptyPolicy
from mmmed.reporting.score_wording import (
    describe_outcomes,
    format_bounds,
    format_number,
    format_p,
    judge_difference,
)
from mmmed.reporting.wording import NONE

ENTRY = {
    'n': 20,
    'n_units': 20,
    'n_nonzero': 20,
    'mean_difference': 0.1,
    'low': 0.02,
    'high': 0.2,
    'p_value': 0.01,
}


@pytest.mark.parametrize(
    ('value', 'metric', 'unit', 'expected'),
    [
        (0.12345, 'dice', '', '0.123'),
        (1.0, 'hausdorff_mm', 'mm', '1.00'),
        (0.0412, 'hausdorff_mm', 'mm', '0.041'),
        (12.34, 'target_volume_ml', 'ml', '12.3'),
        (-1234.5, 'volume_difference_ml', 'ml', '-1,234'),
        (-5.8e-19, 'volume_difference_ml', 'ml', '0'),
        (0.00012, 'target_volume_ml', 'ml', '0.00012'),
        (2.0, 'found_lesions', '', '2'),
        (0.0476, 'false_positive_lesions', '', '0.05'),
        (None, 'dice', '', NONE),
        (math.nan, 'dice', '', NONE),
    ],
)
def test_numbers(value, metric, unit, expected) -> None:
    assert format_number(value, metric, unit) == expected


def test_interval_without_width_is_not_shown() -> None:
    entry = {'low': 1.0, 'high': 1.0, 'q25': 1.0, 'q75': 1.0}
    assert format_bounds(entry, 'dice', '', ('low', 'high')) == ''
    assert format_bounds(entry, 'dice', '', ('q25', 'q75')) == '[1.000, 1.000]'


@pytest.mark.parametrize(
    ('changes', 'best', 'expected'),
    [
        ({}, 'high', 'A is better'),
        ({}, 'low', 'B is better'),
        ({'mean_difference': -0.1, 'low': -0.2, 'high': -0.02}, 'low', 'A is better'),
        ({'low': -0.1, 'p_value': 0.3}, 'high', 'no difference beyond chance'),
        ({'low': -0.1}, 'high', 'interval and test disagree: look at the cases'),
        ({'p_value': 0.06}, 'high', 'interval and test disagree: look at the cases'),
        ({'n_units': 9}, 'high', 'too few cases to tell: 9'),
        ({'n_nonzero': 0}, 'high', 'both are equal in every case'),
        ({'n': 0}, 'high', 'no case in which both are defined'),
    ],
)
def test_verdicts(changes, best, expected) -> None:
    assert judge_difference(ENTRY | changes, best, ('A', 'B'), 'case') == expected


@pytest.mark.parametrize(
    ('value', 'expected'),
    [(0.0004, 'p < 0.001'), (0.0312, 'p = 0.031'), (1.0, 'p = 1.000'), (None, NONE)],
)
def test_probabilities(value, expected) -> None:
    assert format_p(value) == expected


def test_empty_cases_are_counted_in_words() -> None:
    outcomes = {'hit': 5, 'disjoint': 1, 'missed': 2, 'false_alarm': 3, 'both_empty': 4}
    structure = {'num_cases': 15, 'num_pred_missing': 1, 'outcomes': outcomes}
    assert describe_outcomes('liver', structure, EmptyPolicy()) == (
        'liver: 15 cases. 5 of 8 with it were found, 1 marked only elsewhere, 2 missed '
        'altogether (scored 0). Of 7 cases without it, 4 stayed rightly empty (left '
        'out of the means) and 3 raised a false alarm (scored 0). 1 prediction did not '
        'exist and counted as empty.'
    )
    lenient = describe_outcomes('liver', structure, EmptyPolicy(both_empty=1.0))
    assert '4 stayed rightly empty (counted as 1 in the means)' in lenient
