"""Pictures of a lesion in its sequences, and of where a classifier looked.

Not here: computing the maps (``mmmed.functional.saliency``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mmmed.visualization.classification_plots import shorten
from mmmed.visualization.figure import SKY, create_figure, use_style
from mmmed.visualization.overlay import (
    _OUTLINE,
    _draw_scale_bar,
    _draw_sides,
)

_PANEL_INCH = 1.55
_ALPHA = 0.4
_TINY = 1e-12


@dataclass(frozen=True)
class SequenceImage:
    """One sequence of a lesion.

    Args:
        name: Of the sequence.
        image: Shape (Z, Y, X).
        spacing: (Z, Y, X) in mm.
        orientation: Letters of the axes; ``'SAR'`` is shown as radiologists see it,
            anything else as it is stored, without a claim about sides.
        box: Bool, (Z, Y, X): where the lesion is said to be; None for nowhere.
        is_available: Whether the case has the sequence.
    """

    name: str
    image: NDArray
    spacing: tuple[float, float, float]
    orientation: str | None = None
    box: NDArray[np.bool_] | None = None
    is_available: bool = True


@use_style
def plot_sequence_montage(
    sequences: Sequence[SequenceImage], *, title: str, per_row: int = 5
) -> Figure:
    """Every sequence at the middle slice, with the box of the lesion.

    Args:
        sequences: All are shown; one that is missing is an empty frame.
        title: What is shown.
        per_row: Pictures side by side.

    Raises:
        ValueError: There are none.
    """
    if not sequences:
        raise ValueError('a montage of no sequences, expected one or more')
    per_row = min(per_row, len(sequences))
    rows = -(-len(sequences) // per_row)
    figure = create_figure(per_row * _PANEL_INCH, rows * (_PANEL_INCH + 0.2) + 0.3)
    axes = figure.subplots(rows, per_row, squeeze=False)
    for axis in axes.flat[len(sequences) :]:
        axis.axis('off')
    for axis, sequence in zip(axes.flat, sequences, strict=False):
        depth = sequence.image.shape[0] // 2
        _draw_slice(axis, sequence, depth)
        axis.set_title(shorten(sequence.name), fontsize=8, fontweight='normal', pad=2)
    figure.suptitle(title, fontsize=9, x=0.01, ha='left')
    return figure


@use_style
def plot_sequence_maps(
    sequence: SequenceImage,
    maps: Mapping[str, tuple[NDArray, float, bool]],
    *,
    depth: int,
) -> Figure:
    """One slice plain, and under each of its maps.

    Args:
        sequence: The image.
        maps: By title: values (Z, Y, X); value of the strongest colour; whether they
            have two signs (orange below 0, purple above) or grow from 0 (yellow).
        depth: Slice.
    """
    count = 1 + len(maps)
    figure = create_figure(count * _PANEL_INCH, _PANEL_INCH + 0.45)
    # Bars have a row of their own, so that all pictures have one size.
    grid = figure.add_gridspec(2, count, height_ratios=(1, 0.05))
    axes = [figure.add_subplot(grid[0, column]) for column in range(count)]
    _draw_slice(axes[0], sequence, depth)
    total = sequence.image.shape[0]
    _set_title(axes[0], f'slice {depth + 1} of {total}')
    for column, (title, (values, top, is_signed)) in enumerate(maps.items(), 1):
        _draw_slice(axes[column], sequence, depth, plain=True)
        turned = _turn(sequence, values[depth])
        shown = _draw_map(axes[column], turned, top, is_signed)
        _set_title(axes[column], title)
        bar = figure.add_subplot(grid[1, column])
        _draw_bar(figure, shown, bar, max(top, _TINY), is_signed)
    return figure


@use_style
def plot_target_maps(
    items: Sequence[tuple[str, SequenceImage, NDArray | None]], *, per_row: int = 4
) -> Figure:
    """The last maps of every target, each over a sequence that it reads.

    Args:
        items: Title, image, and map (Z, Y, X), >= 0, scaled to its own greatest
            value; None where there is none.
        per_row: Pictures side by side.

    Raises:
        ValueError: There are none.
    """
    if not items:
        raise ValueError('maps of no targets, expected one or more')
    per_row = min(per_row, len(items))
    rows = -(-len(items) // per_row)
    figure = create_figure(per_row * _PANEL_INCH, rows * (_PANEL_INCH + 0.35))
    axes = figure.subplots(rows, per_row, squeeze=False)
    for axis in axes.flat[len(items) :]:
        axis.axis('off')
    for axis, (title, sequence, values) in zip(axes.flat, items, strict=False):
        depth = choose_slice(sequence.image.shape[0], values)
        _draw_slice(axis, sequence, depth, plain=values is not None)
        if values is not None:
            top = float(np.nanmax(values, initial=0))
            _draw_map(axis, _turn(sequence, values[depth]), top, False)
        axis.set_title(title, fontsize=7, fontweight='normal', pad=2)
    return figure


def choose_slice(depth: int, *maps: NDArray | None) -> int:
    """Slice of the greatest value of the first map that has any; else the middle.

    Args:
        depth: Number of slices.
        *maps: Shape (Z, Y, X); their size counts, not their sign.
    """
    for values in maps:
        if values is None or not np.isfinite(values).any():
            continue
        size = np.nan_to_num(np.abs(values)).sum((1, 2))
        if size.max() > 0 and len(size) == depth:
            return int(size.argmax())
    return depth // 2


def _turn(sequence: SequenceImage, values: NDArray) -> NDArray:
    """Anterior up and the patient's right to the left, where axes are known."""
    return values[::-1, ::-1] if sequence.orientation == 'SAR' else values


