"""Bytes of figures: repeatable, independent of the user's settings."""

import matplotlib as mpl
import pytest

from mmmed.visualization.figure import encode_figure
from mmmed.visualization.plots import plot_curves


def draw() -> object:
    return plot_curves(
        {'$loss_{a': ([1, 2, 3], [0.5, 0.2, 0.1])},
        title='a <b> & $c',
        xlabel='iteration',
        ylabel='loss',
    )


@pytest.mark.parametrize(
    ('kind', 'start'), [('svg', b'<?xml'), ('png', b'\x89PNG'), ('jpg', b'\xff\xd8')]
)
def test_equal_figures_give_equal_bytes(kind: str, start: bytes) -> None:
    data = encode_figure(draw(), kind)
    assert data.startswith(start)
    assert encode_figure(draw(), kind) == data


def test_settings_of_the_user_change_nothing() -> None:
    expected = encode_figure(draw(), 'svg')
    with mpl.rc_context({'font.size': 30, 'axes.grid': False, 'svg.fonttype': 'none'}):
        assert encode_figure(draw(), 'svg') == expected
        assert mpl.rcParams['font.size'] == 30


def test_no_global_figure_is_left() -> None:
    import matplotlib.pyplot as plt

    draw()
    assert plt.get_fignums() == []


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match='svg, png, jpg'):
        encode_figure(draw(), 'pdf')
