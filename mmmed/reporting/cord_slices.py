"""Which slices of a spine are worth showing, what part of them, and where they are.

Not here: drawing and writing them (``cord_previews``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.orientation import plan_reorientation
from mmmed.functional.planes import PLANE_AXES, drop_plane_axis
from mmmed.structures.volume import CANONICAL, Volume
from mmmed.visualization.cord_mosaic import CordScene, CordTile

MAX_PREVIEWS = 6
# Of these slots, those for the slices with the largest lesion.
_LARGEST = 3
_SAGITTAL_TILES, _AXIAL_TILES, _WHOLE_TILES = 6, 24, 8
_AXIAL_MM, MARGIN_MM = 36.0, 14.0
# Sagittal slices with less than this share of the largest section are its rim.
_RIM = 0.25
_SIDES = {'axial': 'SI', 'coronal': 'AP', 'sagittal': 'RL'}


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


def convert_index(volume: Volume, plane: str, index: int) -> int:
    """Number of a slice in the file from the canonical one, and the other way."""
    order, flips = plan_reorientation(volume.orientation, CANONICAL)
    axis = PLANE_AXES[plane]
    return volume.shape[order[axis]] - 1 - index if flips[axis] else index


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


def spread(first: int, last: int, count: int) -> list[int]:
    """At most ``count`` numbers from first to last, evenly, both included."""
    count = min(count, last - first + 1)
    return [round(value) for value in np.linspace(first, last, count)]


def choose_slices(
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


def make_slice_tile(
    scene: CordScene, volume: Volume, plane: str, index: int
) -> CordTile:
    """A whole slice."""
    height, width = drop_plane_axis(scene.image.shape, plane)
    number = convert_index(volume, plane, index)
    count = scene.image.shape[PLANE_AXES[plane]]
    title = (
        f'{plane} slice {number} (0 to {count - 1}), '
        f'{_describe_place(volume, plane, index)}'
    )
    return CordTile(plane, index, 0, 0, height, width, title)


def plan_sagittal(scene: CordScene, volume: Volume) -> list[CordTile]:
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


def plan_axial(scene: CordScene, volume: Volume) -> list[CordTile]:
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


def locate_slice(volume: Volume, plane: str, index: int) -> float:
    """Coordinate of the middle of a slice across its plane, RAS+ mm."""
    turned = volume.reorient()
    place = [(size - 1) / 2 for size in turned.shape]
    axis = PLANE_AXES[plane]
    place[axis] = index
    return round(float((turned.grid @ (*place, 1.0))[2 - axis]), 3)


def _describe_place(volume: Volume, plane: str, index: int) -> str:
    value = locate_slice(volume, plane, index)
    return f'{abs(value):.1f} mm {_SIDES[plane][int(value < 0)]}'


def _describe_tile(volume: Volume, plane: str, index: int) -> str:
    number = convert_index(volume, plane, index)
    return f'{number}: {_describe_place(volume, plane, index)}'


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
    margin = round(MARGIN_MM / step)
    start = max(int(places[0]) - margin, 0)
    return start, min(int(places[-1]) + 1 + margin, len(held)) - start
