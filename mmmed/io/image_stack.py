"""PNG, JPEG and (multi-page) TIFF files as volumes; they carry no patient geometry.

Slices of prepared folders are read as plain arrays, see ``mmmed.io.png``.
"""

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mmmed.files import write_bytes_atomic
from mmmed.io import png
from mmmed.io.compression import DamagedError
from mmmed.io.values import check_finite
from mmmed.structures import Volume, VolumeSource

_TIFF_MODES = {
    '1': 'L', 'L': None, 'I;16': None, 'I;16B': 'I;16', 'I': None, 'F': None,
    'RGB': None,
}  # fmt: skip
_MAX_PAGES = 1 << 16
_NOTE = 'The format has no geometry: voxels of 1 mm and RAS axes are assumed.'


def read(path: Path, *, nonfinite: float | None = None) -> Volume:
    """Read a picture as a volume of one slice, or a TIFF as a stack of pages.

    Args:
        path: The file.
        nonfinite: Value that replaces NaN and infinity (TIFF); None refuses them.

    Returns:
        Volume (Z, H, W), or (3, Z, H, W) if coloured; a note says that spacing and
        orientation are assumed.

    Raises:
        ValueError: Damaged, too large for the file's size, pages of different size
            or type, palette or alpha. Without the file name.
    """
    if path.suffix.lower() in ('.tif', '.tiff'):
        pages = _read_pages(path)
    else:
        pages = [_read_picture(path)]
    array = np.stack(pages)
    if array.ndim == 4:  # (Z, H, W, 3) -> (3, Z, H, W)
        array = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    array, notes = check_finite(array, nonfinite)
    source = VolumeSource(str(path), 'image', array.dtype, notes=(_NOTE, *notes))
    return Volume(array, (1.0, 1.0, 1.0), None, source)


def write(volume: Volume, path: Path) -> None:
    """Write one slice as PNG or JPEG, or all of them as a TIFF.

    Args:
        volume: PNG: one slice, uint8, uint16 or boolean, or three uint8 channels.
            JPEG: one slice of uint8; it changes values, so never for labels. TIFF:
            also int32 and float32.
        path: Target.

    Raises:
        ValueError: The format cannot hold the values, or not so many slices.
        OSError: The file cannot be written; an older one stays.
    """
    array = (
        volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    )
    if array.ndim == 4:
        array = np.moveaxis(array, 0, -1)
    if path.suffix.lower() in ('.tif', '.tiff'):
        _write_pages(array, path)
        return
    if array.shape[0] != 1:
        raise ValueError(
            f'{array.shape[0]} slices, a picture holds one; write .tif, .nii.gz or '
            'slice by slice'
        )
    write_bytes_atomic(path, png.encode_image(array[0], path.suffix))


def _read_picture(path: Path) -> NDArray:
    try:
        return png.read_image(path)
    except ValueError as error:
        # The name is added by the caller, for all formats alike.
        raise ValueError(str(error).removeprefix(f'{path}: ')) from error


def _read_pages(path: Path) -> list[NDArray]:
    pages: list[NDArray] = []
    left = png.MAX_EXPANSION * os.path.getsize(path)
    try:
        # From memory, where no damaged length can ask for more than there is.
        data = io.BytesIO(path.read_bytes())
        with Image.open(data, formats=('TIFF',)) as image:
            count = getattr(image, 'n_frames', 1)
            if count > _MAX_PAGES:
                raise DamagedError(f'{count} pages, expected <= {_MAX_PAGES}')
            for page in range(count):
                image.seek(page)
                left -= image.width * image.height * 4
                if left < 0 or image.mode not in _TIFF_MODES:
                    raise DamagedError(
                        f'page {page} is {image.width} x {image.height}, mode '
                        f'{image.mode}: too large for the file, or neither grey nor RGB'
                    )
                mode = _TIFF_MODES[image.mode]
                pages.append(np.array(image.convert(mode) if mode else image))
                if pages[page].shape != pages[0].shape:
                    raise DamagedError(f'page {page} differs in size from the first')
                if pages[page].dtype != pages[0].dtype:
                    raise DamagedError(f'page {page} differs in type from the first')
    except UnidentifiedImageError as error:
        raise DamagedError('not a TIFF image') from error
    except DamagedError:
        raise
    except Exception as error:
        # Pillow's TIFF reader lets any error of its parser through.
        raise DamagedError(f'not a readable TIFF image ({error!r})') from error
    return pages


def _write_pages(array: NDArray, path: Path) -> None:
    coloured = array.ndim == 4
    allowed = (np.uint8,) if coloured else (np.uint8, np.uint16, np.int32, np.float32)
    if array.dtype not in allowed or (coloured and array.shape[-1] != 3):
        raise ValueError(
            f'cannot store {array.dtype} of shape {array.shape} as TIFF; use uint8, '
            'uint16, int32, float32, or three channels of uint8'
        )
    first, *others = (Image.fromarray(np.ascontiguousarray(page)) for page in array)
    stream = io.BytesIO()
    first.save(
        stream,
        'TIFF',
        save_all=True,
        append_images=others,
        compression='tiff_adobe_deflate',
    )
    write_bytes_atomic(path, stream.getvalue())
