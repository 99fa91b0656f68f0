"""Plots of agreement show every pair, and the levels worked out by hand."""

import numpy as np
import pytest

from mmmed.visualization import encode_figure, plot_agreement, plot_bland_altman


def read_points(figure: object) -> np.ndarray:
    (line,) = [one for one in figure.axes[0].lines if one.get_marker() == 'o']
    return line.get_xydata()


@pytest.mark.parametrize('scale', ['linear', 'log'])
def test_agreement_shows_every_pair(scale) -> None:
    figure = plot_agreement(
        [0, 1, np.nan, 90],
        [2, 0, 3, 80],
        title='t',
        xlabel='x',
        ylabel='y',
        limits=(0, 90),
        scale=scale,
    )
    assert read_points(figure).tolist() == [[0, 2], [1, 0], [90, 80]]
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim()
    encode_figure(figure, 'svg')


def test_bland_altman_levels() -> None:
    """Differences 1, 2, 3: mean 2, standard deviation 1."""
    target = np.array([10.0, 20, 30, np.nan])
    figure = plot_bland_altman(target, target + np.arange(1, 5), title='t', unit='ml')
    assert read_points(figure).tolist() == [[10.5, 1], [21, 2], [31.5, 3]]
    levels = [
        float(line.get_ydata()[0])
        for line in figure.axes[0].lines
        if line.get_marker() != 'o'
    ]
    assert levels == pytest.approx([0, 2, 3.96, 0.04])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ['mean +2', '+1.96 SD +3.96', '-1.96 SD +0.04']


@pytest.mark.parametrize('values', [[], [np.nan], [1.0], [2.0, 2.0, 2.0]])
def test_bland_altman_invents_no_spread(values) -> None:
    figure = plot_bland_altman(values, values, title='t', unit='ml')
    assert not [text for text in figure.axes[0].texts if 'SD' in text.get_text()]
    encode_figure(figure, 'svg')
