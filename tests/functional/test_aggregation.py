"""Levels of analysis on counts that can be added by hand."""

import time

import numpy as np
import pytest

from mmmed.functional.aggregation import sum_by_group, summarize_levels
from mmmed.functional.overlap import EmptyPolicy

# Patient a: one good image, one both empty. Patient b: missed. c: false alarm.
COUNTS = [[6, 2, 2, 90], [0, 0, 0, 100], [0, 0, 8, 92], [0, 4, 0, 96]]
PATIENTS = ['a', 'a', 'b', 'c']


def summarize(**options: object) -> dict:
    return summarize_levels(COUNTS, PATIENTS, rng=np.random.default_rng(0), **options)


def test_sums_by_patient() -> None:
    names, sums = sum_by_group(COUNTS, PATIENTS)
    assert names == ['a', 'b', 'c']
    assert sums.tolist() == [[6, 2, 2, 190], [0, 0, 8, 92], [0, 4, 0, 96]]


def test_sums_refuse_other_lengths() -> None:
    with pytest.raises(ValueError, match='groups'):
        sum_by_group(COUNTS, ['a'])


@pytest.mark.parametrize(
    ('level', 'value', 'n', 'n_undefined'),
    [
        ('image', 0.75 / 3, 3, 1),
        ('positive_image', 0.75 / 2, 2, 0),
        ('patient', 0.75 / 3, 3, 0),
        ('pooled', 12 / (12 + 6 + 10), 1, 0),
    ],
)
def test_dice_of_every_level(
    level: str, value: float, n: int, n_undefined: int
) -> None:
    entry = summarize()['scores'][level]['dice']
    assert entry['value'] == pytest.approx(value, rel=1e-12)
    assert (entry['n'], entry['n_undefined']) == (n, n_undefined)


def test_missed_and_false_alarm_stay_in_the_mean() -> None:
    entry = summarize()['scores']['image']['dice']
    assert entry['minimum'] == 0
    assert entry['n'] == 3


def test_policy_changes_the_mean_of_empty_images() -> None:
    entry = summarize(policy=EmptyPolicy(both_empty=1.0))['scores']['image']['dice']
    assert entry['value'] == pytest.approx(1.75 / 4)
    assert entry['n_undefined'] == 0


def test_outcomes_and_detection() -> None:
    result = summarize()
    assert result['outcomes']['image'] == {
        'hit': 1,
        'disjoint': 0,
        'missed': 1,
        'false_alarm': 1,
        'both_empty': 1,
    }
    assert result['outcomes']['patient']['both_empty'] == 0
    image, patient = result['detection']['image'], result['detection']['patient']
    assert image['sensitivity']['value'] == 0.5
    assert image['specificity']['value'] == 0.5
    assert image['specificity']['n'] == 2
    assert patient['specificity']['value'] == 0.0
    assert patient['sensitivity']['n_patients'] == 2


def test_wrong_place_counts_as_found_but_scores_zero() -> None:
    result = summarize_levels([[0, 3, 3, 4]], ['a'], rng=np.random.default_rng(0))
    assert result['detection']['image']['sensitivity']['value'] == 1
    assert result['outcomes']['image']['disjoint'] == 1
    assert result['scores']['image']['dice']['value'] == 0


def test_interval_resamples_patients_not_images() -> None:
    """100 equal images of 2 patients: images as units would give a narrow interval."""
    counts = [[4, 0, 0, 6]] * 50 + [[0, 0, 4, 6]] * 50
    patients = ['a'] * 50 + ['b'] * 50
    result = summarize_levels(counts, patients, rng=np.random.default_rng(0))
    entry = result['scores']['image']['dice']
    assert entry['value'] == 0.5
    assert (entry['low'], entry['high']) == (0, 1)
    assert entry['n_patients'] == 2


def test_one_patient_has_no_interval() -> None:
    result = summarize_levels(COUNTS, ['a'] * 4, rng=np.random.default_rng(0))
    for level in ('image', 'patient', 'pooled'):
        assert result['scores'][level]['dice']['low'] is None


def test_interval_of_patients_is_the_plain_bootstrap() -> None:
    from scipy import stats

    rng = np.random.default_rng(3)
    counts = np.c_[rng.integers(1, 50, (40, 3)), np.full(40, 100)]
    entry = summarize_levels(
        counts, [f'{i:02d}' for i in range(40)], rng=rng, num_resamples=20000
    )['scores']['patient']['iou']
    values = counts[:, 0] / counts[:, :3].sum(1)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method='percentile', rng=rng
    ).confidence_interval
    assert entry['value'] == pytest.approx(values.mean(), rel=1e-12)
    assert (entry['low'], entry['high']) == pytest.approx(tuple(theirs), abs=2e-3)


def test_order_of_images_does_not_matter() -> None:
    order = [2, 0, 3, 1]
    shuffled = summarize_levels(
        [COUNTS[i] for i in order],
        [PATIENTS[i] for i in order],
        rng=np.random.default_rng(0),
    )
    assert shuffled == summarize()


def test_no_images_at_all() -> None:
    result = summarize_levels(np.zeros((0, 4)), [], rng=np.random.default_rng(0))
    assert result['n_images'] == 0
    assert result['scores']['image']['dice']['value'] is None
    assert result['scores']['pooled']['dice']['value'] is None
    assert result['detection']['image']['sensitivity']['value'] is None


def test_whole_dataset_takes_less_than_a_second() -> None:
    """2500 images of unknown patients, the largest number of units."""
    counts = np.random.default_rng(0).integers(0, 99, (2500, 4))
    started = time.process_time()
    summarize_levels(counts, [str(i) for i in range(2500)], rng=np.random.default_rng())
    assert time.process_time() - started < 3
