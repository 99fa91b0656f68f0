"""Temperature and calibration scores."""

import math

import numpy as np
import pytest
from sklearn import metrics

from mmmed.functional import calibration

PROB = np.array([[0.7, 0.3], [0.9, 0.1], [0.4, 0.6], [0.35, 0.65]])
TRUTH = np.array([0, 1, 1, 0])


def test_a_known_temperature_is_found():
    # Labels drawn from the softmax of logits; logits three times as large were shown.
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)) * 2
    prob = calibration.apply_temperature(logits, 1.0)
    truth = (rng.random((20_000, 1)) > prob.cumsum(1)).sum(1)
    assert calibration.fit_temperature(3 * logits, truth) == pytest.approx(3, rel=0.03)


def test_the_temperature_of_a_few_cases_by_hand():
    # Half right at the same confidence: only a coin fits.
    assert calibration.fit_temperature([[2, 0]] * 400, [0, 1] * 200) > 6
    # Three in four right: sigmoid(2 / T) = 3 / 4.
    found = calibration.fit_temperature([[2, 0]] * 40_000, [0, 0, 0, 1] * 10_000)
    assert found == pytest.approx(2 / math.log(3), rel=1e-3)
    assert calibration.fit_temperature([[2, 0]], [-1]) == 1


def test_nobody_becomes_certain_because_a_few_cases_were_all_right():
    logits = [[5.0, 0]] * 24 + [[0, 5.0]] * 24
    found = calibration.fit_temperature(logits, [0] * 24 + [1] * 24)
    log_t = np.linspace(-3, 3, 60_001)
    loss = 48 * np.log1p(np.exp(-5 / np.exp(log_t))) + log_t**2 / (2 * 0.5**2)
    assert found == pytest.approx(math.exp(log_t[loss.argmin()]), rel=2e-4)
    assert 0.7 < found < 1


def test_labels_stay_and_probabilities_move():
    soft = calibration.apply_temperature([[2.0, 0, -1]], 4.0)
    assert soft.argmax() == 0
    expected = np.exp([0.5, 0, -0.25]) / np.exp([0.5, 0, -0.25]).sum()
    np.testing.assert_allclose(soft[0], expected, rtol=1e-12)


def test_scores_by_hand_and_against_scikit_learn():
    assert calibration.compute_log_loss(PROB, TRUTH) == pytest.approx(
        metrics.log_loss(TRUTH, PROB)
    )
    assert calibration.compute_brier(PROB, TRUTH) == pytest.approx(
        2 * metrics.brier_score_loss(TRUTH, PROB[:, 1])
    )
    # Bins of width 0.1: confidence 0.7 right, 0.9 wrong, 0.6 right, 0.65 wrong; 0.65
    # and 0.7 share the bin (0.6, 0.7].
    error = calibration.compute_calibration_error(PROB, TRUTH, num_bins=10)
    assert error == pytest.approx((abs(-0.3 + 0.65) + 0.9 + 0.4) / 4)


def test_weights_repeat_cases():
    weights = np.array([[1, 1, 1, 1], [0, 3, 1, 2]])
    again = np.repeat(np.arange(4), weights[1])
    for compute in (
        calibration.compute_brier,
        calibration.compute_log_loss,
        calibration.compute_calibration_error,
    ):
        rows = compute(PROB, TRUTH, weights)
        assert rows[0] == pytest.approx(compute(PROB, TRUTH))
        assert rows[1] == pytest.approx(compute(PROB[again], TRUTH[again]))


def test_reliability_counts_every_case():
    points = calibration.list_reliability(PROB, TRUTH)
    assert [p['n'] for p in points] == [1, 2, 1]
    assert points[1]['confidence'] == pytest.approx(0.675)
    assert points[1]['accuracy'] == 0.5
    assert calibration.list_reliability(PROB[:0], TRUTH[:0]) == []


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match='temperature is 0'):
        calibration.apply_temperature([1.0], 0.0)
    with pytest.raises(ValueError, match='not finite'):
        calibration.fit_temperature([[math.nan, 0]], [0])
    with pytest.raises(ValueError, match=r'expected \(n, K\)'):
        calibration.compute_brier([0.5], [0])
