from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_strata import make_stratum
from mmmed.preparation.split_table import Table


def make_table(**columns):
    rows = tuple(zip(*columns.values(), strict=True))
    lines = tuple(f'line {index + 2}' for index in range(len(rows)))
    return Table(Path('t.csv'), tuple(columns), rows, lines)


def volumes(*numbers):
    return make_table(volume=[str(number) for number in numbers])


def test_quantile_edges_are_values_of_the_table():
    stratum = make_stratum(volumes(*range(12, 0, -1)), 'volume')
    assert stratum.binning == 'quantiles'
    assert stratum.edges == ('3', '6', '9')
    assert stratum.levels[0] == '(9, inf]'
    assert stratum.levels[-3] == '(-inf, 3]'
    assert set(Counter(stratum.levels).values()) == {3}
    assert stratum.names == ['(-inf, 3]', '(3, 6]', '(6, 9]', '(9, inf]']


def test_equal_values_stay_in_one_bin():
    stratum = make_stratum(volumes(*[0] * 7, 1, 2, 3), 'volume:q4')
    assert stratum.edges == ('0', '1')
    assert Counter(stratum.levels) == {'(-inf, 0]': 7, '(0, 1]': 1, '(1, inf]': 2}


def test_one_value_is_one_bin():
    stratum = make_stratum(volumes('2.0', '2', '2e0'), 'volume:q3')
    assert stratum.edges == ()
    assert set(stratum.levels) == {'(-inf, inf]'}


def test_a_value_on_an_edge_is_in_the_lower_bin():
    # The bins of the stroke table: (0, 5000], (5000, 30000], ...
    stratum = make_stratum(volumes(13, 5000, 5001, 30000, '3.1e4'), 'volume:5000,30000')
    low, middle, high = '(-inf, 5000]', '(5000, 30000]', '(30000, inf]'
    assert stratum.levels == (low, low, middle, middle, high)
    assert stratum.binning == 'edges'


def test_few_numbers_are_codes_and_many_are_binned():
    assert make_stratum(volumes(*range(10)), 'volume').binning == 'values'
    assert make_stratum(volumes(*range(11)), 'volume').binning == 'quantiles'
    assert make_stratum(volumes(*range(11)), 'volume:values').binning == 'values'
    # 1 and 1.0 are one number, not two codes.
    same = [f'1.{"0" * zeros}' for zeros in range(1, 13)]
    assert make_stratum(volumes(*same), 'volume').binning == 'values'


def test_what_is_missing_is_a_level_and_comes_last():
    stratum = make_stratum(volumes(1, '', 2, 'NaN'), 'volume:1')
    assert stratum.levels == ('(-inf, 1]', 'missing', '(1, inf]', 'missing')
    assert stratum.names[-1] == 'missing'
    assert stratum.to_dict()['levels'] == {'(-inf, 1]': 1, '(1, inf]': 1, 'missing': 2}
    site = make_stratum(make_table(site=['B', 'none', 'A']), 'site')
    assert site.names == ['A', 'B', 'missing']


def test_a_column_may_have_a_colon_in_its_name():
    table = make_table(**{'mri:site': ['A', 'B']})
    assert make_stratum(table, 'mri:site').levels == ('A', 'B')


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.integers(2, 6))
def test_quantile_bins_hold_what_their_names_say(numbers, bins):
    stratum = make_stratum(volumes(*numbers), f'volume:q{bins}')
    assert len(stratum.names) <= bins
    for number, level in zip(numbers, stratum.levels, strict=True):
        low, high = level.strip('(]').split(', ')
        assert float(low) < number <= float(high)
    if len(set(numbers)) == len(numbers) >= bins:
        sizes = Counter(stratum.levels).values()
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ('wish', 'words'),
    [
        ('volumes', "no column 'volumes'; did you mean 'volume'"),
        ('volume:q1', '2 or more quantile bins'),
        ('volume:5,1', 'edges that rise'),
        ('volume:many', 'neither "values"'),
        ('name:q4', "line 2, column 'name': 'a0' is not a number"),
        ('name', '101 different values'),
        ('volume:values', '101 different values'),
    ],
)
def test_a_wrong_wish_is_explained(wish, words):
    names = [f'a{number}' for number in range(101)]
    table = make_table(volume=[str(n) for n in range(101)], name=names)
    with pytest.raises(InputError, match=words):
        make_stratum(table, wish)
