"""Pixels of DICOM images as real values; compressed ones through pydicom's plugins."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.io.compression import DamagedError
from mmmed.io.dicom_parsing import import_pydicom

# No lossless codec of DICOM gives more pixels per byte on a real header.
MAX_EXPANSION = 4096
_RLE = '1.2.840.10008.1.2.5'


def decode_frames(dataset: Any, *, file_size: int) -> NDArray:
    """Stored values of all frames.

    Args:
        dataset: With PixelData.
        file_size: In bytes; bounds what the header may promise.

    Returns:
        Array (frames, rows, columns), native byte order.

    Raises:
        DamagedError: No or too few pixels, colours, or a codec fails.
        ImportError: The compression needs a package that is not installed.
    """
    pydicom = import_pydicom()
    frames = int(dataset.get('NumberOfFrames') or 1)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    bits = int(dataset.get('BitsAllocated') or 0)
    if 'PixelData' not in dataset:
        raise DamagedError('it has no integer pixels (PixelData)')
    if int(dataset.get('SamplesPerPixel') or 1) != 1 or bits not in (8, 16, 32):
        raise DamagedError(f'{bits} bits a pixel or colours, expected grey values')
    try:
        syntax = pydicom.uid.UID(dataset.file_meta.TransferSyntaxUID)
        compressed = bool(syntax.is_compressed)
    except (AttributeError, ValueError):
        syntax, compressed = (
            pydicom.uid.ImplicitVRLittleEndian,
            False,
        )  # a file without meta header is stored plainly
    ratio = MAX_EXPANSION if compressed else 1
    promised = frames * rows * columns * bits // 8
    if not 0 < promised <= file_size * ratio:
        raise DamagedError(
            f'truncated or damaged: its header promises {promised} bytes of pixels, a '
            f'file of {file_size} bytes cannot hold them'
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # padding behind the pixels is common
            if syntax == _RLE:
                # A faster plugin exists, but it aborts on damaged data.
                dataset.pixel_array_options(decoding_plugin='pydicom')
            pixels = np.asarray(dataset.pixel_array)
    except RuntimeError as error:
        if 'missing' not in str(error):
            raise DamagedError(f'its pixels cannot be decoded ({error})') from error
        raise ImportError(
            f'{syntax.name} pixels need another decoder; install them with: '
            f'pip install "mmmed[dicom]" ({error})'
        ) from error
    except Exception as error:
        # Decoders let through whatever a damaged stream provokes.
        raise DamagedError(f'its pixels cannot be decoded ({error!r:.300})') from error
    if pixels.size != frames * rows * columns:
        raise DamagedError(
            f'{pixels.size} decoded pixels, expected {frames} x {rows} x {columns}'
        )
    native = pixels.dtype.newbyteorder('=')
    return np.asarray(pixels.reshape(frames, rows, columns), dtype=native)


def find_rescale(dataset: Any) -> tuple[float, float]:
    """Slope and intercept of a dataset or functional group; (1, 0) if absent.

    Raises:
        DamagedError: They are not finite, or the slope is 0.
    """
    slope, intercept = (
        float(default if (value := dataset.get(name)) in (None, '') else value)
        for name, default in (('RescaleSlope', 1), ('RescaleIntercept', 0))
    )
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        raise DamagedError(f'rescale slope {slope}, intercept {intercept}')
    return slope, intercept


def rescale(stored: NDArray, scales: Sequence[tuple[float, float]]) -> NDArray:
    """Real values of a stack, slice by slice.

    Args:
        stored: Shape (Z, Y, X), integers.
        scales: Slope and intercept of each slice.

    Returns:
        The stored type if nothing is to be done; int16 or int32 if slopes and
        intercepts are whole numbers; else float32.
    """
    if all(scale == (1.0, 0.0) for scale in scales):
        return stored
    whole = all(value.is_integer() for scale in scales for value in scale)
    if whole:
        values = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
        for plane, (slope, intercept) in zip(values, scales, strict=True):
            plane *= int(slope)
            plane += int(intercept)
        low, high = int(values.min()), int(values.max())
        for kind in (np.int16, np.int32):
            limits = np.iinfo(kind)
            if limits.min <= low and high <= limits.max:
                return values.astype(kind, copy=False)
    result = np.empty(stored.shape, dtype=np.float32)
    for index, (slope, intercept) in enumerate(scales):
        result[index] = stored[index] * np.float64(slope) + np.float64(intercept)
    return result
