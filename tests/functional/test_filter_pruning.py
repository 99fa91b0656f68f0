import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional import filter_pruning as pruning

LAYERS = {'a': np.array([0.5, 0.1, 0.4]), 'b': np.array([0.2, 0.3])}


def test_weights_are_scored_filter_by_filter_along_their_axis():
    weight = torch.tensor([[3.0, -4.0], [0.0, 2.0], [1.0, 1.0]])[..., None, None]
    np.testing.assert_allclose(
        pruning.score_weights(weight, mode='l1'), [3.5, 1, 1], rtol=1e-12
    )
    expected = np.sqrt([12.5, 2, 1])
    np.testing.assert_allclose(
        pruning.score_weights(weight, mode='l2'), expected, rtol=1e-12
    )
    np.testing.assert_allclose(
        pruning.score_weights(weight, mode='l1', axis=1), [4 / 3, 7 / 3], rtol=1e-12
    )
    with pytest.raises(ValueError, match="'l1' or 'l2' for weights, got 'taylor'"):
        pruning.score_weights(weight, mode='taylor')


def test_activations_are_scored_by_the_change_of_a_linear_loss():
    activation = torch.rand(2, 3, 4, 5, requires_grad=True)
    slope = torch.tensor([2.0, -1.0, 0.0])[:, None, None]
    loss = (activation * slope).mean(dim=(0, 2, 3)).sum()
    loss.backward()
    score = pruning.score_activations(activation, activation.grad)
    for i in range(3):
        without = activation.detach().clone()
        without[:, i] = 0
        change = loss - (without * slope).mean(dim=(0, 2, 3)).sum()
        # The gradient of a mean is one pixel's share of it.
        assert score[i].item() * 2 * 4 * 5 == pytest.approx(change.item(), abs=1e-6)


def test_saliency_is_compared_by_its_share_of_the_layer():
    found = pruning.normalize_saliency(
        {'a': np.array([-3.0, 4.0]), 'dead': np.zeros(2), 'b': np.array([100.0])}
    )
    np.testing.assert_allclose(found['a'], [0.6, 0.8])
    np.testing.assert_array_equal(found['dead'], [0, 0])
    np.testing.assert_array_equal(found['b'], [1])
    with pytest.raises(ValueError, match='saliency of a has values that are not'):
        pruning.normalize_saliency({'a': np.array([np.nan])})


@pytest.mark.parametrize(
    ('count', 'expected'),
    [
        (0, []),
        (2, [('a', 1), ('b', 0)]),
        # b is down to one filter, then a.
        (3, [('a', 1), ('b', 0), ('a', 2)]),
        (9, [('a', 1), ('b', 0), ('a', 2)]),
    ],
)
def test_the_least_salient_go_and_one_stays(count, expected):
    assert pruning.choose_filters(LAYERS, count) == expected


def test_ties_go_by_order_and_bad_counts_are_refused():
    tied = {'b': np.zeros(2), 'a': np.zeros(3)}
    assert pruning.choose_filters(tied, 3) == [('b', 0), ('a', 0), ('a', 1)]
    assert pruning.choose_filters(LAYERS, 9, minimum=2) == [('a', 1)]
    with pytest.raises(ValueError, match='got -1 and 1'):
        pruning.choose_filters(LAYERS, -1)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), max_size=4),
    st.integers(0, 12),
)
def test_what_goes_is_never_more_salient_than_what_could_have_gone(layers, count):
    saliency = {str(i): np.array(values) for i, values in enumerate(layers)}
    chosen = pruning.choose_filters(saliency, count)
    assert len(chosen) == min(count, sum(len(v) - 1 for v in layers))
    left = {n: len(v) - sum(c[0] == n for c in chosen) for n, v in saliency.items()}
    assert all(n >= 1 for n in left.values())
    largest = max((saliency[n][i] for n, i in chosen), default=0)
    for name, values in saliency.items():
        if left[name] > 1:
            rest = [v for i, v in enumerate(values) if (name, i) not in chosen]
            assert min(rest) >= largest


def test_dropout_follows_the_mean_inverse_rank():
    # Ranks: a 5, 1, 4; b 2, 3.
    a, b = (1 / 5 + 1 + 1 / 4) / 3, (1 / 2 + 1 / 3) / 2
    found = pruning.compute_dropout_rates(LAYERS, 0.1)
    assert found == pytest.approx({'a': 0.1, 'b': 0.1 * b / a})
    assert pruning.compute_dropout_rates({}, 0.1) == {}
    with pytest.raises(ValueError, match=r'must lie in \[0, 1\), got 1'):
        pruning.compute_dropout_rates(LAYERS, 1)


def test_chance_is_drawn_from_the_generator():
    counts = {'a': 3, 'b': 1}
    one, other = (
        pruning.draw_saliency(counts, np.random.default_rng(3)) for _ in range(2)
    )
    assert {n: len(v) for n, v in one.items()} == counts
    assert all(np.array_equal(one[n], other[n]) for n in counts)


def test_what_is_kept():
    assert pruning.find_kept(5, [3, 0]).tolist() == [1, 2, 4]
    for bad in ([0, 1], [2], [0, 0], [-1]):
        with pytest.raises(ValueError, match='remove'):
            pruning.find_kept(2, bad)
