"""Rows and summaries of several targets."""

import numpy as np
import pytest

from mmmed.functional.classification_tables import (
    Resampling,
    TargetAnswers,
    fit_calibration,
    list_case_rows,
    list_confusion_rows,
    list_score_rows,
    summarize_target,
)

PROB = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.55, 0.45]])
PATIENTS = ['p', 'p', 'q', 'r']


def answer(**options):
    values = {'truth': np.array([0, 1, 1, -1]), 'logits': np.log(PROB)} | options
    return TargetAnswers('mvi', ('no', 'yes'), **values)


def test_rows_of_cases():
    cases = [{'case_id': f'c{k}', 'patient_id': p} for k, p in enumerate(PATIENTS)]
    rows = list_case_rows(cases, [answer()])
    assert len(rows) == 4
    assert rows[1] == {
        'case_id': 'c1', 'patient_id': 'p', 'target': 'mvi', 'truth': 'yes',
        'pred': 'yes', 'correct': 1, 'confidence': pytest.approx(0.6),
        'prob_0': pytest.approx(0.4), 'prob_1': pytest.approx(0.6),
    }  # fmt: skip
    assert (rows[3]['truth'], rows[3]['correct'], rows[3]['pred']) == (None, None, 'no')


def test_summary_leaves_out_the_unlabelled():
    summary = summarize_target(answer(), PATIENTS, Resampling(20))
    assert (summary['n'], summary['n_missing'], summary['counts']) == (3, 1, [1, 2])
    assert summary['confusion'] == [[1, 0], [0, 2]]
    assert summary['scores']['accuracy']['value'] == 1
    assert summary['scores']['brier']['value'] == pytest.approx(
        2 * (0.09 + 0.16 + 0.04) / 3
    )
    assert set(summary['scores']['accuracy']) == {'value', 'low', 'high'}
    scores = list_score_rows({'mvi': summary})
    row = next(r for r in scores if (r['class'], r['score']) == ('yes', 'auc'))
    assert (row['target'], row['n'], row['value']) == ('mvi', 3, 1)
    assert list_confusion_rows({'mvi': summary})[3] == {
        'target': 'mvi', 'truth': 'yes', 'pred': 'yes', 'cases': 2
    }  # fmt: skip


def test_a_temperature_leaves_the_raw_scores_beside():
    plain = summarize_target(answer(), PATIENTS, Resampling(0))['scores']
    scaled = summarize_target(answer(temperature=2.0), PATIENTS, Resampling(0))
    scores = scaled['scores']
    assert scores['log_loss_raw'] == plain['log_loss']
    expected = np.sqrt(PROB) / np.sqrt(PROB).sum(1, keepdims=True)
    loss = -np.log([expected[0, 0], expected[1, 1], expected[2, 1]]).mean()
    assert scores['log_loss']['value'] == pytest.approx(loss)
    assert scores['accuracy'] == plain['accuracy']
    assert 'low' not in plain['accuracy']


def test_calibration_is_fitted_on_labelled_cases():
    fitted = fit_calibration([answer()])['mvi']
    assert fitted['n'] == 3
    # All right: more certain, as far as three cases allow.
    assert 0.5 < fitted['temperature'] < 1
    assert fitted['log_loss'] < fitted['log_loss_raw']
    # Between the scaled probabilities of case 0 and case 1.
    assert 0.01 < fitted['thresholds'][1] < 0.99
    nothing = fit_calibration([answer(truth=np.full(4, -1))])['mvi']
    assert nothing['temperature'] == 1
    assert nothing['thresholds'] == [None, None]
    assert nothing['log_loss'] is None


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r'expected \(4, 2\), one column a class'):
        answer(logits=np.zeros((4, 3)))
