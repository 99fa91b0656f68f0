"""Pictures of one series of a spine, for its folder and for the report.

They hold all that the report shows of the image, so that the report can be made again
when the image is gone. Not here: drawing (``mmmed.visualization``), the page.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.files import write_bytes_atomic, write_json_atomic
from mmmed.functional.masks import check_mask
from mmmed.functional.orientation import plan_reorientation
from mmmed.functional.planes import PLANE_AXES, drop_plane_axis, extract_slice
from mmmed.structures.volume import CANONICAL, Volume
from mmmed.visualization.cord_mosaic import (
    DPI,
    CordScene,
    CordTile,
    cut_masks,
    plot_cord_tiles,
)
from mmmed.visualization.figure import encode_figure

SCHEMA_VERSION = 1
INDEX_NAME = 'previews.json'
SLICE_NAME = re.compile(r'slice_\d{3,6}_overlay\.png')
MOSAIC_NAME = re.compile(r'mosaic_(axial|sagittal)_(image|overlay)\.jpg')

MAX_PREVIEWS = 6
_LARGEST = 3
_SAGITTAL_TILES, _AXIAL_TILES, _WHOLE_TILES = 6, 24, 8
_AXIAL_MM, _MARGIN_MM = 36.0, 14.0
_RIM = 0.25
_WIDTH_PX, _MAX_HEIGHT_PX = 1000, 640
_PREVIEW_PX = 760
# Values of the picture: all but these shares, of what lies about the cord.
_PERCENTILES = (0.5, 99.7)
_SIDES = {'axial': 'SI', 'coronal': 'AP', 'sagittal': 'RL'}


def write_previews(
    folder: str | Path,
    volume: Volume,
    cord_mask: ArrayLike | None,
    lesion_mask: ArrayLike | None,
    *,
    slices: Sequence[int] | None = None,
    plane: str | None = None,
) -> list[Path]:
    """Write slices with their contours, and the mosaics of the report.

    Without ``slices`` those with the largest lesion are shown and others evenly
    through the cord, or through the image where no cord is known. All pictures are
    upright: superior or anterior up, the patient's right or front to the left.

    Args:
        folder: Of the pictures; earlier ones in it are replaced.
        volume: The image, shape (Z, Y, X).
        cord_mask: Binary, on the grid of the volume; None where there is none.
        lesion_mask: Likewise.
        slices: Numbers of slices, counted from 0 as the file does; those that the
            image does not have are left out and named in the index.
        plane: Of the slices; by default the one that the image was taken in.

    Returns:
        Files written: ``slice_XXX_overlay.png``, ``mosaic_*.jpg``, ``previews.json``.

    Raises:
        ValueError: The image is not 3-D, or a mask does not fit it.
    """
    folder = Path(folder)
    if volume.array.ndim != 3:
        raise ValueError(
            f'image of shape {volume.array.shape}, expected (Z, Y, X); choose a channel'
        )
    plane = plane or find_plane(volume)
    scene = make_scene(volume, cord_mask, lesion_mask)
    chosen, absent = _choose_slices(scene, volume, plane, slices)
    files: dict[str, bytes] = {}
    shown: list[dict[str, Any]] = []
    for index in chosen:
        number = convert_index(volume, plane, index)
        tile = _make_slice(scene, volume, plane, index)
        name = f'slice_{number:03d}_overlay.png'
        files[name] = _draw(scene, [tile], 'png', _PREVIEW_PX, legend=True)
        cord, lesion = (
            extract_slice(mask, plane, index) for mask in (scene.cord, scene.lesion)
        )
        shown.append(
            {
                'file': name,
                'slice': number,
                'position_mm': _locate(volume, plane, index),
                'cord_pixels': int(np.count_nonzero(cord)),
                'lesion_pixels': int(np.count_nonzero(lesion)),
            }
        )
    mosaics = []
    for name, tiles in (
        ('sagittal', _plan_sagittal(scene, volume)),
        ('axial', _plan_axial(scene, volume)),
    ):
        for kind in ('image', 'overlay'):
            files[f'mosaic_{name}_{kind}.jpg'] = _draw(
                scene, tiles, 'jpg', _WIDTH_PX, overlay=kind == 'overlay'
            )
        numbers = [convert_index(volume, name, tile.index) for tile in tiles]
        with_lesion = sum(bool(cut_masks(scene, tile)[1].any()) for tile in tiles)
        mosaics.append(
            {'plane': name, 'slices': numbers, 'slices_with_lesion': with_lesion}
        )
    _clean(folder, files)
    for name, data in files.items():
        write_bytes_atomic(folder / name, data)
    index_file = folder / INDEX_NAME
    write_json_atomic(
        index_file,
        {
            'schema_version': SCHEMA_VERSION,
            'plane': plane,
            'slices': shown,
            'absent_slices': absent,
            'mosaics': mosaics,
            'limits': list(scene.limits),
            'has_cord': bool(scene.cord.any()),
            'has_lesion': bool(scene.lesion.any()),
        },
    )
    return [*(folder / name for name in files), index_file]


def find_plane(volume: Volume) -> str:
    """The plane that an image was taken in: across its thickest direction.

    Of equally thick directions the one with the fewest slices counts.
    """
    turned = volume.reorient()
    # A tenth: rounding of headers is no thickness.
    thick = max(turned.spacing) / 1.1
    order = [
        (turned.shape[axis], -axis, plane)
        for plane, axis in PLANE_AXES.items()
        if turned.spacing[axis] >= thick
    ]
    return min(order)[-1]


def make_scene(
    volume: Volume, cord_mask: ArrayLike | None, lesion_mask: ArrayLike | None
) -> CordScene:
    """Image and masks turned upright, with the window of grey values."""
    turned = volume.reorient()
    masks = []
    for name, mask in (('cord_mask', cord_mask), ('lesion_mask', lesion_mask)):
        if mask is None:
            masks.append(np.zeros(turned.shape, bool))
            continue
        array = check_mask(mask, name)
        if array.shape != volume.shape:
            raise ValueError(
                f'{name} has shape {array.shape}, the image {volume.shape}; expected '
                'the same grid'
            )
        masks.append(volume.replace_array(array).reorient().array)
    image = np.nan_to_num(turned.array.astype(np.float32), posinf=0, neginf=0)
    limits = _find_limits(image, masks[0], turned.spacing)
    return CordScene(image, masks[0], masks[1], turned.spacing, limits)


def convert_index(volume: Volume, plane: str, index: int) -> int:
    """Number of a slice in the file from the canonical one, and the other way."""
    order, flips = plan_reorientation(volume.orientation, CANONICAL)
    axis = PLANE_AXES[plane]
    return volume.shape[order[axis]] - 1 - index if flips[axis] else index


def spread(first: int, last: int, count: int) -> list[int]:
    """At most ``count`` numbers from first to last, evenly, both included."""
    count = min(count, last - first + 1)
    return [round(value) for value in np.linspace(first, last, count)]


def _find_limits(
    image: NDArray, cord: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[float, float]:
    """Black and white from the values about the cord; of all without a cord."""
    part = image
    if cord.any():
        box = []
        for axis, step in enumerate(spacing):
            held = np.flatnonzero(cord.any(tuple({0, 1, 2} - {axis})))
            margin = round(_MARGIN_MM / step)
            box.append(slice(max(int(held[0]) - margin, 0), int(held[-1]) + margin + 1))
        part = image[tuple(box)]
    values = part[part != 0][:: max(part.size // 500_000, 1)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, _PERCENTILES))
    return low, high if high > low else low + 1


def _choose_slices(
    scene: CordScene, volume: Volume, plane: str, wanted: Sequence[int] | None
) -> tuple[list[int], list[int]]:
    """Canonical indices to show, in order of the file; numbers that do not exist."""
    axis = PLANE_AXES[plane]
    count = scene.image.shape[axis]
    if wanted is not None:
        numbers = list(dict.fromkeys(int(n) for n in wanted))
        held = sorted(n for n in numbers if 0 <= n < count)
        return (
            [convert_index(volume, plane, n) for n in held],
            [n for n in numbers if not 0 <= n < count],
        )
    chosen = choose_indices(scene, axis, MAX_PREVIEWS)
    return sorted(chosen, key=lambda k: convert_index(volume, plane, k)), []


def choose_indices(scene: CordScene, axis: int, count: int) -> list[int]:
    """Slices worth showing: the largest lesions, then evenly through the cord."""
    others = tuple({0, 1, 2} - {axis})
    lesion = np.count_nonzero(scene.lesion, axis=others)
    area = np.count_nonzero(scene.cord | scene.lesion, axis=others)
    # The rim of the cord shows little in a sagittal slice; its ends count in others.
    least = area.max() * _RIM if axis == PLANE_AXES['sagittal'] else 0
    body = np.flatnonzero(area > least)
    size = scene.image.shape[axis]
    # Without a cord the outer slices show little.
    first, last = size // 10, size - 1 - size // 10
    if len(body):
        first, last = int(body[0]), int(body[-1])
    largest = np.argsort(-lesion, kind='stable')[: min(_LARGEST, count)]
    chosen = [int(k) for k in largest if lesion[k]]
    evenly = spread(first, last, count)
    # The most distant from what is shown already goes first.
    while evenly and len(chosen) < count:
        best = max(evenly, key=lambda k: min((abs(k - c) for c in chosen), default=0))
        evenly.remove(best)
        if best not in chosen:
            chosen.append(best)
    return sorted(chosen)


def _make_slice(scene: CordScene, volume: Volume, plane: str, index: int) -> CordTile:
    """A whole slice."""
    height, width = drop_plane_axis(scene.image.shape, plane)
    number = convert_index(volume, plane, index)
    count = scene.image.shape[PLANE_AXES[plane]]
    title = (
        f'{plane} slice {number} (0 to {count - 1}), '
        f'{_describe_place(volume, plane, index)}'
    )
    return CordTile(plane, index, 0, 0, height, width, title)


def _plan_sagittal(scene: CordScene, volume: Volume) -> list[CordTile]:
    """Windows around the whole cord, from the patient's right to the left."""
    mask = scene.cord | scene.lesion
    rows, columns = drop_plane_axis(scene.image.shape, 'sagittal')
    top, left, height, width = 0, 0, rows, columns
    if mask.any():
        shadow = np.flip(mask.any(axis=2))
        top, height = _frame(np.any(shadow, axis=1), scene.spacing[0])
        left, width = _frame(np.any(shadow, axis=0), scene.spacing[1])
    chosen = choose_indices(scene, PLANE_AXES['sagittal'], _SAGITTAL_TILES)[::-1]
    return [
        CordTile('sagittal', k, top, left, height, width,
                 _describe_tile(volume, 'sagittal', k))
        for k in chosen
    ]  # fmt: skip


