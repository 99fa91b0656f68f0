"""How many cases of each class there are, and which sequences they have.

Not here: counting (``mmmed.preparation.roi_tables``).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmmed.visualization.figure import FAINT, SERIES_COLORS, create_figure, use_style

_COLUMNS = 3
_MOST_TARGETS = 24


@use_style
def plot_class_counts(
    counts: Mapping[str, Mapping[str, Mapping[str, int]]], *, title: str
) -> Figure:
    """Cases of each class of each target, one panel a target, stacked by part.

    Args:
        counts: Cases by class by target by part, e.g. ``counts['train']['type']``.
        title: What is shown.

    Returns:
        Figure, 7.2 inch wide.

    Raises:
        ValueError: There is no part.
    """
    if not counts:
        raise ValueError('no part to show, expected one or more')
    targets = list(next(iter(counts.values())))[:_MOST_TARGETS]
    rows = max(-(-len(targets) // _COLUMNS), 1)
    figure = create_figure(7.2, 1.0 + 1.6 * rows)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis, target in zip(axes, targets, strict=False):
        names = list(next(iter(counts.values()))[target])
        left = np.zeros(len(names))
        for (part, found), color in zip(counts.items(), SERIES_COLORS, strict=False):
            values = np.array([found[target][name] for name in names], float)
            axis.barh(names, values, left=left, color=color, label=part, height=0.7)
            left += values
        for place, total in enumerate(left.tolist()):
            axis.text(total, place, f' {total:g}', va='center', fontsize=6)
        axis.set(title=target, xlim=(0, 1.2 * max(left.max(initial=1), 1)))
        axis.invert_yaxis()
        axis.tick_params(labelsize=7)
    for axis in axes[len(targets) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=6, loc='lower right')
    figure.supxlabel('cases', fontsize=8)
    figure.suptitle(title, fontsize=9, x=0.01, ha='left')
    return figure


@use_style
def plot_availability(
    present: ArrayLike, sequences: Sequence[str], *, title: str
) -> Figure:
    """Which sequences each case has; cases in the order of their number.

    Args:
        present: Boolean, (n cases, S sequences).
        sequences: Names.
        title: What is shown; n is added.

    Returns:
        Figure, 7.2 inch wide.
    """
    table = np.asarray(present, bool).reshape(-1, len(sequences))
    order = np.argsort(-table.sum(axis=1), kind='stable')
    figure = create_figure(7.2, 1.0 + 0.2 * len(sequences))
    axis = figure.subplots()
    axis.imshow(
        table[order].T, aspect='auto', interpolation='nearest', cmap='Blues', vmin=0,
        vmax=1.4,
    )  # fmt: skip
    shares = table.mean(axis=0) if len(table) else np.zeros(len(sequences))
    labels = [f'{n} ({s:.0%})' for n, s in zip(sequences, shares, strict=True)]
    axis.set_yticks(range(len(sequences)), labels, fontsize=7)
    axis.set_xlabel('cases, those with most sequences first', fontsize=8)
    axis.grid(visible=False)
    if not len(table):
        axis.text(0, 0, 'no case', color=FAINT)
    figure.suptitle(f'{title} (n = {len(table):,})', fontsize=9, x=0.01, ha='left')
    return figure