def _draw_slice(
    axis: Axes, sequence: SequenceImage, depth: int, *, plain: bool = False
) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for side in axis.spines.values():
        side.set_visible(False)
    _, height, width = sequence.spacing
    rows, columns = sequence.image.shape[1:]
    if not sequence.is_available:
        axis.set_facecolor('#f1f3f5')
        axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        axis.set_aspect(height / width)
        axis.text(
            0.5, 0.5, 'missing', transform=axis.transAxes, ha='center', va='center',
            color='#666666', fontsize=8,
        )  # fmt: skip
        return
    finite = sequence.image[np.isfinite(sequence.image)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0, 1)
    axis.imshow(
        _turn(sequence, sequence.image[depth]), cmap='gray', vmin=low,
        vmax=max(high, low + 1e-6), aspect=height / width, interpolation='nearest',
    )  # fmt: skip
    if plain:
        return
    if sequence.box is not None and sequence.box[depth].any():
        _draw_box(axis, _turn(sequence, sequence.box[depth]))
    _draw_scale_bar(axis, (0, rows, 0, columns), (height, width))
    if sequence.orientation == 'SAR':
        _draw_sides(axis, ('R', 'L'))


def _draw_box(axis: Axes, box: NDArray[np.bool_]) -> None:
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    frame = Rectangle(
        (columns[0] - 0.5, rows[0] - 0.5), len(columns), len(rows), fill=False,
        edgecolor=SKY, linewidth=1.1, path_effects=_OUTLINE,
    )  # fmt: skip
    axis.add_patch(frame)


def _draw_map(axis: Axes, values: NDArray, top: float, is_signed: bool) -> AxesImage:
    """A map that hides nothing: the stronger, the less transparent."""
    top = max(top, _TINY)
    strength = np.clip(np.nan_to_num(np.abs(values)) / top, 0, 1)
    return axis.imshow(
        np.nan_to_num(values), cmap='PuOr' if is_signed else 'plasma',
        vmin=-top if is_signed else 0, vmax=top, alpha=_ALPHA * strength,
        aspect=axis.get_aspect(), interpolation='nearest',
    )  # fmt: skip


def _draw_bar(
    figure: Figure, shown: AxesImage, axis: Axes, top: float, is_signed: bool
) -> None:
    scale = ScalarMappable(shown.norm, shown.cmap)  # without transparency
    bar = figure.colorbar(scale, cax=axis, orientation='horizontal')
    bar.outline.set_visible(False)  # type: ignore[operator]
    ticks = [-top, 0, top] if is_signed else [0, top]
    bar.set_ticks(ticks, labels=[_format_tick(tick, top) for tick in ticks])
    axis.tick_params(labelsize=6, length=0)
    axis.grid(visible=False)


def _set_title(axis: Axes, text: str) -> None:
    axis.set_title(text, fontsize=7.5, fontweight='normal', pad=2)


def _format_tick(value: float, top: float) -> str:
    if value == 0:
        return '0'
    return f'{value:+.2g}' if 1e-3 <= top < 1e3 else f'{value:+.0e}'
