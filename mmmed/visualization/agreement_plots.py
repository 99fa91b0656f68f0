"""Plots of two measurements of the same cases, one against the other.

Not here: distributions of one measurement (``plots``), the numbers.
"""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmmed.visualization.figure import (
    BLUE,
    FAINT,
    INK,
    create_figure,
    use_style,
)
from mmmed.visualization.scales import Scale, set_scale

# Above this many points an SVG gets slow; the points alone become an image.
_MAX_VECTOR_POINTS = 800


@use_style
def plot_agreement(
    x: ArrayLike,
    y: ArrayLike,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    limits: tuple[float, float],
    scale: Scale = 'linear',
) -> Figure:
    """One point a case on axes of equal range, with the line of agreement.

    Args:
        x: First measurement, shape (n,); NaN leaves a case out.
        y: Second measurement, shape (n,).
        title: What is shown.
        xlabel: With unit.
        ylabel: With unit.
        limits: Range of possible values, of both axes.
        scale: ``'log'`` for values over several orders of magnitude.

    Returns:
        Figure of 5.2 x 4.0 inch.
    """
    figure = create_figure(5.2, 4.0)
    axes = figure.subplots()
    axes.plot(limits, limits, color=FAINT, linewidth=0.9, zorder=0.9)
    _draw_cases(axes, x, y)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    set_scale(axes.xaxis, scale, limits)
    set_scale(axes.yaxis, scale, limits)
    return figure


@use_style
def plot_bland_altman(
    target: ArrayLike,
    pred: ArrayLike,
    *,
    title: str,
    unit: str,
    scale: Scale = 'linear',
) -> Figure:
    """Difference of two measurements against their mean.

    Args:
        target: Reference measurement, shape (n,); NaN leaves a case out.
        pred: Measurement to judge, shape (n,).
        title: What is shown.
        unit: Of both.
        scale: Of the horizontal axis.

    Returns:
        Figure of 5.2 x 4.0 inch with the mean difference and, from three different
        cases on, the limits of agreement (mean ± 1.96 standard deviations).

    Source:
        Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8.
    """
    reference, measured = np.asarray(target, float), np.asarray(pred, float)
    differences, means = measured - reference, (measured + reference) / 2
    figure = create_figure(5.2, 4.0)
    axes = figure.subplots()
    _draw_cases(axes, means, differences)
    axes.axhline(0, color=FAINT, linewidth=0.9, zorder=0.9)
    defined = differences[~np.isnan(differences)]
    if defined.size:
        bias = float(defined.mean())
        _draw_level(axes, bias, f'mean {bias:+.3g}', '-')
    spread = 1.96 * float(defined.std(ddof=1)) if defined.size > 2 else 0.0
    if spread > 0:
        _draw_level(axes, bias + spread, f'+1.96 SD {bias + spread:+.3g}', '--')
        _draw_level(axes, bias - spread, f'-1.96 SD {bias - spread:+.3g}', '--')
    axes.set(
        title=title,
        xlabel=f'mean of reference and prediction ({unit})',
        ylabel=f'prediction minus reference ({unit})',
    )
    greatest = float(np.nanmax(means)) if defined.size else 1.0
    set_scale(axes.xaxis, scale, (0.0, greatest or 1.0))
    return figure


def _draw_cases(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
    first, second = np.asarray(x, float), np.asarray(y, float)
    shown = ~(np.isnan(first) | np.isnan(second))
    many = np.count_nonzero(shown) > 200
    axes.plot(
        first[shown],
        second[shown],
        linestyle='',
        marker='o',
        color=BLUE,
        markersize=3 if many else 5,
        alpha=0.45 if many else 0.75,
        markeredgewidth=0,
        clip_on=False,
        rasterized=np.count_nonzero(shown) > _MAX_VECTOR_POINTS,
    )


def _draw_level(axes: Axes, height: float, text: str, style: str) -> None:
    if math.isnan(height):
        return
    axes.axhline(height, color=INK, linewidth=0.9, linestyle=style, zorder=0.9)
    axes.annotate(
        text,
        (1.0, height),
        xycoords=('axes fraction', 'data'),
        xytext=(-2, 2),
        textcoords='offset points',
        ha='right',
        va='bottom',
        fontsize=7.5,
        color=INK,
        # Points must not hide it.
        bbox={'facecolor': 'white', 'alpha': 0.75, 'linewidth': 0, 'pad': 0.6},
    )
