"""Ticks and places of axes that hold zero and several orders of magnitude."""

import numpy as np
import pytest

from mmmed.visualization.figure import create_figure
from mmmed.visualization.scales import SCALES, list_ticks, set_scale


@pytest.mark.parametrize(
    ('limits', 'expected'),
    [
        ((0, 45), [0, 0.5, 1, 2, 5, 10, 20]),
        ((0, 1000), [0, 1, 3, 10, 30, 100, 300, 1000]),
        ((-40, 40), [-30, -10, -3, -1, 0, 1, 3, 10, 30]),
        ((-500, 500), [-100, -10, -1, 0, 1, 10, 100]),
        ((0, 0.4), [0]),
    ],
)
def test_ticks_are_round_and_few(limits, expected) -> None:
    assert list_ticks(limits) == expected


def test_log_scale_has_no_hole_at_zero() -> None:
    forward, backward = SCALES['log']
    values = np.array([-100.0, -1, -0.01, 0, 0.01, 1, 100])
    assert (np.diff(forward(values)) > 0).all()
    np.testing.assert_allclose(backward(forward(values)), values, rtol=1e-12)
    assert forward(0.0) == 0


@pytest.mark.parametrize('scale', ['linear', 'log'])
def test_limits_keep_a_margin(scale) -> None:
    axes = create_figure(3, 3).subplots()
    set_scale(axes.yaxis, scale, (0.0, 100.0))
    low, high = SCALES[scale][0](np.array(axes.get_ylim()))
    length = SCALES[scale][0](100.0)
    assert low == pytest.approx(-0.03 * length)
    assert high == pytest.approx(1.03 * length)
