"""All scores of a target and their intervals."""

import numpy as np
import pytest
from sklearn import metrics

from mmmed.functional.classification_scores import (
    TARGET_SCORES,
    ClassPredictions,
    bound_scores,
    score_classes,
)


def make(n=40, num_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, num_classes, n)
    logits = rng.normal(size=(n, num_classes)) + 1.5 * np.eye(num_classes)[truth]
    prob = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return ClassPredictions(truth, prob, [f'p{k // 2}' for k in range(n)])


def test_areas_are_those_of_scikit_learn():
    data = make()
    target, classes = score_classes(data)
    exact = np.eye(3)[data.truth]
    for name in ('macro', 'micro'):
        expected = metrics.roc_auc_score(exact, data.prob, average=name)
        assert target[f'auc_{name}'][0] == pytest.approx(expected, rel=1e-12)
    expected = metrics.average_precision_score(exact, data.prob, average=None)
    np.testing.assert_allclose(classes['ap'][0], expected, rtol=1e-12)
    assert set(target) == set(TARGET_SCORES)


def test_thresholds_cut_each_class_by_hand():
    prob = np.array([[0.6, 0.4], [0.7, 0.3], [0.45, 0.55], [0.65, 0.35]])
    data = ClassPredictions(np.array([0, 0, 1, 1]), prob, list('abcd'))
    _, classes = score_classes(data, thresholds=[np.nan, 0.32])
    assert classes['sensitivity'][0, 1] == 0.5
    assert classes['specificity'][0, 1] == 1
    assert classes['sensitivity_youden'][0, 1] == 1
    assert classes['specificity_youden'][0, 1] == 0.5
    assert classes['ppv_youden'][0, 1] == pytest.approx(2 / 3)
    assert np.isnan(classes['sensitivity_youden'][0, 0])


def test_two_classes_rank_alike():
    data = make(num_classes=2)
    target, classes = score_classes(data)
    assert classes['auc'][0, 0] == pytest.approx(classes['auc'][0, 1])
    assert target['auc_macro'][0] == pytest.approx(classes['auc'][0, 1])


def test_intervals_draw_whole_patients():
    data = make()
    target, classes = bound_scores(
        data, rng=np.random.default_rng(1), num_resamples=200
    )
    point, _ = score_classes(data)
    for name in ('accuracy', 'auc_macro', 'kappa'):
        assert target[name].low < point[name][0] < target[name].high
        assert target[name].n == 20
    assert len(classes['auc']) == 3
    again, _ = bound_scores(data, rng=np.random.default_rng(1), num_resamples=200)
    assert again['auc_macro'] == target['auc_macro']
    # One patient says nothing about spread.
    alone = ClassPredictions(data.truth, data.prob, ['p'] * 40)
    bounds, _ = bound_scores(alone, rng=np.random.default_rng(1), num_resamples=5)
    assert np.isnan(bounds['accuracy'].low)


def test_no_case_and_wrong_input():
    data = ClassPredictions(np.zeros(0, int), np.zeros((0, 2)), [])
    target, _ = score_classes(data)
    assert all(np.isnan(value).all() for value in target.values())
    bounds, _ = bound_scores(data, rng=np.random.default_rng(0), num_resamples=3)
    assert np.isnan(bounds['accuracy'].low)
    with pytest.raises(ValueError, match='2 patients'):
        ClassPredictions(np.zeros(1, int), np.ones((1, 2)), ['a', 'b'])
    with pytest.raises(ValueError, match='diverged'):
        ClassPredictions(np.zeros(1, int), np.full((1, 2), np.nan), ['a'])
