import numpy as np
import pytest

from mmmed.functional.sequence_scale import (
    check_rule,
    choose_rule,
    measure_values,
    parse_rule,
    plan_scale,
)

VALUES = np.arange(101, dtype=np.int16).reshape(1, 1, 101)


def scale(rule, values=VALUES):
    return plan_scale(rule, measure_values(values)).apply(values)


def test_every_rule_by_hand():
    np.testing.assert_allclose(scale({'rule': 'minmax'}), VALUES / 100, rtol=1e-6)
    np.testing.assert_allclose(
        scale({'rule': 'percentile', 'low': 5, 'high': 95})[0, 0, [0, 5, 50, 95, 100]],
        [0, 0, 0.5, 1, 1],
        atol=1e-6,
    )
    window = {'rule': 'window', 'low': -50, 'high': 50}
    np.testing.assert_allclose(
        scale(window)[0, 0, [0, 25, 50, 99]], [0.5, 0.75, 1, 1], atol=1e-6
    )
    zscore = scale({'rule': 'zscore'})
    assert abs(zscore.mean()) < 1e-6
    assert abs(zscore.std() - 1) < 1e-6
    assert scale({'rule': 'none'}).tolist() == VALUES.tolist()


def test_an_artefact_does_not_become_a_large_number():
    values = np.zeros(1000, np.float32)
    values[0] = 1e6
    assert scale({'rule': 'zscore'}, values).max() == pytest.approx(5)


@pytest.mark.parametrize('rule', ['zscore', 'percentile', 'minmax'])
def test_an_image_without_contrast_becomes_zero(rule):
    assert not scale({'rule': rule}, np.full((2, 3, 4), 7, np.uint8)).any()


def test_rules_by_name_of_sequence():
    assert choose_rule('adc')['high'] == 3000
    assert choose_rule('QSM-left')['low'] == -0.2
    assert choose_rule('t2') == {'rule': 'zscore'}
    assert choose_rule('c_art') == {'rule': 'zscore'}


def test_rules_from_the_command_line():
    assert parse_rule('adc=window:0:2500') == (
        'adc',
        {'rule': 'window', 'low': 0.0, 'high': 2500.0},
    )
    assert parse_rule('nm=percentile')[1] == {
        'rule': 'percentile', 'low': 0.5, 'high': 99.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('adc', 'expected such as'),
        ('adc=window:a:b', 'no numbers'),
        ('adc=window', 'expected exactly'),
        ('adc=window:3:2', 'low < high'),
        ('t2=percentile:3:97', 'expected two of'),
        ('t2=best', "rule 'best', expected one of zscore"),
    ],
)
def test_a_wrong_rule_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_rule(text)
    with pytest.raises(ValueError, match='expected'):
        check_rule({'rule': 'zscore', 'low': 1})
