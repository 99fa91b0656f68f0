"""Plots of classifiers: confusion matrix, ROC curves, reliability, matrices of numbers.

Not here: computing what is shown (``mmmed.functional``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmmed.visualization.figure import (
    BLUE,
    FAINT,
    SERIES_COLORS,
    create_figure,
    use_style,
)

# Orange below zero, purple above: told apart by every eye.
_DIVERGING = 'PuOr'
_LONGEST = 18
_MAX_CURVES = len(SERIES_COLORS)


@use_style
def plot_confusion(counts: ArrayLike, classes: Sequence[str], *, title: str) -> Figure:
    """Confusion matrix: numbers of cases, shaded by their share of the true class.

    Args:
        counts: Shape (K, K), true class in rows.
        classes: Names.
        title: What is shown.
    """
    table = np.asarray(counts, float)
    total = table.sum(1, keepdims=True)
    share = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
    side = 1.9 + 0.45 * len(classes)
    figure = create_figure(max(side, 3.6), max(side - 0.3, 2.6))
    axis = figure.subplots()
    axis.imshow(share, cmap='Blues', vmin=0, vmax=1, aspect='equal')
    for (row, column), count in np.ndenumerate(table):
        color = 'white' if share[row, column] > 0.55 else '#222222'
        axis.text(column, row, f'{count:g}', ha='center', va='center', color=color)
    _name_axes(axis, classes, classes)
    axis.set(title=title, xlabel='predicted', ylabel='true')
    return figure


@use_style
def plot_roc(
    curves: Mapping[str, tuple[NDArray, NDArray, float]], *, title: str
) -> Figure:
    """Receiver operating characteristic of each class against the rest.

    Args:
        curves: By class: false positive rate, true positive rate, and area. More than
            seven are not told apart by colour; the first are shown.
        title: What is shown.
    """
    figure = create_figure(4.6, 3.9)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls='--')
    shown = list(curves.items())[:_MAX_CURVES]
    for (name, (wrong, right, area)), color in zip(shown, SERIES_COLORS, strict=False):
        axis.plot(
            wrong, right, color=color, drawstyle='default',
            label=f'{shorten(name)} ({area:.2f})',
        )  # fmt: skip
    axis.set(
        title=title, xlabel='false positive rate', ylabel='true positive rate',
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect='equal',
    )  # fmt: skip
    if shown:
        axis.legend(title='class (AUC)', loc='lower right', title_fontsize=8)
    return figure


@use_style
def plot_reliability(points: Sequence[Mapping[str, float]], *, title: str) -> Figure:
    """How often the most probable class was right, against how probable it was.

    Args:
        points: Of :func:`mmmed.functional.calibration.list_reliability`.
        title: What is shown.
    """
    figure = create_figure(4.6, 3.9)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls='--')
    x = [point['confidence'] for point in points]
    y = [point['accuracy'] for point in points]
    most = max((point['n'] for point in points), default=1)
    axis.plot(x, y, color=BLUE, lw=1)
    sizes = [20 + 160 * point['n'] / most for point in points]
    axis.scatter(x, y, sizes, color=BLUE, alpha=0.75, zorder=3)
    for point in points:
        axis.annotate(
            f'{point["n"]:g}', (point['confidence'], point['accuracy']),
            xytext=(0, 9), textcoords='offset points', ha='center', fontsize=7,
        )  # fmt: skip
    axis.set(
        title=title, xlabel='probability of the predicted class',
        ylabel='share that was right', xlim=(0, 1.03), ylim=(-0.05, 1.1),
    )  # fmt: skip
    return figure


@use_style
def plot_matrix(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    xlabel: str = '',
    ylabel: str = '',
    limit: float | None = None,
    is_share: bool = False,
    marked: Sequence[int] = (),
) -> Figure:
    """Numbers in coloured cells: orange below 0, purple above, or shares in blue.

    Args:
        values: Shape (R, C); NaN is a dash.
        rows: Names of rows.
        columns: Names of columns.
        title: What is shown.
        xlabel: Of the columns.
        ylabel: Of the rows.
        limit: Value of the strongest colour; None for the greatest there is.
        is_share: Values from 0 to 1.
        marked: Rows whose name is bold.

    Raises:
        ValueError: Names do not fit the values.
    """
    table = np.asarray(values, float)
    if table.shape != (len(rows), len(columns)):
        raise ValueError(
            f'values {table.shape} for {len(rows)} rows and {len(columns)} columns'
        )
    size = np.abs(table[np.isfinite(table)])
    top = limit or max(float(size.max(initial=0)), 1e-9)
    longest = max((len(shorten(name)) for name in rows), default=0)
    figure = create_figure(
        1.0 + 0.075 * longest + 0.52 * len(columns), 1.3 + 0.27 * len(rows)
    )
    axis = figure.subplots()
    low = 0 if is_share else -top
    axis.imshow(
        table, cmap='Blues' if is_share else _DIVERGING, vmin=low, vmax=top,
        aspect='auto',
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(table):
        text = '–' if np.isnan(value) else _format(value, is_share)  # noqa: RUF001
        strong = np.isfinite(value) and abs(value) > 0.6 * top
        axis.text(
            column, row, text, ha='center', va='center', fontsize=7,
            color='white' if strong else '#222222',
        )  # fmt: skip
    _name_axes(axis, rows, columns)
    for row in marked:
        axis.get_yticklabels()[row].set_fontweight('bold')
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure


@use_style
def plot_routing(
    routing: Mapping[str, Sequence[str]], sequences: Sequence[str], *, title: str
) -> Figure:
    """Which sequence each target reads: a dot for yes.

    Args:
        routing: Names of sequences by target.
        sequences: Names of all sequences.
        title: What is shown.
    """
    figure = create_figure(1.9 + 0.42 * len(sequences), 1.3 + 0.27 * len(routing))
    axis = figure.subplots()
    for row, names in enumerate(routing.values()):
        places = [k for k, name in enumerate(sequences) if name in names]
        if places:
            axis.plot([min(places), max(places)], [row, row], color=BLUE, lw=1.2)
        axis.scatter(places, [row] * len(places), 45, color=BLUE, zorder=3)
    _name_axes(axis, list(routing), sequences)
    axis.set(
        title=title, xlim=(-0.6, len(sequences) - 0.4), ylim=(len(routing) - 0.5, -0.5),
        xlabel='sequence', ylabel='target',
    )  # fmt: skip
    axis.grid(visible=True)
    return figure


def shorten(name: str, longest: int = _LONGEST) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= longest else name[: longest - 1] + '…'


def _format(value: float, is_share: bool) -> str:
    if is_share:
        return f'{value:.2f}'
    text = f'{value:+.2f}'
    return '0' if text in ('+0.00', '-0.00') else text


def _name_axes(axis: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    steep: dict[str, Any] = {}
    if max((len(shorten(name)) for name in columns), default=0) > 4:
        steep = {'rotation': 40, 'ha': 'right', 'rotation_mode': 'anchor'}
    axis.set_xticks(range(len(columns)), [shorten(n) for n in columns], **steep)
    axis.set_yticks(range(len(rows)), [shorten(name) for name in rows])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for side in axis.spines.values():
        side.set_visible(False)
