"""2-D images and label maps: PNG, and JPEG as raw data sets ship it.

Not here: what the values mean; thresholds and windows belong to preparation.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mmmed.files import write_bytes_atomic

# Far above any radiograph (about 50 million), far below what exhausts memory.
MAX_PIXELS = 1 << 26
# Bytes of pixels per byte of file that no format here exceeds; an allowance of 64 KiB
# is added for tiny files.
MAX_EXPANSION = 4096
_MODES = {'1': 'L', 'L': None, 'I;16': None, 'RGB': None}
# Part of what makes prepared folders byte-identical; a change changes every hash.
_PNG_LEVEL = 6


def read_image(path: str | Path) -> NDArray:
    """Read a PNG or JPEG image as stored.

    Args:
        path: The file; its content decides the format, not its name.

    Returns:
        Array (H, W) or (H, W, 3), uint8 or uint16. An image that is grey but stored
        as RGB keeps its three channels, see :func:`squeeze_grey`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Damaged or truncated, another format, more than ``MAX_PIXELS``,
            or palette, alpha or CMYK colours; the message names the file.
    """
    return _read(path)[0]


def read_label(path: str | Path) -> NDArray:
    """Read a label map: one integer per pixel, exactly as stored.

    Args:
        path: A PNG file; palette images give their indices.

    Returns:
        Array (H, W), uint8 or uint16.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As for :func:`read_image`; also for JPEG, whose compression
            changes label values, and for colours.
    """
    array, kind = _read(path, palette_indices=True)
    if kind != 'PNG':
        raise ValueError(
            f'{path}: a label map as {kind}, whose compression changes labels; '
            'threshold it with its preparer and store PNG'
        )
    grey = squeeze_grey(array)
    if grey is None:
        raise ValueError(
            f'{path}: a label map in colours, expected one label number per pixel'
        )
    return grey


def squeeze_grey(array: NDArray, tolerance: int = 0) -> NDArray | None:
    """One channel of an image whose three channels agree.

    Args:
        array: Shape (H, W) or (H, W, 3).
        tolerance: Largest difference between channels that still counts as grey.

    Returns:
        Array (H, W), or None if the image is in colour.
    """
    if array.ndim == 2:
        return array
    first = array[..., 0]
    for channel in (1, 2):
        other = array[..., channel]
        if np.array_equal(first, other):
            continue
        # Signed, so that unsigned differences cannot wrap around.
        difference = np.abs(first.astype(np.int32) - other)
        if int(difference.max(initial=0)) > tolerance:
            return None
    return np.ascontiguousarray(first)


def encode_image(array: NDArray, suffix: str = '.png', *, quality: int = 95) -> bytes:
    """Bytes of an image file; the same array gives the same bytes.

    Args:
        array: Shape (H, W) uint8 or uint16, or (H, W, 3) uint8.
        suffix: ``'.png'``, ``'.jpg'`` or ``'.jpeg'``.
        quality: Of JPEG, 1 to 95.

    Raises:
        ValueError: Another shape, type or suffix.
    """
    array = np.asarray(array)
    is_grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    is_colour = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if not (is_grey or is_colour) or array.size == 0:
        raise ValueError(
            f'image of shape {array.shape} and type {array.dtype}, expected (H, W) '
            'uint8 or uint16, or (H, W, 3) uint8'
        )
    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(array))
    if suffix.lower() == '.png':
        image.save(stream, 'PNG', compress_level=_PNG_LEVEL)
    elif suffix.lower() in ('.jpg', '.jpeg') and array.dtype == np.uint8:
        image.save(stream, 'JPEG', quality=quality)
    else:
        raise ValueError(f'cannot write {array.dtype} as {suffix!r}; use ".png"')
    return stream.getvalue()


def write_image(path: str | Path, array: NDArray, *, quality: int = 95) -> None:
    """Write an image in the format that the suffix names, atomically.

    Args:
        path: Target; its folder is created.
        array: As for :func:`encode_image`.
        quality: Of JPEG, 1 to 95.

    Raises:
        ValueError: The format cannot hold the array; the message names the file.
        OSError: The file cannot be written; an older one stays.
    """
    try:
        data = encode_image(array, Path(path).suffix, quality=quality)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    write_bytes_atomic(path, data)


def write_label(path: str | Path, labels: NDArray) -> None:
    """Write a label map as PNG, atomically.

    Args:
        path: Target, ends in ``.png``.
        labels: Shape (H, W), integer or boolean, 0 to 65535; up to 255 is stored in
            8 bits, more in 16.

    Raises:
        ValueError: Another shape, type, range or suffix; the message names the file.
        OSError: The file cannot be written; an older one stays.
    """
    labels = np.asarray(labels)
    if Path(path).suffix.lower() != '.png':
        raise ValueError(f'{path}: label maps are stored as PNG, name it ".png"')
    if labels.ndim != 2 or labels.dtype.kind not in 'bui' or labels.size == 0:
        raise ValueError(
            f'{path}: label map of shape {labels.shape} and type {labels.dtype}, '
            'expected integers (H, W)'
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > 65535:
        raise ValueError(f'{path}: labels {low} to {high}, expected 0 to 65535')
    write_image(path, labels.astype(np.uint8 if high < 256 else np.uint16))


def _read(path: str | Path, *, palette_indices: bool = False) -> tuple[NDArray, str]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no image at {path}')
    try:
        # From memory, where no damaged length can ask for more than there is.
        data = io.BytesIO(path.read_bytes())
        with Image.open(data, formats=('PNG', 'JPEG')) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ValueError(f'{width} x {height} pixels, expected <= {MAX_PIXELS}')
            if width * height > MAX_EXPANSION * len(data.getbuffer()) + (1 << 16):
                raise ValueError(f'{width} x {height} pixels in so small a file')
            if palette_indices and image.mode == 'P':
                return np.array(image), str(image.format)
            if image.mode not in _MODES:
                raise ValueError(f'mode {image.mode}, expected grey or RGB')
            wanted = _MODES[image.mode]
            array = np.array(image.convert(wanted) if wanted else image)
            return array, str(image.format)
    except UnidentifiedImageError as error:
        raise ValueError(
            f'{path}: neither a PNG nor a JPEG image; fetch it again'
        ) from error
    except (
        EOFError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,  # Pillow's name for a broken PNG chunk
        ValueError,
    ) as error:
        raise ValueError(
            f'{path}: not a readable image ({error}); fetch or export it again'
        ) from error
