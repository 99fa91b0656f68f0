"""What models with different targets and cases say together."""

import math

import numpy as np
import pytest

from mmmed.functional.classification_tables import Resampling
from mmmed.inference.classification_ensemble import (
    decide,
    list_cases,
    list_prediction_rows,
    make_voter,
    summarize_verdicts,
)
from mmmed.inference.classifier_prediction import ModelAnswers, RegionAnswer

TYPES = ('HCC', 'ICC', 'cyst')
MVI = ('no', 'yes')


def make_case(name, truth, **prob):
    logits = {target: np.log(values).tolist() for target, values in prob.items()}
    return RegionAnswer(name, f'p-{name}', 12.0, 3, truth, logits)


def make(name, cases, calibration=None, weight=None, **targets):
    answers = ModelAnswers(tuple(cases))
    return make_voter(name, targets, answers, calibration or {}, weight)


A, B, C = {'type': 0, 'mvi': 1}, {'type': 2, 'mvi': -1}, {'type': 1, 'mvi': 0}


@pytest.fixture
def voters():
    first = [
        make_case('a', A, type=[0.5, 0.3, 0.2], mvi=[0.4, 0.6]),
        make_case('b', B, type=[0.6, 0.2, 0.2], mvi=[0.9, 0.1]),
    ]
    second = [
        make_case('a', A, type=[0.2, 0.7, 0.1]),
        make_case('b', B, type=[0.1, 0.1, 0.8]),
        make_case('c', C, type=[0.3, 0.4, 0.3]),
    ]
    first.append(make_case('c', C, type=[0.2, 0.5, 0.3], mvi=[0.3, 0.7]))
    return [make('m1', first, type=TYPES, mvi=MVI), make('m2', second, type=TYPES)]


def test_a_tied_vote_is_the_lowest_class_and_says_so(voters):
    rows = list_prediction_rows(decide(voters, list_cases(voters), rule='vote'))
    first = rows[0]
    assert (first['case_id'], first['target']) == ('a', 'type')
    assert (first['pred'], first['vote_share'], first['correct']) == ('HCC', 0.5, 1)
    assert (first['model_m1'], first['model_m2']) == ('HCC', 'ICC')
    assert [first[f'prob_{k}'] for k in range(3)] == [0.5, 0.5, 0]
    assert list(first)[-4:] == ['model_m2', 'prob_0', 'prob_1', 'prob_2']
    assert len(rows) == 6
    only = rows[3]
    assert (only['target'], only['num_models'], only['pred']) == ('mvi', 1, 'yes')
    assert 'model_m2' not in only


def test_the_mean_takes_the_surer_one(voters):
    verdict = decide(voters, list_cases(voters), rule='mean')['type']
    np.testing.assert_allclose(verdict.answers.prob[1], [0.35, 0.15, 0.5], atol=1e-9)
    assert verdict.answers.prob.argmax(1).tolist() == [1, 2, 1]
    assert verdict.vote_share.tolist() == [0.5, 0.5, 1]


def test_each_case_is_decided_by_the_models_that_saw_it(voters):
    fold = make('m3', [make_case('d', A, type=[0.1, 0.2, 0.7])], type=TYPES)
    cases = list_cases([voters[1], fold])
    verdict = decide([voters[1], fold], cases, rule='mean')['type']
    assert verdict.num_models.tolist() == [1, 1, 1, 1]
    assert verdict.answers.prob[3].tolist() == pytest.approx([0.1, 0.2, 0.7])
    both = [voters[0], fold]
    verdicts = decide(both, list_cases(both), rule='mean')
    assert [case.case_id for case in verdicts['mvi'].cases] == ['a', 'b', 'c']
    assert len(list_prediction_rows(verdicts)) == 7


def test_temperatures_and_weights_of_the_validation(voters):
    known, chance = (
        {'type': {'temperature': t, 'thresholds': cuts, 'balanced_accuracy': score}}
        for t, cuts, score in (
            (0.5, [0.2, None, 0.4], 5 / 6),
            (1.0, [0.4, None, 0.6], 1 / 3),
        )
    )
    case = make_case('a', A, type=[0.5, 0.3, 0.2])
    other = make_case('a', A, type=[0.1, 0.1, 0.8])
    pair = [
        make('m1', [case], known, type=TYPES),
        make('m2', [other], chance, type=TYPES),
    ]
    verdict = decide(pair, [case], rule='weighted')['type']
    squares = np.array([0.25, 0.09, 0.04])
    np.testing.assert_allclose(verdict.answers.prob[0], squares / squares.sum(), 1e-9)
    assert verdict.vote_share.tolist() == [1]
    cuts = verdict.answers.thresholds
    assert cuts[0] == pytest.approx(0.3)
    assert math.isnan(cuts[1])
    pair = [
        make('m1', [case], weight=1, type=TYPES),
        make('m2', [other], weight=3, type=TYPES),
    ]
    verdict = decide(pair, [case], rule='weighted')['type']
    np.testing.assert_allclose(verdict.answers.prob[0], [0.2, 0.15, 0.65], 1e-9)


def test_scores_of_all_and_of_each(voters):
    cases = list_cases(voters)
    verdicts = decide(voters, cases, rule='mean')
    summary = summarize_verdicts(verdicts, voters, Resampling(10))
    assert summary['ensemble']['type']['scores']['accuracy']['value'] == 2 / 3
    assert summary['ensemble']['mvi']['n_missing'] == 1
    # (3 * 2 + 2 * 1) / (3 * 3 + 2 * 2).
    assert summary['composite'] == pytest.approx(8 / 13)
    assert summary['models']['m1']['targets']['type']['accuracy'] == 2 / 3
    assert summary['models']['m2']['composite'] == 2 / 3
    shares = summary['ensemble']['type']['by_vote_share']
    assert shares[0] == {'above': 0.0, 'n': 3, 'accuracy': 2 / 3}
    assert shares[1] == {'above': 0.5, 'n': 1, 'accuracy': 1}


def test_models_must_know_the_same_classes(voters):
    other = make('m3', [make_case('a', A, type=[0.5, 0.3, 0.2])], type=TYPES[::-1])
    with pytest.raises(ValueError, match='must know the same classes'):
        decide([voters[0], other], list_cases(voters), rule='mean')
