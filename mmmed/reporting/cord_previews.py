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
from mmmed.functional.planes import drop_plane_axis, extract_slice
from mmmed.reporting.cord_slices import (
    MARGIN_MM,
    choose_slices,
    convert_index,
    find_plane,
    locate_slice,
    make_slice_tile,
    plan_axial,
    plan_sagittal,
)
from mmmed.structures.volume import Volume
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

_WIDTH_PX, _MAX_HEIGHT_PX = 920, 600
_PREVIEW_PX = 760
# Values of the picture: all but these shares, of what lies about the cord.
_PERCENTILES = (0.5, 99.7)


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
    chosen, absent = choose_slices(scene, volume, plane, slices)
    files: dict[str, bytes] = {}
    shown: list[dict[str, Any]] = []
    for index in chosen:
        number = convert_index(volume, plane, index)
        tile = make_slice_tile(scene, volume, plane, index)
        name = f'slice_{number:03d}_overlay.png'
        files[name] = _draw(scene, [tile], 'png', _PREVIEW_PX, legend=True)
        cord, lesion = (
            extract_slice(mask, plane, index) for mask in (scene.cord, scene.lesion)
        )
        shown.append(
            {
                'file': name,
                'slice': number,
                'position_mm': locate_slice(volume, plane, index),
                'cord_pixels': int(np.count_nonzero(cord)),
                'lesion_pixels': int(np.count_nonzero(lesion)),
            }
        )
    mosaics = []
    for name, tiles in (
        ('sagittal', plan_sagittal(scene, volume)),
        ('axial', plan_axial(scene, volume)),
    ):
        # Without a mask there is nothing to lay over.
        kinds = ('image', 'overlay') if scene.has_mask else ('image',)
        for kind in kinds:
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


def _find_limits(
    image: NDArray, cord: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[float, float]:
    """Black and white from the values about the cord; of all without a cord."""
    part = image
    if cord.any():
        box = []
        for axis, step in enumerate(spacing):
            held = np.flatnonzero(cord.any(tuple({0, 1, 2} - {axis})))
            margin = round(MARGIN_MM / step)
            box.append(slice(max(int(held[0]) - margin, 0), int(held[-1]) + margin + 1))
        part = image[tuple(box)]
    values = part[part != 0][:: max(part.size // 500_000, 1)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, _PERCENTILES))
    return low, high if high > low else low + 1


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
        is_ours = SLICE_NAME.fullmatch(path.name) or MOSAIC_NAME.fullmatch(path.name)
        if is_ours and path.name not in kept:
            path.unlink()
