import math

import numpy as np
import pytest
from scipy import stats

from mmmed.functional.paired import compare_paired, compute_signed_rank


@pytest.mark.parametrize(
    ('differences', 'statistic', 'p_value', 'n_nonzero', 'method'),
    [
        # All of one sign: 2 of 2^n sign patterns are as extreme.
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.0, 2 / 32, 5, 'exact'),
        # Rank sums 1 and 5; 1 of 3: patterns {}, {1} and their mirrors, 4 of 8.
        ([-1.0, 2.0, 3.0], 1.0, 4 / 8, 3, 'exact'),
        ([0.0, 0.0, 7.0], 0.0, 1.0, 1, 'exact'),
    ],
)
def test_exact_p_values_by_hand(differences, statistic, p_value, n_nonzero, method):
    result = compute_signed_rank(differences)
    assert result.statistic == statistic
    assert result.p_value == pytest.approx(p_value, abs=1e-15)
    assert (result.n, result.n_nonzero, result.method) == (
        len(differences),
        n_nonzero,
        method,
    )


def test_ties_share_their_rank_and_use_the_normal_distribution():
    # |d| = 1, 1, 1, 2: ranks 2, 2, 2, 4; negative sum 2, positive 8, mean 5.
    # Variance n(n+1)(2n+1)/24 - sum(t^3 - t)/48 = 7.5 - 0.5 = 7.
    result = compute_signed_rank([1.0, 1.0, -1.0, 2.0])
    assert result.statistic == 2.0
    assert result.method == 'normal'
    assert result.p_value == pytest.approx(2 * stats.norm.sf(3 / math.sqrt(7)))


def test_rounding_does_not_break_ties():
    result = compute_signed_rank([0.9 - 0.8, 0.5 - 0.4, -(0.3 - 0.2), 1.0])
    assert result.method == 'normal'
    assert result.statistic == 2.0


@pytest.mark.parametrize('differences', [[], [0.0], [0.0, 1e-14, -1e-15]])
def test_nothing_to_test_is_nan(differences):
    result = compute_signed_rank(differences)
    assert math.isnan(result.p_value)
    assert math.isnan(result.statistic)
    assert (result.n, result.n_nonzero) == (len(differences), 0)


def test_it_is_scipy_on_a_large_sample(rng):
    differences = rng.normal(0.2, 1, 80)
    expected = stats.wilcoxon(differences, method='asymptotic', correction=False)
    result = compute_signed_rank(differences)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert result.method == 'normal'


@pytest.mark.parametrize('differences', [[[1.0]], [math.nan]])
def test_wrong_differences_are_refused(differences):
    with pytest.raises(ValueError, match=r'expected \(n,\) without NaN'):
        compute_signed_rank(differences)


def test_a_comparison_by_hand(rng):
    a = [0.9, 0.8, 0.5, math.nan, 0.4]
    b = [0.7, 0.8, 0.6, 0.3, math.nan]
    result = compare_paired(a, b, rng=rng)
    assert (result.n, result.n_undefined, result.n_units) == (3, 2, 3)
    assert result.mean_a == pytest.approx(2.2 / 3)
    assert result.mean_b == pytest.approx(2.1 / 3)
    assert result.mean_difference == pytest.approx(0.1 / 3)
    assert (result.higher, result.ties, result.lower) == (1, 1, 1)
    assert result.n_nonzero == 2
    # Resampled means lie between the extremes, and touch them at 1/27 each way.
    assert (result.low, result.high) == (pytest.approx(-0.1), pytest.approx(0.2))


def test_units_are_resampled_and_tested_together(rng):
    a = np.array([1.0, 3.0, 2.0, 2.0])
    b = np.zeros(4)
    result = compare_paired(a, b, rng=rng, units=['p', 'p', 'q', 'r'])
    assert result.n_units == 3
    # Every unit differs by 2 on average: no spread between units, and one tie of three.
    assert (result.low, result.high) == (2.0, 2.0)
    assert result.n_nonzero == 3
    assert result.method == 'normal'
    one = compare_paired(a, b, rng=rng, units=['p'] * 4)
    assert math.isnan(one.low)
    assert one.mean_difference == 2.0


def test_the_interval_covers_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        own = np.random.default_rng(seed)
        a = own.normal(1.0, 1.0, 40)
        result = compare_paired(
            a, np.zeros(40), rng=np.random.default_rng(0), num_resamples=400
        )
        covered += result.low <= 1.0 <= result.high
    assert 180 <= covered <= 198


def test_without_a_pair_everything_is_undefined(rng):
    fields = compare_paired([math.nan], [0.5], rng=rng).as_dict()
    assert (fields['n'], fields['n_undefined']) == (0, 1)
    for name in ('mean_a', 'mean_difference', 'low', 'high', 'statistic', 'p_value'):
        assert fields[name] is None


def test_swapping_the_methods_swaps_the_answer():
    a, b = [0.3, 0.9, 0.5], [0.1, 0.2, 0.6]
    one = compare_paired(a, b, rng=np.random.default_rng(0))
    two = compare_paired(b, a, rng=np.random.default_rng(0))
    assert one.mean_difference == -two.mean_difference
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.p_value == two.p_value
    assert (one.higher, one.lower) == (two.lower, two.higher)


@pytest.mark.parametrize('units', [None, ['p']])
def test_shapes_must_agree(rng, units):
    b = [1.0] if units is None else [1.0, 2.0]
    with pytest.raises(ValueError, match=r'scores have shapes|units for'):
        compare_paired([1.0, 2.0], b, rng=rng, units=units)
