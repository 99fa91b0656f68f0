"""Class counts and weights."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from mmmed.functional.classification_weights import (
    check_class_weights,
    compute_class_weights,
    count_classes,
)


def test_gap_labels_make_an_empty_class():
    counts = count_classes([0, 2, 2, -1, 2])
    assert counts.tolist() == [1, 0, 3]
    assert compute_class_weights(counts, rule='inverse').tolist() == [4, 0, 4 / 3]
    assert compute_class_weights(counts).tolist() == [2, 0, 2 / 3]


def test_balanced_is_that_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [5, 3, 12])
    expected = compute_class_weight('balanced', classes=np.arange(3), y=labels)
    np.testing.assert_allclose(compute_class_weights(count_classes(labels)), expected)


def test_no_label_at_all_counts_nothing():
    assert count_classes([-1, -1], 2).tolist() == [0, 0]
    assert compute_class_weights([0, 0]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: count_classes([3], 3), 'a label is 3'),
        (lambda: count_classes([[1]]), r'expected \(n,\)'),
        (lambda: compute_class_weights([1], rule='sqrt'), 'rule is'),
        (lambda: compute_class_weights([-1]), '>= 0'),
        (lambda: check_class_weights([1, 2], 3), 'expected 3 numbers'),
        (lambda: check_class_weights([0, 0], 2), 'not all 0'),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
