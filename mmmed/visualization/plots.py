"""Plots of results: curves, distributions, precision and recall, size and score.

Every function returns its own figure; colours and markers follow the order of the
groups. Not here: numbers (``mmmed.functional``), overlays.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory
from numpy.typing import ArrayLike, NDArray

from mmmed.visualization.figure import (
    FAINT,
    INK,
    SERIES_COLORS,
    SERIES_MARKERS,
    create_figure,
    use_style,
)
from mmmed.visualization.scales import SCALES, Scale, set_scale

# Above this many points an SVG gets slow; the points alone become an image.
_MAX_VECTOR_POINTS = 800
Points = tuple[ArrayLike, ArrayLike]


@use_style
def plot_curves(
    curves: Mapping[str, Points],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    ylim: tuple[float, float] | None = None,
    highlight: tuple[float, float] | None = None,
    breaks: Sequence[float] = (),
) -> Figure:
    """Values over training, one line per name.

    Args:
        curves: Name to x and y, each (n,), x rising; NaN leaves a gap.
        title: What is shown.
        xlabel: With unit.
        ylabel: With unit.
        ylim: Limits of y; ``None`` fits the data.
        highlight: x and y of the value that was chosen, for instance the saved
            checkpoint.
        breaks: x at which training was resumed, drawn as thin lines.

    Returns:
        Figure of 5.2 x 3.1 inch.
    """
    figure = create_figure(5.2, 3.1)
    axis = figure.subplots()
    for index, (name, (x, y)) in enumerate(curves.items()):
        color = SERIES_COLORS[index % len(SERIES_COLORS)]
        # Few points are measurements worth seeing; many are a line.
        marker = SERIES_MARKERS[index % len(SERIES_MARKERS)]
        axis.plot(
            np.asarray(x, float),
            np.asarray(y, float),
            color=color,
            label=name,
            marker=marker if len(np.asarray(x)) <= 60 else '',
            markersize=3.5,
        )
    for position in breaks:
        axis.axvline(position, color=FAINT, linewidth=0.8, linestyle=':')
    if highlight is not None and not math.isnan(highlight[1]):
        axis.plot(
            *highlight,
            marker='*',
            color=INK,
            markersize=10,
            linestyle='',
            label=f'best: {highlight[1]:.3f} at {highlight[0]:g}',
        )
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if ylim is not None:
        axis.set_ylim(*ylim)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if curves:
        axis.legend(loc='best')
    return figure


@use_style
def plot_raincloud(
    groups: Mapping[str, ArrayLike],
    *,
    title: str,
    xlabel: str,
    limits: tuple[float, float] = (0.0, 1.0),
    scale: Scale = 'linear',
    reference: float | None = None,
) -> Figure:
    """Whole distributions: density, every value, median and quartiles, mean.

    Args:
        groups: Name to values (n,); NaN is left out. The label shows n.
        title: What is shown.
        xlabel: With unit.
        limits: Range of possible values; the density does not leave it.
        scale: ``'log'`` for values over several orders of magnitude, zero and
            negative ones included: linear near zero, logarithmic above one.
        reference: Where to draw a line, for instance at no difference.

    Returns:
        Figure 5.2 inch wide, higher with more groups. A density is drawn from five
        different values on; below it would be an invention.
    """
    figure = create_figure(5.2, 1.1 + 0.95 * max(len(groups), 1))
    axis = figure.subplots()
    labels = []
    for index, (name, values) in enumerate(groups.items()):
        array = np.asarray(values, float)
        array = np.sort(array[~np.isnan(array)])
        labels.append(f'{name}\nn = {array.size}')
        color = SERIES_COLORS[index % len(SERIES_COLORS)]
        _draw_cloud(axis, array, -index, color, limits, scale)
        _draw_rain(axis, array, -index, color, index)
    if reference is not None:
        axis.axvline(reference, color=INK, linewidth=0.8, zorder=0.9)
    axis.set(title=title, xlabel=xlabel)
    axis.set_yticks(-np.arange(len(labels)), labels)
    axis.tick_params(axis='y', length=0)
    axis.grid(axis='y', visible=False)
    set_scale(axis.xaxis, scale, limits)
    axis.set_ylim(-len(labels) + 0.45, 0.6)
    return figure


def _draw_cloud(
    axis: Axes,
    values: NDArray[Any],
    position: float,
    color: str,
    limits: tuple[float, float],
    scale: Scale,
) -> None:
    """Half a violin above the line; its area is that of the axis as it is drawn."""
    if np.unique(values).size < 5:
        return
    forward, backward = SCALES[scale]
    low, high = forward(np.array(limits)).tolist()
    grid = np.linspace(low, high, 200)
    density = estimate_density(forward(values), grid, (low, high))
    bottom = position + 0.06
    axis.fill_between(
        backward(grid),
        bottom,
        bottom + 0.42 * density / density.max(),
        color=color,
        alpha=0.35,
        lw=0,
    )


def _draw_rain(
    axis: Axes, values: NDArray[Any], position: float, color: str, index: int
) -> None:
    """Every value below the line, the box on it."""
    if values.size == 0:
        place = blended_transform_factory(axis.transAxes, axis.transData)
        axis.text(
            0.5,
            position,
            'no case',
            transform=place,
            color=FAINT,
            ha='center',
            va='center',
        )
        return
    # The golden ratio spreads neighbours evenly and needs no random numbers.
    jitter = (np.arange(values.size) * 0.6180339887) % 1
    axis.plot(
        values,
        position - 0.14 - 0.24 * jitter,
        linestyle='',
        marker=SERIES_MARKERS[index % len(SERIES_MARKERS)],
        markersize=3.5 if values.size < 200 else 2,
        markerfacecolor=color,
        markeredgewidth=0,
        alpha=0.75 if values.size < 200 else 0.4,
        clip_on=False,
        rasterized=values.size > _MAX_VECTOR_POINTS,
    )
    low, median, high = np.percentile(values, [25, 50, 75])
    axis.plot([low, high], [position, position], color=INK, lw=3.5, alpha=0.35)
    axis.plot(median, position, '|', color=INK, markersize=12, markeredgewidth=2)
    axis.plot(values.mean(), position, 'D', color=INK, markersize=4, mfc='white')


def estimate_density(
    values: ArrayLike, grid: ArrayLike, limits: tuple[float, float]
) -> NDArray[np.float64]:
    """Gaussian kernel density, reflected at the limits so that none leaves them.

    Args:
        values: Shape (n,), at least two different.
        grid: Shape (m,), where the density is wanted.
        limits: Range of possible values.

    Returns:
        Shape (m,); integrates to 1 over the limits.

    Source:
        Silverman 1986, 2.10 (reflection) and eq. 3.31 (width).
    """
    array, points = np.asarray(values, float), np.asarray(grid, float)
    low, high = np.percentile(array, [25, 75])
    spreads = [s for s in (array.std(ddof=1), (high - low) / 1.34) if s > 0]
    width = 0.9 * min(spreads) * array.size**-0.2
    mirrored = [array, 2 * limits[0] - array, 2 * limits[1] - array]
    distance = (points[:, None] - np.concatenate(mirrored)) / width
    kernel = np.exp(-0.5 * distance**2).sum(axis=1)
    return kernel / (array.size * width * math.sqrt(2 * math.pi))


@use_style
def plot_precision_recall(groups: Mapping[str, Points], *, title: str) -> Figure:
    """Recall against precision, one point a case, over lines of equal Dice.

    Args:
        groups: Name to precision and recall, each (n,) in [0, 1]; NaN is left out.
        title: What is shown.

    Returns:
        Figure of 5.2 x 4.4 inch.
    """
    figure = create_figure(5.2, 4.4)
    axis = figure.subplots()
    recall = np.linspace(0.01, 1, 200)
    for dice in (0.2, 0.4, 0.6, 0.8):
        # Dice = 2 P R / (P + R), solved for P.
        bottom = 2 * recall - dice
        precision = np.divide(
            dice * recall, bottom, out=np.full(200, np.nan), where=bottom > 0
        )
        precision[precision > 1] = np.nan
        axis.plot(recall, precision, color=FAINT, lw=0.7)
        axis.annotate(
            f'Dice {dice}',
            (1.0, dice / (2 - dice)),
            xytext=(3, 0),
            textcoords='offset points',
            fontsize=7,
            color='#666666',
            va='center',
            annotation_clip=False,
        )
    for index, (name, (precision, found)) in enumerate(groups.items()):
        _draw_points(axis, found, precision, index, name)
    axis.set(
        title=title,
        xlabel='recall (share of the truth that was found)',
        ylabel='precision (share of the prediction that is right)',
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
    )
    _add_legend(figure, groups)
    return figure


@use_style
def plot_size_score(
    groups: Mapping[str, Points],
    *,
    title: str,
    xlabel: str,
    ylabel: str = 'Dice',
) -> Figure:
    """Score of each case against the size of its structure, sizes on a log scale.

    Args:
        groups: Name to sizes (n,) > 0 and scores (n,); others are left out.
        title: What is shown.
        xlabel: Size with unit.
        ylabel: Score, in [0, 1].

    Returns:
        Figure of 5.2 x 3.6 inch.
    """
    figure = create_figure(5.2, 3.6)
    axis = figure.subplots()
    axis.set_xscale('log')
    for index, (name, (sizes, scores)) in enumerate(groups.items()):
        x = np.asarray(sizes, float)
        x = np.where(x > 0, x, np.nan)
        _draw_points(axis, x, scores, index, name)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel, ylim=(-0.03, 1.03))
    # Plain numbers: powers of ten would need formulas, which are off for safety.
    low, high = axis.get_xlim()
    subs = (1, 2, 5) if high / low < 200 else (1, 3)
    axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,g}'))
    axis.xaxis.set_minor_formatter(NullFormatter())
    _add_legend(figure, groups)
    return figure


def _draw_points(axis: Axes, x: ArrayLike, y: ArrayLike, index: int, name: str) -> None:
    first, second = np.asarray(x, float), np.asarray(y, float)
    shown = ~(np.isnan(first) | np.isnan(second))
    many = np.count_nonzero(shown) > 200
    axis.plot(
        first[shown],
        second[shown],
        linestyle='',
        marker=SERIES_MARKERS[index % len(SERIES_MARKERS)],
        color=SERIES_COLORS[index % len(SERIES_COLORS)],
        markersize=3 if many else 5,
        alpha=0.5 if many else 0.8,
        markeredgewidth=0,
        clip_on=False,
        label=f'{name} (n = {np.count_nonzero(shown)})',
        rasterized=np.count_nonzero(shown) > _MAX_VECTOR_POINTS,
    )


def _add_legend(figure: Figure, groups: Mapping[str, Any]) -> None:
    """Below the axes: points may lie anywhere inside them."""
    if groups:
        figure.legend(loc='outside lower center', ncols=min(len(groups), 2))
