"""Slices of a spine side by side: plain, and with the contours of cord and lesions.

A plain picture and its overlay have the same pixels in the same places, so that a page
can flicker between them. Not here: choosing slices, writing files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mmmed.functional.planes import drop_plane_axis, extract_slice
from mmmed.visualization.figure import ORANGE, SKY, use_style

CORD_COLOR, LESION_COLOR = SKY, ORANGE
FILL_ALPHA = 0.35
# Dots per inch that all sizes here are thought in.
DPI = 100
# Left, right, top and bottom edge of a slice as it is shown: superior or anterior up,
# the patient's right or front to the left.
EDGES = {
    'axial': ('R', 'L', 'A', 'P'),
    'coronal': ('R', 'L', 'S', 'I'),
    'sagittal': ('A', 'P', 'S', 'I'),
}
# Mean width of a letter of the title.
_LETTER_PX = 5.8
_BARS_MM = (2, 5, 10, 20, 50, 100, 200)
_OUTLINE = [withStroke(linewidth=2.2, foreground='black')]


@dataclass(frozen=True, eq=False)
class CordScene:
    """What the pictures of one series are made of; all canonical, axes (S, A, R).

    Args:
        image: Shape (Z, Y, X).
        cord: Binary mask, same shape.
        lesion: Likewise.
        spacing: (Z, Y, X) in mm.
        limits: Values shown black and white.
    """

    image: NDArray
    cord: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    limits: tuple[float, float]

    @property
    def has_mask(self) -> bool:
        """Whether there is anything to draw but the image."""
        return bool(self.cord.any() or self.lesion.any())


@dataclass(frozen=True)
class CordTile:
    """One slice, or a window of it, as it is shown.

    Args:
        plane: ``'axial'``, ``'coronal'`` or ``'sagittal'``.
        index: Slice on the canonical grid.
        top: First row of the window, counted in the picture from its upper edge; may
            lie outside, what is not there is black.
        left: First column, from the left edge of the picture.
        height: Rows.
        width: Columns.
        title: Where it is.
    """

    plane: str
    index: int
    top: int
    left: int
    height: int
    width: int
    title: str = ''


@use_style
def plot_cord_tiles(
    scene: CordScene,
    tiles: Sequence[CordTile],
    *,
    columns: int,
    width_px: int = 1000,
    overlay: bool = True,
    legend: bool = False,
) -> Figure:
    """Tiles of one plane in rows, read from left to right.

    The first tile carries the letters of the sides and the scale bar.

    Args:
        scene: The series.
        tiles: At least one; all of one plane, height and width.
        columns: Tiles in a row.
        width_px: Width of the picture when it is encoded with ``DPI``.
        overlay: Whether the contours are drawn.
        legend: Whether a strip below says what the colours are.

    Returns:
        The figure; the same size with and without overlay.

    Raises:
        ValueError: No tiles, or they differ in plane or size.
    """
    if not tiles or len({(t.plane, t.height, t.width) for t in tiles}) != 1:
        raise ValueError('expected one or more tiles of one plane and one size')
    first = tiles[0]
    pixel = drop_plane_axis(scene.spacing, first.plane)
    height, width = first.height * pixel[0], first.width * pixel[1]
    gap = 0.012 * max(height, width)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    full = (rows * (height + gap) - gap, columns * (width + gap) - gap)
    scale = width_px / full[1] / DPI
    strip = 0.3 if legend else 0.0
    # Without a layout to find, nothing is drawn twice.
    figure = Figure(figsize=(width_px / DPI, full[0] * scale + strip))
    FigureCanvasAgg(figure)
    share = strip / (full[0] * scale + strip)
    axis = figure.add_axes((0, share, 1, 1 - share))
    axis.set_axis_off()
    axis.set_xlim(0, full[1])
    axis.set_ylim(full[0], 0)
    # Of the lines: what is thin in a large picture hides a small one.
    line = min(max(0.8 * width * scale, 0.9), 1.4)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        corner = row * (height + gap), column * (width + gap)
        _draw_tile(axis, scene, tile, corner, pixel, overlay, line)
        _draw_title(axis, tile.title, corner, width, scale * DPI)
    # The line of the title is kept free.
    below = 13 / DPI / scale if first.title else 0.0
    _draw_edges(axis, first.plane, (height, width), below)
    _draw_bar(axis, (height, width))
    if legend:
        _draw_legend(figure, share)
    return figure


def _draw_tile(
    axis: Axes,
    scene: CordScene,
    tile: CordTile,
    corner: tuple[float, float],
    pixel: tuple[float, float],
    overlay: bool,
    line: float,
) -> None:
    top, left = corner
    size = tile.height * pixel[0], tile.width * pixel[1]
    area = (left, left + size[1], top + size[0], top)
    image = _cut(scene.image, tile, scene.limits[0])
    low, high = scene.limits
    axis.imshow(
        image, cmap='gray', vmin=low, vmax=high, extent=area, aspect='auto',
        interpolation='bilinear',
    )  # fmt: skip
    if overlay:
        cord, lesion = (_cut(mask, tile, 0) for mask in (scene.cord, scene.lesion))
        fill = np.zeros((*lesion.shape, 4))
        fill[lesion] = to_rgba(LESION_COLOR, FILL_ALPHA)
        if lesion.any():
            axis.imshow(fill, extent=area, aspect='auto', interpolation='nearest')
        _outline(axis, cord, corner, pixel, CORD_COLOR, line)
        _outline(axis, lesion, corner, pixel, LESION_COLOR, line)


def _draw_title(
    axis: Axes, title: str, corner: tuple[float, float], width: float, scale: float
) -> None:
    """Where a tile is; in a narrow one only what stands before the colon."""
    if len(title) * _LETTER_PX > width * scale:
        title = title.partition(':')[0]
    axis.text(
        corner[1] + 3 / scale, corner[0] + 2 / scale, title, color='white',
        fontsize=7, va='top', path_effects=_OUTLINE,
    )  # fmt: skip


def cut_masks(scene: CordScene, tile: CordTile) -> tuple[NDArray, NDArray]:
    """Cord and lesion in a tile, as they are shown."""
    return _cut(scene.cord, tile, 0), _cut(scene.lesion, tile, 0)


def _cut(volume: NDArray, tile: CordTile, fill: float) -> NDArray:
    """The window of a tile, turned for the eye; ``fill`` beyond the image."""
    shown = extract_slice(volume, tile.plane, tile.index)[::-1, ::-1]
    result = np.full((tile.height, tile.width), fill, shown.dtype)
    parts = []
    for start, count, size in zip(
        (tile.top, tile.left), (tile.height, tile.width), shown.shape, strict=True
    ):
        stop = min(start + count, size)
        begin = min(max(start, 0), stop)
        parts.append((slice(begin, stop), slice(begin - start, stop - start)))
    (rows, to_rows), (columns, to_columns) = parts
    if rows.stop > rows.start and columns.stop > columns.start:
        result[to_rows, to_columns] = shown[rows, columns]
    return result


def _outline(
    axis: Axes,
    mask: NDArray[np.bool_],
    corner: tuple[float, float],
    pixel: tuple[float, float],
    color: str,
    line: float,
) -> None:
    """The edges of the pixels of a mask: what was marked, not a smoothed guess."""
    lines = find_edges(mask)
    if not len(lines):
        return
    # From (row, column) to (x, y) in mm.
    lines = lines[..., ::-1] * np.array(pixel[::-1]) + np.array(corner[::-1])
    for shade, width, alpha in (('black', 2.2 * line, 0.45), (color, line, 1.0)):
        axis.add_collection(
            LineCollection(
                lines, colors=shade, linewidths=width, alpha=alpha,
                capstyle='projecting',
            ),
            autolim=False,
        )  # fmt: skip


def find_edges(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Border of a mask as straight lines along the edges of its pixels.

    Args:
        mask: Shape (Y, X).

    Returns:
        Shape (L, 2, 2): both ends (row, column) of each line; pixel (0, 0) lies
        between 0 and 1. Collinear neighbours are one line.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    lines = []
    for across in (0, 1):
        change = np.diff(padded, axis=across)
        # Rows of ``change`` run along the edges.
        table = change if across == 0 else change.T
        # Nothing begins or ends in the padding. A sign keeps apart the edges of two
        # pixels that meet at a corner.
        for sign in (1, -1):
            steps = np.diff((table == sign).astype(np.int8), axis=1, prepend=0)
            place, begin = np.nonzero(steps == 1)
            _, end = np.nonzero(steps == -1)
            # The padding is one pixel before the first.
            ends = np.stack(
                [np.stack([place, begin - 1], 1), np.stack([place, end - 1], 1)], 1
            )
            lines.append(ends if across == 0 else ends[..., ::-1])
    return np.concatenate(lines).astype(np.float64)


def _draw_edges(
    axis: Axes, plane: str, size: tuple[float, float], below: float
) -> None:
    height, width = size
    left, right, top, bottom = EDGES[plane]
    for x, y, text, across, along in (
        (0.015, 0.5, left, 'left', 'center'),
        (0.985, 0.5, right, 'right', 'center'),
        (0.5, 0.015 + below / height, top, 'center', 'top'),
        (0.5, 0.985, bottom, 'center', 'bottom'),
    ):
        axis.text(
            x * width, y * height, text, ha=across, va=along, color='white',
            fontsize=8, fontweight='bold', path_effects=_OUTLINE,
        )  # fmt: skip


def _draw_bar(axis: Axes, size: tuple[float, float]) -> None:
    """A bar of a round length, at most a third of the tile."""
    height, width = size
    fitting = [length for length in _BARS_MM if length <= width / 3]
    length = fitting[-1] if fitting else _BARS_MM[0]
    left, bottom = 0.04 * width, 0.95 * height
    axis.plot(
        [left, left + length], [bottom, bottom], color='white', linewidth=2,
        solid_capstyle='butt', path_effects=_OUTLINE,
    )  # fmt: skip
    axis.text(
        left, bottom - 0.012 * height, f'{length} mm', color='white', fontsize=7,
        va='bottom', path_effects=_OUTLINE,
    )  # fmt: skip


def _draw_legend(figure: Figure, share: float) -> None:
    axis = figure.add_axes((0, 0, 1, share))
    axis.set_axis_off()
    axis.set_xlim(0, figure.get_figwidth())
    axis.set_ylim(0, 1)
    for left, color, alpha, text in (
        (0.1, CORD_COLOR, 0.0, 'spinal cord'),
        (1.3, LESION_COLOR, FILL_ALPHA, 'lesion'),
    ):
        axis.add_patch(
            Rectangle(
                (left, 0.3), 0.16, 0.42, edgecolor=color, linewidth=1.5,
                facecolor=to_rgba(color, alpha),
            )
        )  # fmt: skip
        axis.text(left + 0.23, 0.5, text, va='center', fontsize=8)
