"""Summary and bootstrap against closed forms and SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from mmmed.functional import statistics
from mmmed.functional.statistics import (
    compute_bootstrap_interval,
    compute_percentile_interval,
    draw_resample_weights,
    summarize,
)


def test_summary_by_hand() -> None:
    summary = summarize([0.1, 0.2, 0.3, 0.4, 1.0, math.nan])
    assert (summary.n, summary.n_undefined) == (5, 1)
    assert summary.mean == pytest.approx(0.4)
    assert summary.sd == pytest.approx(math.sqrt(0.5 / 4))
    quartiles = (summary.q25, summary.median, summary.q75)
    assert quartiles == pytest.approx((0.2, 0.3, 0.4))
    assert (summary.minimum, summary.maximum) == (0.1, 1.0)


def test_summary_of_nothing_and_of_one() -> None:
    nothing = summarize([math.nan, math.nan])
    assert (nothing.n, nothing.n_undefined) == (0, 2)
    assert nothing.as_dict()['mean'] is None
    one = summarize([0.7])
    assert (one.mean, one.median) == (0.7, 0.7)
    assert math.isnan(one.sd)


def test_summary_refuses_matrices() -> None:
    with pytest.raises(ValueError, match='expected'):
        summarize([[1.0]])


def test_interval_matches_scipy_percentile_bootstrap(rng: np.random.Generator) -> None:
    values = rng.normal(2, 3, 60)
    ours = compute_bootstrap_interval(values, rng=rng, num_resamples=20000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method='percentile', rng=rng
    ).confidence_interval
    # Monte Carlo error of a 2.5 % quantile at 20000 resamples is about 0.01 here.
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.04)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        interval = compute_bootstrap_interval(
            rng.normal(0, 1, 40), rng=rng, num_resamples=400
        )
        covered += interval.low <= 0 <= interval.high
    assert 0.90 <= covered / 300 <= 0.98


def test_interval_is_seeded_and_blocks_do_not_change_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).random((17, 2))

    def draw() -> tuple:
        interval = compute_bootstrap_interval(
            values,
            rng=np.random.default_rng(5),
            statistic=lambda sample: sample.sum(1)[:, 0] / sample.sum(1)[:, 1],
            num_resamples=300,
        )
        return interval.low, interval.high

    whole = draw()
    assert draw() == whole
    monkeypatch.setattr(statistics, '_BLOCK', 100)
    assert draw() == whole


@pytest.mark.parametrize('n', [0, 1])
def test_too_few_units_give_no_interval(n: int, rng: np.random.Generator) -> None:
    interval = compute_bootstrap_interval(np.full(n, 0.5), rng=rng)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.n == n
    assert interval.as_dict()['low'] is None


def test_equal_values_give_a_point(rng: np.random.Generator) -> None:
    interval = compute_bootstrap_interval([0.25] * 4, rng=rng)
    assert (interval.low, interval.high) == (0.25, 0.25)


def test_undefined_resamples_are_left_out() -> None:
    interval = compute_percentile_interval([math.nan, *range(101)], n=5, confidence=0.9)
    assert (interval.low, interval.high) == pytest.approx((5, 95))


def test_weights_are_resamples(rng: np.random.Generator) -> None:
    weights = draw_resample_weights(7, rng=rng, num_resamples=4000)
    assert weights.shape == (4000, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.06)
    # Variance of a binomial count with n = 7 and p = 1/7.
    assert weights.var() == pytest.approx(6 / 7, abs=0.05)


def test_weights_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw_resample_weights(5, rng=np.random.default_rng(2), num_resamples=50)
    monkeypatch.setattr(statistics, '_BLOCK', 12)
    parts = draw_resample_weights(5, rng=np.random.default_rng(2), num_resamples=50)
    assert (whole == parts).all()


def test_weights_of_no_units(rng: np.random.Generator) -> None:
    assert draw_resample_weights(0, rng=rng, num_resamples=3).shape == (3, 0)


@pytest.mark.parametrize(
    'options', [{'confidence': 1.0}, {'confidence': 0}, {'num_resamples': 0}]
)
def test_impossible_intervals_are_refused(
    options: dict, rng: np.random.Generator
) -> None:
    with pytest.raises(ValueError, match='expected'):
        compute_bootstrap_interval([1.0, 2.0], rng=rng, **options)


def test_scalar_sample_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match='scalar'):
        compute_bootstrap_interval(1.0, rng=rng)
