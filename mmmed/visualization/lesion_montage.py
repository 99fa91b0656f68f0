"""Montages of synthetic lesions: the same place plain and with its contour.

Not here: making lesions, choosing scans.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmmed.visualization.figure import ORANGE, create_figure, use_style
from mmmed.visualization.overlay import (
    _OUTLINE,
    Window,
    _draw_scale_bar,
    _draw_sides,
    _show_window,
    find_window,
    widen_window,
)

_PANEL_INCH = 1.55
_MARGIN_MM = 14.0
_LESION = 2


@dataclass(frozen=True)
class MontageItem:
    """One scan of a montage.

    Args:
        name: What it is: type and seed.
        image: CT numbers (Z, Y, X), canonical: superior, anterior, right.
        label: 0 outside, 1 organ, 2 lesion.
        spacing: (Z, Y, X) in mm.
    """

    name: str
    image: NDArray
    label: NDArray
    spacing: tuple[float, float, float]


@use_style
def plot_lesion_montage(
    items: Sequence[MontageItem],
    *,
    title: str,
    window_hu: tuple[float, float] = (-60, 180),
    per_row: int = 2,
) -> Figure:
    """Axial plain, axial and coronal with contours, of every scan.

    Slices go through the most lesion; where there is none, through the most organ.
    The patient's right is left in the picture, as radiologists see it.

    Args:
        items: Scans; all are shown.
        title: What is shown; the number of scans is added.
        window_hu: Black and white end.
        per_row: Scans side by side.

    Returns:
        The figure, three panels a scan.

    Raises:
        ValueError: There is nothing to show.
    """
    if not items:
        raise ValueError('a montage of no scans, expected one or more')
    per_row = min(per_row, len(items))
    rows = -(-len(items) // per_row)
    figure = create_figure(
        3 * per_row * _PANEL_INCH, rows * (_PANEL_INCH * 0.86 + 0.2) + 0.5
    )
    axes = figure.subplots(rows, 3 * per_row, squeeze=False)
    for axis in axes.flat:
        axis.axis('off')
    for k, item in enumerate(items):
        first = 3 * (k % per_row)
        _draw_item(list(axes[k // per_row, first : first + 3]), item, window_hu)
    low, high = window_hu
    note = f'n = {len(items)} scans; window {low:g} to {high:g} HU'
    figure.suptitle(f'{title} ({note})', fontsize=9, x=0.01, ha='left')
    return figure


def _draw_item(
    axes: Sequence[Axes], item: MontageItem, window_hu: tuple[float, float]
) -> None:
    shown = item.label == _LESION
    subject = shown if shown.any() else item.label > 0
    z = int(subject.sum((1, 2)).argmax())
    y = int(subject.sum((0, 2)).argmax())
    depth, height, width = item.spacing
    # Anterior and superior up, the patient's right to the left.
    planes = (
        ('axial', item.image[z, ::-1, ::-1], item.label[z, ::-1, ::-1], height),
        ('axial', item.image[z, ::-1, ::-1], item.label[z, ::-1, ::-1], height),
        ('coronal', item.image[::-1, y, ::-1], item.label[::-1, y, ::-1], depth),
    )
    for k, (axis, (plane, image, label, step)) in enumerate(
        zip(axes, planes, strict=True)
    ):
        axis.imshow(
            image, cmap='gray', vmin=window_hu[0], vmax=window_hu[1],
            aspect=step / width, interpolation='nearest',
        )  # fmt: skip
        view = _frame(label, step, width)
        _show_window(axis, view)
        axis.axis('on')
        lesion = label == _LESION
        if k and lesion.any():
            axis.contour(lesion, [0.5], colors='black', linewidths=1.6, alpha=0.5)
            axis.contour(lesion, [0.5], colors=ORANGE, linewidths=0.8)
        if k != 1:
            _draw_scale_bar(axis, view, (step, width))
        if k == 0:
            _draw_sides(axis, ('R', 'L'))
            axis.set_title(item.name, fontsize=7, fontweight='normal', pad=2)
        if k == 2:
            axis.text(
                0.98, 0.98, plane, transform=axis.transAxes, ha='right', va='top',
                color='white', fontsize=6, path_effects=_OUTLINE,
            )  # fmt: skip


def _frame(label: NDArray, step: float, width: float) -> Window:
    """The organ with a margin, about as wide as high."""
    organ = label > 0
    margin = max(2, round(_MARGIN_MM / max(step, width)))
    whole = find_window(organ, margin=margin)
    return widen_window(whole, np.shape(label), step / width)
