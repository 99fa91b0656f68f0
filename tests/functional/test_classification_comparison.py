"""DeLong's and McNemar's tests."""

import math

import numpy as np
import pytest

from mmmed.functional.classification_comparison import compare_aucs, compare_labels


def test_delong_by_its_definition():
    rng = np.random.default_rng(0)
    truth = rng.random(50) < 0.4
    a = np.round(truth + rng.normal(size=50), 1)  # ties
    b = np.round(0.5 * truth + rng.normal(size=50), 1)
    # Covariances of the placements, pair by pair as in the paper.
    above, below = [], []
    for scores in (a, b):
        x, y = scores[truth][:, None], scores[~truth]
        kernel = (x > y) + (x == y) / 2
        above.append(kernel.mean(1))
        below.append(kernel.mean(0))
    spread = np.cov(above) / truth.sum() + np.cov(below) / (~truth).sum()
    error = math.sqrt(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])
    found = compare_aucs(a, b, truth)
    difference = np.mean(above[0]) - np.mean(above[1])
    assert found.difference == pytest.approx(difference, rel=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    expected = math.erfc(abs(difference) / error / math.sqrt(2))
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert found.low == pytest.approx(difference - 1.959964 * error, rel=1e-5)


def test_equal_scores_and_missing_kinds():
    scores, truth = [0.1, 0.5, 0.7, 0.2], [False, True, True, False]
    same = compare_aucs(scores, scores, truth)
    assert (same.auc_a, same.difference, same.p_value) == (1, 0, 1)
    none = compare_aucs(scores, scores, [True] * 4)
    assert math.isnan(none.p_value)
    assert none.as_dict()['auc_a'] is None
    with pytest.raises(ValueError, match=r'expected \(n,\)'):
        compare_aucs([0.1], [0.1], [True, False])


def test_mcnemar_by_hand():
    right_a = [True] * 6 + [False] * 1 + [True] * 2 + [False]
    right_b = [False] * 6 + [True] * 1 + [True] * 2 + [False]
    found = compare_labels(right_a, right_b)
    assert (found.only_a, found.only_b, found.both_right, found.both_wrong) == (
        6, 1, 2, 1
    )  # fmt: skip
    # Two-sided: 2 * (C(7,0) + C(7,1)) / 2^7.
    assert found.p_value == pytest.approx(2 * 8 / 128)
    assert compare_labels([True], [True]).p_value == 1
    with pytest.raises(ValueError, match='twice'):
        compare_labels([True], [True, False])
