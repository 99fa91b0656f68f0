import math
import subprocess
import sys
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.preparation.splits import assert_disjoint, split_holdout, split_kfold

STRATA = st.dictionaries(
    st.text('0123456789abc', min_size=1, max_size=4),
    st.sampled_from(['negative', 'small', 'large']),
    min_size=2,
    max_size=90,
)
SEEDS = st.integers(0, 2**31)
RATIOS = st.floats(0.01, 0.99)


@given(strata=STRATA, ratio=RATIOS, seed=SEEDS)
def test_holdout_sides_are_disjoint_complete_and_not_empty(strata, ratio, seed):
    val = split_holdout(strata, val_ratio=ratio, seed=seed)
    train = set(strata) - val
    assert_disjoint(val, train)
    assert val <= set(strata)
    wanted = math.floor(Fraction(str(ratio)) * len(strata) + Fraction(1, 2))
    assert len(val) == min(max(wanted, 1), len(strata) - 1)


@given(strata=STRATA, ratio=RATIOS, seed=SEEDS)
def test_holdout_is_stratified(strata, ratio, seed):
    val = split_holdout(strata, val_ratio=ratio, seed=seed)
    sizes = Counter(strata.values())
    counts = Counter(strata[patient] for patient in val)
    for stratum, size in sizes.items():
        # One for rounding, one for the promise that each stratum is on both sides.
        assert abs(counts[stratum] - ratio * size) < 2
        if len(val) >= len(sizes) and size > 1:
            assert counts[stratum] > 0
        if len(strata) - len(val) >= len(sizes) and size > 1:
            assert counts[stratum] < size


@given(strata=STRATA, folds=st.integers(2, 8), seed=SEEDS)
def test_folds_are_complete_and_balanced_in_total_and_by_stratum(strata, folds, seed):
    if len(strata) < folds:
        with pytest.raises(ValueError, match=f'for {folds} folds'):
            split_kfold(strata, num_folds=folds, seed=seed)
        return
    assigned = split_kfold(strata, num_folds=folds, seed=seed)
    assert list(assigned) == list(strata)
    sizes = Counter(assigned.values())
    assert sorted(sizes) == list(range(folds))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for stratum in set(strata.values()):
        part = Counter(f for p, f in assigned.items() if strata[p] == stratum)
        counts = [part[fold] for fold in range(folds)]
        assert max(counts) - min(counts) <= 1


@given(strata=STRATA, seed=SEEDS)
def test_the_order_of_the_patients_does_not_matter(strata, seed):
    backwards = dict(reversed(strata.items()))
    options = {'val_ratio': 0.3, 'seed': seed}
    assert split_holdout(strata, **options) == split_holdout(backwards, **options)
    options = {'num_folds': 2, 'seed': seed}
    assert split_kfold(strata, **options) == split_kfold(backwards, **options)


def cohort(negatives=46, positives=36):
    strata = {f'{49 + i:03d}': 'negative' for i in range(negatives)}
    return strata | {f'{300 + i}': 'positive' for i in range(positives)}


def test_the_whole_data_set_splits_as_computed_by_hand():
    # 82 patients: 16.4 -> 16 to validate; 9.2 and 7.2 -> 9 and 7.
    val = split_holdout(cohort(), val_ratio=0.2, seed=0)
    assert Counter(cohort()[p] for p in val) == {'negative': 9, 'positive': 7}
    folds = split_kfold(cohort(), num_folds=5, seed=0)
    assert sorted(Counter(folds.values()).values()) == [16, 16, 16, 17, 17]


@pytest.mark.parametrize(
    ('sizes', 'ratio', 'expected'),
    [
        ({'a': 10, 'b': 2}, 0.2, {'a': 1, 'b': 1}),  # the rare one is measured
        ({'a': 10, 'b': 2}, 0.8, {'a': 9, 'b': 1}),  # and learned
        ({'a': 4, 'b': 1}, 0.2, {'a': 1}),
        ({'a': 1, 'b': 1}, 0.5, {'a': 1}),
        ({'a': 1, 'b': 1, 'c': 1}, 0.9, {'b': 1, 'a': 1}),
    ],
)
def test_small_strata_by_hand(sizes, ratio, expected):
    strata = {f'{s}{i}': s for s, size in sizes.items() for i in range(size)}
    val = split_holdout(strata, val_ratio=ratio, seed=3)
    assert Counter(strata[p] for p in val) == expected


def test_the_split_is_fixed_for_ever():
    """Golden values: whoever changes them changes every published split."""
    strata = cohort(6, 6)
    assert sorted(split_holdout(strata, val_ratio=0.34, seed=0)) == GOLDEN_HOLDOUT
    folds = split_kfold(strata, num_folds=3, seed=7)
    assert ''.join(str(fold) for fold in folds.values()) == GOLDEN_FOLDS


GOLDEN_HOLDOUT = ['053', '054', '300', '305']
GOLDEN_FOLDS = '201102110220'


def test_hash_randomization_changes_nothing():
    code = (
        'from mmmed.preparation.splits import split_holdout\n'
        'strata = {str(i): "ab"[i % 2] for i in range(20)}\n'
        'print(sorted(split_holdout(strata, val_ratio=0.3, seed=5)))'
    )
    outputs = {
        subprocess.run(
            [sys.executable, '-c', code],
            env={'PYTHONHASHSEED': seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ('1', '2')
    }
    assert len(outputs) == 1


def test_seeds_differ():
    splits = {split_holdout(cohort(), val_ratio=0.2, seed=s) for s in range(20)}
    assert len(splits) == 20


def test_a_change_in_one_stratum_does_not_reshuffle_another():
    many, few = cohort(46, 36), cohort(40, 36)
    positives = [p for p in many if many[p] == 'positive']
    first = split_holdout(many, val_ratio=0.25, seed=1)
    second = split_holdout(few, val_ratio=0.25, seed=1)
    assert [p in first for p in positives] == [p in second for p in positives]


@pytest.mark.parametrize('ratio', [0, 1, -0.1, 1.5, float('nan')])
def test_a_ratio_lies_between_0_and_1(ratio):
    with pytest.raises(ValueError, match='between 0 and 1'):
        split_holdout(cohort(), val_ratio=ratio, seed=0)


@pytest.mark.parametrize('patients', [{}, {'077': 'positive'}])
def test_one_patient_cannot_be_split(patients):
    with pytest.raises(ValueError, match='at least 2'):
        split_holdout(patients, val_ratio=0.2, seed=0)


@pytest.mark.parametrize('folds', [1, 0, -3])
def test_a_fold_needs_a_counterpart(folds):
    with pytest.raises(ValueError, match='at least 2'):
        split_kfold(cohort(), num_folds=folds, seed=0)


def test_shared_patients_are_named():
    with pytest.raises(ValueError, match=r'2 patient\(s\).*077, 081'):
        assert_disjoint(['077', '081', '081'], ['078', '081'], {'077'})
    assert_disjoint(['077', '077'], ['078'], [])