def _plan_axial(scene: CordScene, volume: Volume) -> list[CordTile]:
    """Squares around the cord of each slice, from the head down."""
    rows, columns = scene.image.shape[1:]
    mask = scene.cord if scene.cord.any() else scene.lesion
    side = [rows, columns]
    if mask.any():
        side = [
            min(max(4, round(_AXIAL_MM / step)), size)
            for step, size in zip(scene.spacing[1:], side, strict=True)
        ]
    tiles = []
    count = _AXIAL_TILES if mask.any() else _WHOLE_TILES
    for k in choose_indices(scene, 0, count)[::-1]:
        top, left = 0, 0
        if mask.any():
            center = np.flip(_find_center(mask, k))
            top, left = (
                _center_window(np.any(center, axis=1 - along), side[along])
                for along in (0, 1)
            )
        title = _describe_tile(volume, 'axial', k)
        tiles.append(CordTile('axial', k, top, left, side[0], side[1], title))
    return tiles


def _find_center(mask: NDArray[np.bool_], index: int) -> NDArray[np.bool_]:
    """The mask of the nearest axial slice that has some."""
    held = np.flatnonzero(mask.any(axis=(1, 2)))
    return np.asarray(mask[held[np.abs(held - index).argmin()]])


def _center_window(held: NDArray[Any], size: int) -> int:
    """Start of a window about the middle of what is set, inside the picture."""
    start = round(float(np.flatnonzero(held).mean()) - (size - 1) / 2)
    return min(max(start, 0), len(held) - size)


