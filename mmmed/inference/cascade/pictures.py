"""Slices that are pictures: a folder of PNG, JPEG or TIFF files as one volume.

Pictures carry no geometry: their volume has voxels of 1 mm and no orientation that
anyone vouches for. Not here: which plane they show (``settings``).
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.inference.recipe import PICTURE_PLANES
from mmmed.io import read_volume
from mmmed.io.png import squeeze_grey
from mmmed.structures import Volume, VolumeSource

PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')
NOTE = (
    'Pictures carry no geometry: voxels of 1 mm are assumed, so lengths and volumes '
    'count pixels, and the masks claim no place in a patient.'
)
# Grey values between the channels that compression makes of a grey picture.
_GREY_TOLERANCE = 8


def place_pictures(volume: Volume, plane: str) -> Volume:
    """The same pictures with the axes that they are taken to have.

    Args:
        volume: From :func:`read_pictures`.
        plane: Which they show; turned as radiologists look at them.

    Returns:
        A volume of the same array, for measures and previews; for files the one
        without a claim is right.
    """
    axes = np.zeros((4, 4))
    axes[3, 3] = 1
    for axis, letter in enumerate(PICTURE_PLANES[plane]):
        world = next(k for k, pair in enumerate(('RL', 'AP', 'SI')) if letter in pair)
        axes[world, axis] = volume.spacing[axis] * (1 if letter in 'RAS' else -1)
    return Volume(volume.array, volume.spacing, axes, volume.source)


def sort_naturally(paths: Iterable[Path]) -> list[Path]:
    """Files by name, in which numbers count as numbers: 9 comes before 10."""

    def split(path: Path) -> list[tuple[bool, int, str]]:
        parts = re.split(r'([0-9]+)', path.name)
        return [
            (bool(index % 2), int(part) if index % 2 else 0, part)
            for index, part in enumerate(parts)
        ]

    return sorted(paths, key=split)


def read_pictures(paths: Sequence[Path]) -> Volume:
    """One volume of several pictures, or of the pages of one TIFF.

    Args:
        paths: One file a slice, in order.

    Returns:
        Volume (Z, Y, X) of slices, rows, columns.

    Raises:
        ValueError: A file is damaged or coloured, or sizes or types differ.
    """
    pages = [_read_page(path) for path in paths]
    first = pages[0]
    for path, page in zip(paths, pages, strict=True):
        if len(page) > 1 and len(paths) > 1:
            raise ValueError(
                f'{path}: {len(page)} pages beside other pictures; a stack of pages is '
                'a series of its own, put it into a folder of its own'
            )
        if page.shape != first.shape or page.dtype != first.dtype:
            raise ValueError(
                f'{path}: {page.dtype} picture of {page.shape[1:]} pixels (rows, '
                f'columns), but {paths[0].name} is {first.dtype} of {first.shape[1:]}; '
                'the pictures of a folder have to be slices of one series'
            )
    array = np.concatenate(pages)
    place = str(paths[0] if len(paths) == 1 else paths[0].parent)
    source = VolumeSource(place, 'image', array.dtype, notes=(NOTE,))
    return Volume(array, (1.0, 1.0, 1.0), None, source)


def _read_page(path: Path) -> NDArray:
    array = read_volume(path).array
    if array.ndim == 3:
        return array
    pages = [squeeze_grey(page, _GREY_TOLERANCE) for page in np.moveaxis(array, 0, -1)]
    grey = [page for page in pages if page is not None]
    if len(grey) < len(pages):
        raise ValueError(f'{path}: a picture in colours, expected grey values')
    return np.stack(grey)
