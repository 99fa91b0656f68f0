"""Numbers and tables as Markdown."""

import math

import pytest

from mmmed.reporting.study_markdown import (
    format_bounds,
    format_number,
    format_p,
    format_pair,
    format_seconds,
    format_share,
    format_signed,
    format_value,
    make_table,
)
from mmmed.reporting.wording import NONE


def test_table():
    assert make_table(['a', 'b'], [['x|y', '1']]) == [
        '| a | b |',
        '| --- | ---: |',
        '| x\\|y | 1 |',
    ]


def test_columns_of_words_stand_left():
    rows = [['a', '31 min', '5-fold validation', '0.5 ± 0.1']]
    assert make_table(['n', 'time', 'protocol', 'Dice'], rows)[1] == (
        '| --- | ---: | --- | ---: |'
    )
    assert make_table(['n', 'm'], []) == ['| n | m |', '| --- | ---: |']


def test_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match='1 cells under 2 heads'):
        make_table(['a', 'b'], [['x']])


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (format_number(0.1235), '0.123'),
        (format_number(None), NONE),
        (format_number(math.nan), NONE),
        (format_number(1234.5, 1), '1,234.5'),
        (format_pair(0.5, 0.25), '0.500 ± 0.250'),
        (format_pair(0.5, math.nan), '0.500'),
        (format_bounds(0.1, 0.2), '0.100 to 0.200'),
        (format_bounds(0.1, 0.1), NONE),
        (format_bounds(math.nan, math.nan), NONE),
        (format_share(0.256), '25.6 %'),
        (format_signed(0.01), '+0.010'),
        (format_signed(-0.01), '\N{MINUS SIGN}0.010'),
        (format_signed(-0.0001), '0.000'),
        (format_p(0.0004), '< 0.001'),
        (format_p(0.0404), '0.040'),
        (format_seconds(90), '90 s'),
        (format_seconds(600), '10 min'),
        (format_seconds(9000), '2.5 h'),
        (format_seconds(None), NONE),
        (format_value(4829665), '4,829,665'),
        (format_value(''), NONE),
        (format_value('cpu'), 'cpu'),
    ],
)
def test_formats(text, expected):
    assert text == expected
