"""ROC curves against scikit-learn, and against our own areas."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from mmmed.functional.classification_curves import compute_roc
from mmmed.functional.classification_ranking import compute_auc


def test_parity_with_ties(rng):
    scores = rng.integers(0, 9, 60) / 8
    positive = rng.random(60) < 0.3
    wrong, right, _ = roc_curve(positive, scores, drop_intermediate=False)
    found = compute_roc(scores, positive)
    np.testing.assert_allclose(found[0], wrong, rtol=1e-12)
    np.testing.assert_allclose(found[1], right, rtol=1e-12)
    area = np.trapezoid(found[1], found[0])
    assert area == pytest.approx(float(compute_auc(scores, positive)), rel=1e-12)


@pytest.mark.parametrize('positive', [[], [True, True], [False]])
def test_one_kind_of_case_has_no_curve(positive):
    wrong, right = compute_roc([0.5] * len(positive), positive)
    assert wrong.size == right.size == 0
