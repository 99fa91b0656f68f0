"""Masks on an image: image, truth, prediction, and where they differ.

Not here: reading files, choosing cases.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mmmed.visualization.figure import GREEN, ORANGE, SKY, create_figure, use_style

# Blue is the truth, orange the prediction, green where both agree: the same three
# meanings in every panel.
TRUTH_COLOR, PRED_COLOR, BOTH_COLOR = SKY, ORANGE, GREEN
FILL_ALPHA = 0.35
UNKNOWN_SIDES = ('image left', 'image right')

_NICE_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# White marks stay readable on bone and table.
_OUTLINE = [withStroke(linewidth=2, foreground='black')]
# Rows and columns (start, stop) of the part of an image that a panel shows.
Window = tuple[int, int, int, int]


@use_style
def plot_overlay(
    img: NDArray[Any],
    pred: NDArray[Any],
    target: NDArray[Any],
    *,
    title: str = '',
    spacing: Sequence[float] | None = None,
    sides: tuple[str, str] = UNKNOWN_SIDES,
    columns: int = 2,
    ignore_index: int = 255,
) -> Figure:
    """Four panels: image, truth, prediction, and their difference.

    Truth and prediction are contours, so the anatomy stays visible. The last panel
    fills what both share, what was missed and what was invented, and zooms in where
    all of it is small; its frame is then drawn in the first panel.

    Args:
        img: Shape (Y, X) or (Y, X, C), first channel shown. uint8 is shown from 0 to
            255, anything else between its extremes.
        pred: Label map (Y, X), 0 is background.
        target: Reference label map, same shape.
        title: What is shown: case, patient, slice.
        spacing: Pixel size (Y, X) in mm; ``None`` gives a scale bar in pixels.
        sides: Marks of the left and right edge, for instance ``('R', 'L')``. The
            default claims nothing about the patient.
        columns: 2 for a square, 4 for a strip, 1 for a column.
        ignore_index: Target label that was not scored; shown as background.

    Returns:
        The figure, about 2.6 inch per panel.

    Raises:
        ValueError: Shapes do not fit, or ``columns`` is not 1, 2 or 4.
    """
    grey = _check_image(img, pred, target)
    if columns not in (1, 2, 4):
        raise ValueError(f'columns is {columns}, expected 1, 2 or 4')
    scored = target != ignore_index
    truth = np.where(scored, target, 0)
    guess = np.where(scored, pred, 0)
    any_mask = (truth > 0) | (guess > 0)
    rows = 4 // columns
    step = tuple(spacing) if spacing is not None else (1.0, 1.0)
    body = find_window(grey > grey.min() + 0.08 * np.ptp(grey), any_mask)
    whole = widen_window(body, grey.shape, step[0] / step[1])
    detail = find_detail(any_mask, whole)
    ratio = (whole[1] - whole[0]) * step[0] / ((whole[3] - whole[2]) * step[1])
    figure = create_figure(2.6 * columns, 2.6 * rows * ratio + 0.62)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    names = ('image', 'truth', 'prediction', 'difference')
    limits = (0, 255) if grey.dtype == np.uint8 else (grey.min(), grey.max())
    for axis, name in zip(axes, names, strict=True):
        axis.imshow(
            grey,
            cmap='gray',
            vmin=limits[0],
            vmax=limits[1],
            aspect=step[0] / step[1],
            interpolation='nearest',
        )
        window = whole if name != 'difference' else detail
        _show_window(axis, window)
        zoomed = ', zoomed in' if window != whole else ''
        axis.set_title(name + zoomed, fontsize=8, fontweight='normal', pad=3)
        _draw_scale_bar(axis, window, spacing)
    _draw_sides(axes[0], sides)
    _draw_contours(axes[1], truth, TRUTH_COLOR)
    _draw_contours(axes[2], guess, PRED_COLOR)
    _draw_difference(axes[3], guess, truth)
    if detail != whole:
        _draw_frame(axes[0], detail)
    handles = [
        Patch(color=TRUTH_COLOR, label='truth only (missed)'),
        Patch(color=PRED_COLOR, label='predicted only'),
        Patch(color=BOTH_COLOR, label='both'),
    ]
    figure.legend(
        handles=handles, loc='outside lower center', ncols=3, fontsize=7.5,
        handlelength=1, columnspacing=1.2,
    )  # fmt: skip
    figure.suptitle(title, fontsize=9, x=0.01, ha='left')
    return figure


def find_window(*masks: NDArray[np.bool_], margin: int = 8) -> Window:
    """Smallest window that holds every mask, with a margin; whole if all are empty."""
    joined = np.logical_or.reduce(masks)
    if not joined.any():
        return (0, joined.shape[0], 0, joined.shape[1])
    rows, columns = np.flatnonzero(joined.any(1)), np.flatnonzero(joined.any(0))
    return (
        max(0, int(rows[0]) - margin),
        min(joined.shape[0], int(rows[-1]) + 1 + margin),
        max(0, int(columns[0]) - margin),
        min(joined.shape[1], int(columns[-1]) + 1 + margin),
    )


def widen_window(window: Window, shape: tuple[int, ...], aspect: float) -> Window:
    """The window made as square, in mm, as the image allows; panels look alike.

    Args:
        window: Inside the image.
        shape: Rows and columns of the image.
        aspect: Height of a pixel over its width.
    """
    height, width = window[1] - window[0], window[3] - window[2]
    side = max(height * aspect, width)
    top, bottom = _widen(window[0], window[1], shape[0], round(side / aspect))
    left, right = _widen(window[2], window[3], shape[1], round(side))
    return top, bottom, left, right


def _widen(start: int, stop: int, size: int, length: int) -> tuple[int, int]:
    """Grow a range to a length around its centre, inside [0, size)."""
    length = min(max(length, stop - start), size)
    start = min(max((start + stop - length) // 2, 0), size - length)
    return start, start + length


def find_detail(mask: NDArray[np.bool_], whole: Window) -> Window:
    """Window of the shape of ``whole`` around a small mask, or ``whole`` itself.

    At least a quarter of the whole is shown, so that the place can be recognised.
    """
    if not mask.any():
        return whole
    inner = find_window(mask, margin=12)
    height, width = whole[1] - whole[0], whole[3] - whole[2]
    share = max((inner[1] - inner[0]) / height, (inner[3] - inner[2]) / width, 0.25)
    if share > 0.7:
        return whole
    rows, columns = round(height * share), round(width * share)
    top = (inner[0] + inner[1] - rows) // 2
    left = (inner[2] + inner[3] - columns) // 2
    top = min(max(top, whole[0]), whole[1] - rows)
    left = min(max(left, whole[2]), whole[3] - columns)
    return (top, top + rows, left, left + columns)


def _check_image(
    img: NDArray[Any], pred: NDArray[Any], target: NDArray[Any]
) -> NDArray[Any]:
    grey = img[..., 0] if img.ndim == 3 else img
    if grey.ndim != 2 or not grey.shape == pred.shape == target.shape or not grey.size:
        raise ValueError(
            f'img has shape {img.shape}, pred {pred.shape}, target {target.shape}; '
            'expected (Y, X) or (Y, X, C) and label maps (Y, X) of the same size'
        )
    return grey


def _show_window(axis: Axes, window: Window) -> None:
    top, bottom, left, right = window
    axis.set_xlim(left - 0.5, right - 0.5)
    axis.set_ylim(bottom - 0.5, top - 0.5)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw_contours(axis: Axes, labels: NDArray[Any], color: str) -> None:
    for label in np.unique(labels[labels > 0]):
        mask = labels == label
        # A dark line under the coloured one keeps the contour visible on bone.
        axis.contour(mask, [0.5], colors='black', linewidths=2.2, alpha=0.5)
        axis.contour(mask, [0.5], colors=color, linewidths=1.3)


def _draw_difference(axis: Axes, pred: NDArray[Any], target: NDArray[Any]) -> None:
    same = pred == target
    layers = (
        (same & (target > 0), BOTH_COLOR),
        (~same & (pred > 0), PRED_COLOR),
        (~same & (target > 0) & (pred == 0), TRUTH_COLOR),
    )
    fill = np.zeros((*pred.shape, 4), np.uint8)
    for mask, color in layers:
        fill[mask] = np.round(255 * np.array(to_rgba(color, FILL_ALPHA)))
    axis.imshow(fill, aspect=axis.get_aspect(), interpolation='nearest')
    for mask, color in layers:
        if mask.any():
            axis.contour(mask, [0.5], colors=color, linewidths=0.8)


def _draw_frame(axis: Axes, window: Window) -> None:
    top, bottom, left, right = window
    axis.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            right - left,
            bottom - top,
            fill=False,
            edgecolor='white',
            linewidth=0.8,
            linestyle=(0, (3, 2)),
        )
    )


def _draw_sides(axis: Axes, sides: tuple[str, str]) -> None:
    for x, align, text in ((0.01, 'left', sides[0]), (0.99, 'right', sides[1])):
        axis.text(
            x,
            0.99,
            text,
            transform=axis.transAxes,
            ha=align,
            va='top',
            color='white',
            fontsize=7,
            path_effects=_OUTLINE,
        )


def _draw_scale_bar(
    axis: Axes, window: Window, spacing: Sequence[float] | None
) -> None:
    """A bar of a round length, about a fifth of the width, with its length."""
    _, bottom, left, right = window
    pixel = spacing[1] if spacing is not None else 1.0
    width = right - left
    fitting = [length for length in _NICE_LENGTHS if length <= width * pixel / 4]
    length = fitting[-1] if fitting else _NICE_LENGTHS[0]
    pixels = length / pixel
    start = left + 0.03 * width
    line = bottom - 0.03 * (window[1] - window[0])
    axis.plot(
        [start, start + pixels],
        [line, line],
        color='white',
        linewidth=2,
        path_effects=_OUTLINE,
    )
    unit = 'px' if spacing is None else 'mm'
    axis.text(
        start,
        line - 0.015 * (window[1] - window[0]),
        f'{length} {unit}',
        color='white',
        fontsize=7,
        va='bottom',
        path_effects=_OUTLINE,
    )