def _frame(held: NDArray[Any], step: float) -> tuple[int, int]:
    """Start and length of a window about what is set, inside the picture."""
    places = np.flatnonzero(held)
    margin = round(_MARGIN_MM / step)
    start = max(int(places[0]) - margin, 0)
    return start, min(int(places[-1]) + 1 + margin, len(held)) - start


def _locate(volume: Volume, plane: str, index: int) -> float:
    """Coordinate of the middle of a slice across its plane, RAS+ mm."""
    turned = volume.reorient()
    place = [(size - 1) / 2 for size in turned.shape]
    axis = PLANE_AXES[plane]
    place[axis] = index
    return round(float((turned.grid @ (*place, 1.0))[2 - axis]), 3)


def _describe_place(volume: Volume, plane: str, index: int) -> str:
    value = _locate(volume, plane, index)
    return f'{abs(value):.1f} mm {_SIDES[plane][int(value < 0)]}'


def _describe_tile(volume: Volume, plane: str, index: int) -> str:
    number = convert_index(volume, plane, index)
    return f'{number}: {_describe_place(volume, plane, index)}'


def _draw(
    scene: CordScene,
    tiles: Sequence[CordTile],
    kind: str,
    width: int,
    *,
    overlay: bool = True,
    legend: bool = False,
) -> bytes:
    """A picture no larger than a screen; tiles as large as they can be."""
    pixel = drop_plane_axis(scene.spacing, tiles[0].plane)
    height_mm, width_mm = tiles[0].height * pixel[0], tiles[0].width * pixel[1]
    height = max(_MAX_HEIGHT_PX, width) if len(tiles) == 1 else _MAX_HEIGHT_PX
    scales = [
        min(width / (n * width_mm), height / (-(-len(tiles) // n) * height_mm))
        for n in range(1, len(tiles) + 1)
    ]
    best = max(scales)
    columns = scales.index(best) + 1
    width = round(best * columns * width_mm)
    figure = plot_cord_tiles(
        scene, tiles, columns=columns, width_px=max(width, 160), overlay=overlay,
        legend=legend,
    )  # fmt: skip
    return encode_figure(figure, kind, dpi=DPI)


def _clean(folder: Path, kept: Iterable[str]) -> None:
    """Remove pictures of an earlier run that this one does not replace."""
    kept = set(kept)
    for path in sorted(folder.glob('*')):
        if SLICE_NAME.fullmatch(path.name) and path.name not in kept:
            path.unlink()
