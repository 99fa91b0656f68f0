"""Scores from confusion matrices, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from mmmed.functional import classification_counts as counts

TRUTH = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
PRED = np.array([0, 1, 0, 1, 2, 2, 2, 0, 2, 1])


def test_scores_are_those_of_scikit_learn():
    matrix = counts.count_confusion(TRUTH, PRED, 4)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(TRUTH, PRED))
    pairs = {
        counts.compute_accuracy: metrics.accuracy_score,
        counts.compute_balanced_accuracy: metrics.balanced_accuracy_score,
        counts.compute_kappa: metrics.cohen_kappa_score,
    }
    for ours, theirs in pairs.items():
        assert ours(matrix) == pytest.approx(theirs(TRUTH, PRED), rel=1e-12)
    assert counts.compute_kappa(matrix, quadratic=True) == pytest.approx(
        metrics.cohen_kappa_score(TRUTH, PRED, weights='quadratic'), rel=1e-12
    )
    assert counts.compute_macro_f1(matrix) == pytest.approx(
        metrics.f1_score(TRUTH, PRED, average='macro'), rel=1e-12
    )


def test_classes_against_the_rest_by_hand():
    scores = counts.compute_class_scores(counts.count_confusion(TRUTH, PRED, 4))
    assert scores['sensitivity'].tolist() == [2 / 3, 1 / 2, 3 / 4, 0]
    assert scores['specificity'].tolist() == [6 / 7, 6 / 8, 5 / 6, 1]
    np.testing.assert_equal(scores['ppv'], [2 / 3, 1 / 3, 3 / 4, np.nan])
    assert scores['npv'].tolist() == [6 / 7, 6 / 7, 5 / 6, 9 / 10]
    assert scores['f1'].tolist() == [4 / 6, 2 / 5, 6 / 8, 0]


def test_weights_repeat_cases():
    weights = np.array([[1] * 10, [2, 0, 1, 0, 3, 1, 0, 0, 1, 2]])
    matrices = counts.count_confusion(TRUTH, PRED, 4, weights)
    again = np.repeat(np.arange(10), weights[1])
    np.testing.assert_array_equal(
        matrices[1], counts.count_confusion(TRUTH[again], PRED[again], 4)
    )
    assert counts.compute_accuracy(matrices).shape == (2,)


def test_a_class_without_a_case_leaves_the_means():
    matrix = counts.count_confusion([0, 2], [0, 2], 4)
    assert counts.compute_balanced_accuracy(matrix) == 1
    assert counts.compute_macro_f1(matrix) == 1
    nothing = counts.count_confusion([], [], 2)
    assert np.isnan(counts.compute_accuracy(nothing))
    assert np.isnan(counts.compute_kappa(counts.count_confusion([1], [1], 2)))


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match='twice'):
        counts.count_confusion([0], [0, 1], 2)
    with pytest.raises(ValueError, match=r'expected 0\.\.1'):
        counts.count_confusion([-1], [0], 2)
