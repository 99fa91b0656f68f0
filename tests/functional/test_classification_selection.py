"""The composite score of the reference."""

import math

import pytest

from mmmed.functional.classification_selection import compute_composite_score


@pytest.mark.parametrize(
    ('epoch', 'factor'), [(None, 1), (0, 0.9), (60, 0.95), (120, 1), (199, 1)]
)
def test_targets_count_by_their_classes_and_early_epochs_less(epoch, factor):
    # Accuracies 0.8 of 2 classes and 0.5 of 6: (2 * 0.8 + 6 * 0.5) / 8 = 0.575.
    score = compute_composite_score([8, 5], [10, 10], [2, 6], epoch=epoch)
    assert score == pytest.approx(0.575 * factor, rel=1e-12)


def test_missing_labels_and_wrong_input():
    assert compute_composite_score([8, 0], [10, 0], [2, 6]) == 0.8
    assert math.isnan(compute_composite_score([0], [0], [2]))
    with pytest.raises(ValueError, match='one of each'):
        compute_composite_score([1], [1, 2], [2])
    with pytest.raises(ValueError, match='warmup_epochs'):
        compute_composite_score([1], [1], [2], warmup_epochs=0)
