import numpy as np
import pytest

from mmmed.preparation.split_roles import draw_validation, split_legacy_random
from mmmed.preparation.splits import split_kfold


def count(folds, val_of, num_folds=5):
    sizes = []
    for fold in range(num_folds):
        test = sum(own == fold for own in folds.values())
        val = sum(fold in places for places in val_of.values())
        sizes.append((len(folds) - test - val, val, test))
    return sizes


@pytest.mark.parametrize(
    ('total', 'usual', 'last'),
    [
        (100, (64, 16, 20), (64, 16, 20)),
        (103, (65, 18, 20), (65, 15, 23)),
        (77, (49, 13, 15), (49, 11, 17)),
    ],
)
def test_published_sizes(total, usual, last):
    names = [f'c{i}' for i in range(total)]
    folds, val_of = split_legacy_random(names, seed=4)
    assert count(folds, val_of) == [usual] * 4 + [last]
    assert all(own not in val_of[name] for name, own in folds.items())
    assert (folds, val_of) == split_legacy_random(names[::-1], seed=4)
    assert folds != split_legacy_random(names, seed=5)[0]


def test_too_few_for_the_folds():
    with pytest.raises(ValueError, match='3 names for 5 folds'):
        split_legacy_random(['a', 'b', 'c'])


def test_validation_is_stratified_by_several_columns():
    rng = np.random.default_rng(0)
    strata = {
        f'p{i}': [
            (str(rng.integers(3)), str(rng.integers(2)))
            for _ in range(rng.integers(1, 3))
        ]
        for i in range(60)
    }
    folds = split_kfold(strata, num_folds=3, seed=1)
    drawn = {'num_folds': 3, 'seed': 1}
    val_of = draw_validation(strata, folds, **drawn)
    assert val_of == draw_validation(strata, folds, **drawn)
    for fold in range(3):
        rest = [row for p, rows in strata.items() if folds[p] != fold for row in rows]
        held = [row for p, rows in strata.items() if fold in val_of[p] for row in rows]
        assert len(held) == pytest.approx(0.2 * len(rest), abs=1)
        for column, levels in ((0, '012'), (1, '01')):
            for level in levels:
                wanted = 0.2 * sum(row[column] == level for row in rest)
                found = sum(row[column] == level for row in held)
                assert found == pytest.approx(wanted, abs=1.01)


def test_patients_who_are_one_of_a_kind_validate_as_often_as_others():
    # 120 typical patients of two types, 120 who differ from them in one to three
    # signs of twelve. By kinds of patients, 11 of 36 would be unusual.
    rng = np.random.default_rng(0)
    strata = {}
    for number in range(240):
        row = np.full(12, number % 2)
        if number >= 120:
            row[rng.choice(12, rng.integers(1, 4), replace=False)] ^= 1
        strata[f'p{number}'] = [(str(number % 2), *map(str, row))]
    folds = split_kfold(strata, num_folds=4, seed=0)
    held = draw_validation(strata, folds, num_folds=4, seed=0)
    for fold in range(4):
        chosen = [name for name in strata if fold in held[name]]
        assert len(chosen) == 36
        unusual = sum(int(name[1:]) >= 120 for name in chosen)
        assert 14 <= unusual <= 22
