"""Ensembles of classifiers."""

import numpy as np
import pytest

from mmmed.functional.classification_votes import combine_classifiers

# Four models, two cases, three classes.
PROB = np.array(
    [
        [[0.2, 0.3, 0.5], [0.4, 0.4, 0.2]],
        [[0.1, 0.1, 0.8], [0.1, 0.8, 0.1]],
        [[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]],
        [[0.0, 0.6, 0.4], [0.1, 0.2, 0.7]],
    ]
)


def test_a_tied_vote_goes_to_the_lowest_class_with_its_share():
    found = combine_classifiers(PROB, rule='vote')
    # Case 0: two votes for 2, two for 1. Case 1: the first model's own tie is class 0.
    assert found.label.tolist() == [1, 0]
    assert found.vote_share.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(found.prob, [[0, 0.5, 0.5], [0.5, 0.25, 0.25]])


def test_the_mean_may_answer_otherwise():
    found = combine_classifiers(PROB)
    np.testing.assert_allclose(found.prob[0], [0.125, 0.425, 0.45])
    assert found.label.tolist() == [2, 1]
    assert found.vote_share.tolist() == [0.5, 0.25]


def test_weights_are_shares():
    found = combine_classifiers(PROB, rule='weighted', weights=[0, 3, 0, 1])
    np.testing.assert_allclose(found.prob[0], [0.075, 0.225, 0.7])
    assert found.vote_share.tolist() == [0.75, 0.75]
    same = combine_classifiers(PROB, rule='weighted', weights=[2, 2, 2, 2])
    np.testing.assert_array_equal(same.prob, combine_classifiers(PROB).prob)


def test_one_model_keeps_its_answer_and_order_does_not_matter():
    alone = combine_classifiers(PROB[:1])
    np.testing.assert_array_equal(alone.prob, PROB[0])
    assert alone.vote_share.tolist() == [1, 1]
    turned = combine_classifiers(PROB[::-1], rule='vote')
    assert turned.label.tolist() == [1, 0]


def test_sums_that_differ_in_the_last_bit_are_ties():
    prob = np.array([[[0.1, 0.2, 0.7]], [[0.2, 0.1, 0.7]], [[0.6, 0.6, -0.2]]])
    assert combine_classifiers(prob).label.tolist() == [2]
    tied = prob[..., :2].repeat(1, axis=2)
    assert combine_classifiers(tied).label.tolist() == [0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'rule': 'median'}, 'rule is'),
        ({'rule': 'weighted'}, 'needs them'),
        ({'weights': [1, 1, 1, 1]}, 'take none'),
        ({'rule': 'weighted', 'weights': [1]}, 'expected 4 numbers'),
        ({'rule': 'weighted', 'weights': [0, 0, 0, 0]}, 'not all 0'),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        combine_classifiers(PROB, **options)


def test_no_model_is_refused():
    with pytest.raises(ValueError, match='at least one model'):
        combine_classifiers(PROB[:0])
