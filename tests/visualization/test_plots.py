"""Plots show the values they were given, whole."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from mmmed.visualization.figure import encode_figure
from mmmed.visualization.plots import (
    estimate_density,
    plot_curves,
    plot_precision_recall,
    plot_raincloud,
    plot_size_score,
)


def read_points(figure: object, marker: str = 'o') -> np.ndarray:
    lines = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return np.concatenate([line.get_xydata() for line in lines])


def test_curves_keep_every_point() -> None:
    figure = plot_curves(
        {'a': ([1, 2, 3], [3, np.nan, 1]), 'b': ([1], [2])},
        title='t',
        xlabel='x',
        ylabel='y',
        highlight=(3, 1.0),
        breaks=[2],
    )
    (axis,) = figure.axes
    assert axis.lines[0].get_xdata().tolist() == [1, 2, 3]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ['a', 'b', 'best: 1.000 at 3']


def test_long_curves_are_lines_without_markers() -> None:
    x = np.arange(500)
    figure = plot_curves({'a': (x, x)}, title='', xlabel='', ylabel='')
    assert figure.axes[0].lines[0].get_marker() == ''


def test_raincloud_shows_every_value_and_n() -> None:
    values = [0.0, 0.2, 0.2, 0.9, 1.0, np.nan]
    figure = plot_raincloud({'held out': values}, title='t', xlabel='Dice')
    assert sorted(read_points(figure)[:, 0]) == values[:5]
    assert figure.axes[0].get_yticklabels()[0].get_text() == 'held out\nn = 5'


@pytest.mark.parametrize('values', [[], [0.5], [0.5] * 30, [0.1, 0.2], [np.nan]])
def test_raincloud_invents_no_density(values: list) -> None:
    figure = plot_raincloud({'few': values}, title='t', xlabel='Dice')
    assert not figure.axes[0].collections
    encode_figure(figure, 'svg')


@pytest.mark.parametrize('a', [0.5, 1.0, 4.0])
def test_density_integrates_to_one_within_the_limits(
    a: float, rng: np.random.Generator
) -> None:
    grid = np.linspace(0, 1, 2001)
    density = estimate_density(rng.beta(a, 1, 200), grid, (0, 1))
    assert trapezoid(density, grid) == pytest.approx(1, abs=2e-3)


def test_density_of_even_values_is_flat() -> None:
    """Reflection: no drop at the limits."""
    density = estimate_density(np.linspace(0, 1, 400), np.linspace(0, 1, 11), (0, 1))
    assert density == pytest.approx(np.ones(11), abs=0.02)


def test_precision_recall_axes_and_dice_lines() -> None:
    figure = plot_precision_recall(
        {'a': ([0.5, np.nan], [0.25, 0.3])}, title='Precision and recall'
    )
    assert read_points(figure).tolist() == [[0.25, 0.5]]
    line = figure.axes[0].lines[1].get_xydata()  # Dice 0.4
    recall, precision = line[~np.isnan(line[:, 1])].T
    assert 2 * precision * recall / (precision + recall) == pytest.approx(
        np.full(len(recall), 0.4)
    )


def test_size_score_drops_what_has_no_size() -> None:
    figure = plot_size_score({'a': ([10, 0, 1000], [0.5, 0, 1])}, title='', xlabel='')
    assert read_points(figure).tolist() == [[10, 0.5], [1000, 1]]
    encode_figure(figure, 'svg')


def test_thousands_of_points_stay_a_small_file(rng: np.random.Generator) -> None:
    values = rng.random(3000)
    figure = plot_precision_recall({'a': (values, values)}, title='')
    assert len(encode_figure(figure, 'svg')) < 300_000


@pytest.mark.parametrize('plot', [plot_precision_recall, plot_raincloud])
def test_no_groups_at_all(plot: object) -> None:
    options = {'xlabel': 'Dice'} if plot is plot_raincloud else {}
    encode_figure(plot({}, title='nothing', **options), 'svg')


def test_raincloud_of_distances_keeps_far_values() -> None:
    values = [0.0, 0.5, 1.0, 2.0, 3.0, 250.0]
    figure = plot_raincloud(
        {'x': values}, title='t', xlabel='mm', limits=(0, 250), scale='log', reference=0
    )
    assert sorted(read_points(figure)[:, 0]) == values
    (axes,) = figure.axes
    # Half of the axis belongs to distances below 15 mm.
    assert axes.transAxes.inverted().transform(axes.transData.transform((15, 0)))[
        0
    ] == pytest.approx(0.5, abs=0.02)
    (cloud,) = axes.collections
    assert cloud.get_paths()[0].vertices[:, 0].max() == pytest.approx(250)
    encode_figure(figure, 'svg')
