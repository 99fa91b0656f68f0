"""NIfTI files to volumes and back; the file's x-y-z order ends here."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.structures import Volume

# A header can promise any size; beyond this a file is damaged or hostile.
MAX_VOXELS = 1 << 30
_MAX_TRAILER = 1 << 16


def read_volume(path: str | Path) -> Volume:
    """Read a ``.nii`` or ``.nii.gz`` file.

    Integers without a scale stay as stored; scaled values become float32. Singleton
    axes after the third are dropped; a fourth axis becomes the channel axis.

    Args:
        path: The file.

    Returns:
        Volume in the file's own orientation: Z is the file's third axis.

    Raises:
        ValueError: Not a NIfTI image, truncated, too large, of more than four axes,
            complex or RGB, or with a unit other than mm; the message names the file.
    """
    try:
        image = _load(Path(path))
        array = _read_array(image)
    except (
        EOFError,
        HeaderDataError,
        ImageFileError,
        OSError,
        ValueError,
        zlib.error,
    ) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f'{path}: not a readable NIfTI image ({reason}); fetch or export it again'
        ) from error
    affine = np.asarray(image.affine, dtype=np.float64)[:, [2, 1, 0, 3]]
    depth, height, width = np.linalg.norm(affine[:3, :3], axis=0)
    try:
        return Volume(array, (depth, height, width), affine)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write a volume; equal volumes give equal bytes, compressed or not.

    Args:
        path: Target; ``.gz`` at the end compresses.
        volume: What to write. Boolean arrays are stored as uint8.

    Raises:
        ValueError: NIfTI readers at large do not support the data type (float16,
            int64, uint64).
        OSError: The file cannot be written; an older one stays.
    """
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype in (np.float16, np.int64, np.uint64):
        raise ValueError(
            f'{path}: cannot store {array.dtype}; convert to int16, int32 or float32'
        )
    if array.ndim == 4:
        array = np.moveaxis(array, 0, -1)
    array = np.swapaxes(array, 0, 2)  # (Z, Y, X[, C]) -> (X, Y, Z[, C])
    assert volume.affine is not None
    image = nib.Nifti1Image(array, volume.affine[:, [2, 1, 0, 3]])
    image.header.set_xyzt_units('mm')
    data = image.to_bytes()
    if str(path).lower().endswith('.gz'):
        data = gzip.compress(data, mtime=0)  # no time stamp: same bytes every time
    write_bytes_atomic(path, data)


def _load(path: Path) -> nib.Nifti1Image:
    # No memory map: a file that changes later must not change, or crash, its reader.
    image = nib.load(path, mmap=False)
    if not isinstance(image, nib.Nifti1Image):
        raise ValueError(f'it is {type(image).__name__}')
    _check_header(image)
    if path.suffix.lower() != '.gz':
        return image
    # Nibabel stops reading where the voxels end, before gzip's checksum; a damaged
    # stream would pass. Reading to the end verifies it.
    voxels = math.prod(int(length) for length in image.shape)
    proxy: Any = image.dataobj
    promised = proxy.offset + voxels * proxy.dtype.itemsize
    with gzip.open(path) as stream:
        data = stream.read(promised)
        if stream.read(_MAX_TRAILER + 1)[_MAX_TRAILER:]:
            raise ValueError('more data than its header promises')
    return type(image).from_bytes(data)


def _check_header(image: nib.Nifti1Image) -> None:
    # Python integers: a hostile header cannot overflow the product.
    size = math.prod(int(length) for length in image.shape)
    if not 0 < size <= MAX_VOXELS:
        raise ValueError(f'shape {image.shape}, expected 1 to {MAX_VOXELS} voxels')
    unit = image.header.get_xyzt_units()[0]
    if unit not in ('mm', 'unknown'):
        raise ValueError(f'its lengths are in {unit}, expected mm')


def _read_array(image: nib.Nifti1Image) -> NDArray:
    array = np.asanyarray(image.dataobj)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4):
        raise ValueError(f'shape {image.shape}, expected three or four axes')
    if array.dtype.kind not in 'biuf':
        raise ValueError(f'values are {array.dtype}, expected real numbers')
    if array.dtype == np.float64:  # nibabel scales in float64
        array = array.astype(np.float32)
    array = np.swapaxes(array, 0, 2)  # (X, Y, Z[, C]) -> (Z, Y, X[, C])
    if array.ndim == 4:
        array = np.moveaxis(array, -1, 0)
    native = array.dtype.newbyteorder('=')
    return np.ascontiguousarray(array, dtype=native)
