from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from mmmed.preparation.lesion_volumes import (
    STRATA,
    compare_parts,
    compare_volumes,
    count_volumes,
    format_comparison,
    format_counts,
    name_stratum,
)
from mmmed.preparation.partition import Partition

# Subjects of ATLAS v2.0 training data in each volume stratum, and one volume of each.
COUNTS = (319, 154, 64, 49, 44, 25)
VOLUMES = (1_000, 20_000, 50_000, 90_000, 150_000, 300_000)


def test_an_edge_belongs_to_the_stratum_below():
    assert name_stratum(5_000) == STRATA[1] == '≤ 5,000'
    assert name_stratum(5_001) == STRATA[2]
    assert name_stratum(200_001) == STRATA[-1] == '> 200,000'
    assert name_stratum(0) == 'none'


def test_the_test_is_that_of_scipy_and_has_an_effect_size():
    part, rest = [1, 5, 9, 12], [2, 3, 4, 6, 30]
    result = compare_volumes(part, rest)
    expected = stats.mannwhitneyu(part, rest, alternative='two-sided')
    assert result['p'] == expected.pvalue
    # Pairs in which the part is larger, by hand: 0 + 3 + 4 + 4 of 20.
    assert result['effect'] == pytest.approx(11 / 20)
    assert compare_volumes([], rest)['p'] is None
    assert compare_volumes([7], [7])['effect'] == 0.5


def split_like_atlas(seed):
    """655 subjects of 33 sites with the published counts, split as a user would."""
    rng = np.random.default_rng(seed)
    weights = np.array([111, 49, 45, 38, 37, *[375 / 28] * 28])
    volumes = np.repeat(VOLUMES, COUNTS)
    sites = rng.choice(33, 655, p=weights / weights.sum())
    strata = {
        f'sub-{i:03d}': [(name_stratum(volume), f'R{site:03d}')]
        for i, (volume, site) in enumerate(zip(volumes, sites, strict=True))
    }
    partition = Partition(
        val_ratio=0.2, val_patients=(), num_folds=5, seed=seed, folds_on='train'
    )
    return strata, partition.assign(strata)


@pytest.mark.parametrize('seed', [0, 7])
def test_no_patient_on_two_sides_and_every_stratum_in_proportion(seed):
    """Acceptance test 8 of the stroke specification."""
    strata, places = split_like_atlas(seed)
    assert places.keys() == strata.keys()
    val = {p for p, (side, _) in places.items() if side == 'val'}
    assert len(val) == 131
    assert all((fold is None) == (p in val) for p, (_, fold) in places.items())
    names = {p: rows[0][0] for p, rows in strata.items()}
    parts = [(val, 131 / 655, set(strata))]
    train = set(strata) - val
    for fold in range(5):
        members = {p for p, (_, k) in places.items() if k == fold}
        parts.append((members, 1 / 5, train))
    assert set.union(*(members for members, _, _ in parts)) == set(strata)
    assert sum(len(members) for members, _, _ in parts) == 655
    for members, share, whole in parts:
        for stratum in STRATA[1:]:
            wanted = share * sum(names[p] == stratum for p in whole)
            assert abs(sum(names[p] == stratum for p in members) - wanted) < 1


def make_case(index, split, fold, volume):
    return SimpleNamespace(
        patient_id=str(index),
        split=split,
        fold=fold,
        foreground_voxels=volume,
        positive=None if volume is None else volume > 0,
        extra={'stratum': None if volume is None else name_stratum(volume)},
    )


CASES = [
    make_case(0, 'train', 0, 10),
    make_case(1, 'train', 0, 6_000),
    make_case(2, 'train', 1, 70_000),
    make_case(3, 'val', None, 20),
    make_case(4, 'test', None, None),
]


def test_counts_and_table():
    summary = count_volumes(CASES, 2)
    assert [summary['splits'][s]['cases'] for s in ('train', 'val', 'test', 'all')] == [
        3, 1, 1, 5,
    ]  # fmt: skip
    assert summary['splits']['test']['labelled'] == 0
    assert list(summary['folds'][0]['strata'].values()) == [0, 1, 1, 0, 0, 0, 0]
    lines = format_counts(summary)
    assert len(lines) == 7
    assert len({len(line) for line in lines}) == 1


def test_every_fold_is_compared_with_the_others_only():
    comparison = compare_parts(CASES, 2)
    assert comparison['parts']['val']['n_rest'] == 3
    assert comparison['parts']['fold 0']['n'] == 2
    assert comparison['parts']['fold 0']['n_rest'] == 1
    text = '\n'.join(format_comparison(comparison))
    assert 'p = ' in text
    assert 'A large p says only' in text
