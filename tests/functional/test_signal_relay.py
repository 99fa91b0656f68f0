"""A relay of two signs and three types, worked out by hand."""

import numpy as np
import pytest

from mmmed.functional.signal_relay import (
    Relay,
    compute_relay,
    list_interventions,
    set_sign,
)

ORDER = (('wash', 0), ('wash', 1), ('ring', 0), ('ring', 1), ('type', 0), ('type', 1))


@pytest.fixture
def relay():
    weight = np.array([[0.0, 2, 0, -1, 1, 0], [1, 0, 0, 3, 0, 1]])
    signals = np.array([0.25, 0.75, 0.9, 0.1, 2.0, 0.0])
    return Relay(ORDER, weight, np.array([0.5, -0.5]), signals, 'type')


def softmax(a, b):
    return np.exp([a, b]) / np.exp([a, b]).sum()


def test_probabilities_by_hand(relay):
    # 2 * 0.75 - 0.1 + 2 + 0.5 = 3.9; 0.25 + 3 * 0.1 - 0.5 = 0.05
    np.testing.assert_allclose(compute_relay(relay), softmax(3.9, 0.05), rtol=1e-12)


def test_what_if_a_sign_were_absent(relay):
    # wash absent: (1, 0) instead of (0.25, 0.75): -0.1 + 2.5 = 2.4; 1 + 0.3 - 0.5 = 0.8
    assert set_sign(relay, 'wash', 0).tolist() == [1, 0, 0.9, 0.1, 2, 0]
    found = {(name, k): change for name, k, change in list_interventions(relay)}
    assert list(found) == [('wash', 0), ('wash', 1), ('ring', 0), ('ring', 1)]
    expected = softmax(2.4, 0.8) - softmax(3.9, 0.05)
    np.testing.assert_allclose(found['wash', 0], expected, rtol=1e-12)
    # ring certain: 1.5 - 1 + 2.5 = 3; 0.25 + 3 - 0.5 = 2.75
    expected = softmax(3, 2.75) - softmax(3.9, 0.05)
    np.testing.assert_allclose(found['ring', 1], expected, rtol=1e-12)
    assert relay.signals[0] == 0.25


def test_the_temperature_counts(relay):
    cooled = Relay(
        ORDER, relay.weight, relay.bias, relay.signals, 'type', temperature=2.0
    )
    np.testing.assert_allclose(compute_relay(cooled), softmax(1.95, 0.025), rtol=1e-12)


def test_what_is_refused(relay):
    with pytest.raises(ValueError, match='no class 2'):
        set_sign(relay, 'wash', 2)
    with pytest.raises(ValueError, match='no class 0'):
        set_sign(relay, 'type', 0)
    with pytest.raises(ValueError, match='expected'):
        Relay(ORDER[1:], relay.weight, relay.bias, relay.signals, 'type')
