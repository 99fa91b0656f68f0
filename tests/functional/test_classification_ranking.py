"""AUC, average precision and Youden's threshold, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn import metrics

from mmmed.functional.classification_ranking import (
    compute_auc,
    compute_average_precision,
    find_youden_threshold,
)


@pytest.fixture
def ranked():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 12, 60) / 11  # many ties
    return scores, rng.random(60) < 0.2 + 0.6 * scores, rng.integers(0, 4, (3, 60))


@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [
        (compute_auc, metrics.roc_auc_score),
        (compute_average_precision, metrics.average_precision_score),
    ],
)
def test_areas_are_those_of_scikit_learn(ranked, ours, theirs):
    scores, positive, weights = ranked
    assert ours(scores, positive) == pytest.approx(theirs(positive, scores), rel=1e-12)
    expected = [theirs(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(ours(scores, positive, weights), expected, rtol=1e-12)


def test_areas_without_one_kind_are_undefined():
    for positive in ([True, True], [False, False]):
        assert math.isnan(compute_auc([0.1, 0.2], positive))
    assert compute_average_precision([0.1, 0.2], [True, True]) == 1
    assert math.isnan(compute_average_precision([0.1, 0.2], [False, False]))
    assert math.isnan(compute_auc([], []))
    rows = compute_auc([0.1, 0.2], [False, True], [[1, 1], [2, 0]])
    np.testing.assert_equal(rows, [1, math.nan])


def test_the_threshold_has_the_best_sum(ranked):
    scores, positive, _ = ranked
    threshold = find_youden_threshold(scores, positive)
    missed, found_at, _ = metrics.roc_curve(positive, scores)
    called = scores > threshold
    found = called[positive].mean() - called[~positive].mean()
    assert found == pytest.approx((found_at - missed).max())


def test_thresholds_by_hand():
    # 0.25 and 0.65 are equally good (1 + 1/2 and 1/2 + 1): the lower one.
    scores, positive = [0.2, 0.3, 0.6, 0.7], [False, True, False, True]
    assert find_youden_threshold(scores, positive) == 0.25
    assert math.isnan(find_youden_threshold([0.5, 0.5], [True, False]))
    assert math.isnan(find_youden_threshold([0.5, 0.6], [True, True]))


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match='without NaN'):
        compute_auc([math.nan], [True])
    with pytest.raises(ValueError, match='weights have shape'):
        compute_auc([0.5], [True], [[1, 2]])
