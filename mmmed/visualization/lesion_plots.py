"""Plots of lesion sizes: whole distributions with their strata, and where lesions lie.

Not here: counting (``mmmed.preparation.lesion_tables``), which plots make a page.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)
from numpy.typing import ArrayLike, NDArray

from mmmed.visualization.figure import (
    BLUE,
    FAINT,
    INK,
    SERIES_COLORS,
    create_figure,
    use_style,
)
from mmmed.visualization.plots import estimate_density

# Above this many points an SVG gets slow; the points alone become an image.
_MAX_VECTOR_POINTS = 800


@use_style
def plot_size_strata(
    sizes: ArrayLike,
    strata: Mapping[str, int],
    edges: Sequence[float],
    *,
    title: str,
    xlabel: str,
    counted: str,
) -> Figure:
    """Every size on a logarithmic axis above its strata; below, how many each holds.

    Args:
        sizes: Shape (n,); values <= 0 are left out.
        strata: Name to number of entries, small sizes first.
        edges: Inner edges of the strata, in the unit of ``sizes``.
        title: What is shown; the number of sizes is added.
        xlabel: Size with unit.
        counted: What an entry is, plural: 'subjects'.

    Returns:
        Figure of 5.2 x 4.6 inch.
    """
    values = np.asarray(sizes, float)
    values = np.sort(values[values > 0])
    figure = create_figure(5.2, 4.6)
    cloud, bars = figure.subplots(2, 1, height_ratios=(1.15, 1))
    cloud.set_title(f'{title} (n = {values.size:,})')
    if values.size:
        low, median, high = np.percentile(values, [25, 50, 75])
        xlabel += f': median {median:,.0f}, quartiles {low:,.0f} and {high:,.0f}'
    # To the right: the long names of the strata leave room at the left only.
    cloud.set_xlabel(xlabel, loc='right')
    _draw_sizes(cloud, values, edges)
    _draw_counts(bars, strata, counted)
    return figure


def _draw_sizes(
    axis: Axes, values: NDArray[np.float64], edges: Sequence[float]
) -> None:
    axis.set_xscale('log')
    axis.set_yticks([])
    axis.set_ylim(-0.62, 1.12)
    axis.grid(visible=False)
    for name in ('left', 'bottom'):
        axis.spines[name].set_visible(name == 'bottom')
    low = min([*values[:1], *edges], default=1.0)
    high = max([*values[-1:], *edges], default=10.0)
    limits = (low / 1.4, high * 1.4)
    bounds = [limits[0], *edges, limits[1]]
    for number, (left, right) in enumerate(pairwise(bounds)):
        # Bands alternate, so that strata are seen without colour.
        if number % 2:
            axis.axvspan(left, right, color='#f0f0f0', lw=0, zorder=0)
    logs = np.log10(values)
    if np.unique(values).size >= 5:
        ends = float(np.log10(limits[0])), float(np.log10(limits[1]))
        grid = np.linspace(*ends, 300)
        density = estimate_density(logs, grid, ends)
        height = density / density.max()
        axis.fill_between(10**grid, height, color=BLUE, alpha=0.4, lw=0)
    if values.size:
        # The golden ratio spreads neighbours evenly and needs no random numbers.
        jitter = (np.arange(values.size) * 0.6180339887) % 1
        axis.plot(
            values,
            -0.2 - 0.36 * jitter,
            'o',
            color=BLUE,
            markersize=3 if values.size < 300 else 1.2,
            alpha=0.7 if values.size < 300 else 0.25,
            markeredgewidth=0,
            rasterized=values.size > _MAX_VECTOR_POINTS,
        )
        quarter, median, third = np.percentile(values, [25, 50, 75])
        axis.plot([quarter, third], [-0.09, -0.09], color=INK, lw=4, alpha=0.4)
        axis.plot(median, -0.09, '|', color=INK, markersize=13, markeredgewidth=2)
    axis.set_xlim(*limits)
    subs = (1, 3) if limits[1] / limits[0] < 3000 else (1,)
    axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.xaxis.set_minor_locator(NullLocator())
    # Plain numbers: powers of ten would need formulas, which are off for safety.
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,g}'))


def _draw_counts(axis: Axes, strata: Mapping[str, int], counted: str) -> None:
    """A bar for each stratum with its number and share."""
    counts = list(strata.values())
    total, places = sum(counts), np.arange(len(counts))
    axis.barh(-places, counts, height=0.68, color=BLUE, alpha=0.75)
    for place, count in zip(places, counts, strict=True):
        share = f' ({count / total:.1%})' if total else ''
        axis.annotate(
            f'{count:,}{share}',
            (count, -place),
            xytext=(4, 0),
            textcoords='offset points',
            va='center',
            fontsize=8,
        )
    axis.set_yticks(-places, list(strata))
    axis.tick_params(axis='y', length=0)
    axis.grid(axis='y', visible=False)
    axis.set_xlim(0, 1.28 * max([*counts, 1]))
    axis.set_xlabel(counted)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))


@use_style
def plot_lesion_profile(
    profiles: Mapping[str, tuple[ArrayLike, ArrayLike]], *, title: str, ylabel: str
) -> Figure:
    """Share of subjects with a lesion on each slice, one line a plane.

    Args:
        profiles: Plane to positions (n,) in mm from the first slice, and shares (n,)
            in [0, 1].
        title: What is shown.
        ylabel: With unit.

    Returns:
        Figure of 5.2 x 3.1 inch.
    """
    figure = create_figure(5.2, 3.1)
    axis = figure.subplots()
    for index, (name, (positions, shares)) in enumerate(profiles.items()):
        x, y = np.asarray(positions, float), np.asarray(shares, float)
        color = SERIES_COLORS[index % len(SERIES_COLORS)]
        dashes = ('-', '--', ':')[index % 3]
        axis.plot(x, y, color=color, linestyle=dashes, label=name)
    axis.set(title=title, xlabel='position along the axis (mm)', ylabel=ylabel)
    axis.set_ylim(0, None)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:.0%}'))
    if profiles:
        axis.legend(loc='best')
    else:
        axis.text(0.5, 0.5, 'no slices', color=FAINT, transform=axis.transAxes)
    return figure
