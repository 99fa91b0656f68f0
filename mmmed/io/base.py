"""Volumes by file name suffix; the formats themselves have a module each."""

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

import numpy as np

from mmmed.functional.orientation import name_orientation
from mmmed.io.compression import DamagedError
from mmmed.structures import Volume

_READERS = {
    '.nii': 'nifti',
    '.nii.gz': 'nifti',
    '.nrrd': 'nrrd',
    '.mha': 'metaimage',
    '.dcm': 'dicom',
    '.png': 'image_stack',
    '.jpg': 'image_stack',
    '.jpeg': 'image_stack',
    '.tif': 'image_stack',
    '.tiff': 'image_stack',
}
VOLUME_SUFFIXES = tuple(_READERS)
_WRITERS = {
    **_READERS,
    '.nii': 'nifti_writing',
    '.nii.gz': 'nifti_writing',
    '.dcm': 'dicom_seg_writing',
}
_NAMES = {
    'nifti': 'NIfTI',
    'nrrd': 'NRRD',
    'metaimage': 'MetaImage',
    'dicom': 'DICOM',
    'image_stack': 'PNG, JPEG or TIFF',
}
_SNAP_MM = 1e-3


def read_volume(
    path: str | Path,
    *,
    ndim: int | None = None,
    nonfinite: float | None = None,
    irregular: str = 'refuse',
) -> Volume:
    """Read an image with its geometry, whatever its format.

    Args:
        path: File whose name ends in one of ``VOLUME_SUFFIXES``; or a folder (tree)
            that holds one DICOM series, for several see :func:`mmmed.io.list_series`.
        ndim: 3 refuses several channels or time points; None takes both.
        nonfinite: Value that replaces NaN and infinity; None refuses them.
        irregular: For DICOM slices that are no regular grid (gantry tilt, a missing
            slice, uneven distances): ``'refuse'``, or ``'resample'`` onto one.

    Returns:
        Volume in the file's own orientation, array-axis order. ``volume.source`` has
        the header, and notes on whatever had to be assumed or mended.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The suffix is unknown, the file is damaged or the content is not
            what was asked for; the message names file and reason.
        ImportError: DICOM, and its packages are not installed.
    """
    path = Path(path)
    if path.is_dir():
        from mmmed.io.dicom import read_folder

        return _check_axes(read_folder(path, irregular=irregular), path, ndim)
    suffix = find_suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f'no volume at {path}')
    options = {'irregular': irregular} if suffix == '.dcm' else {'nonfinite': nonfinite}
    module = _READERS[suffix]
    try:
        volume = _load('.' + module).read(path, **options)
    except (DamagedError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f'{path}: not a readable {_NAMES[module]} image ({reason}); fetch or '
            'export it again'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    return _check_axes(volume, path, ndim)


def write_volume(volume: Volume, path: str | Path, like: Volume | None = None) -> None:
    """Write an image with its geometry, atomically and reproducibly.

    Args:
        volume: What to write. If it was read from the same format, its header
            survives, and its scaling where the values still allow it exactly.
        path: Target; the suffix decides the format. ``.dcm`` writes labels as
            DICOM-SEG and needs ``like`` to be a DICOM series.
        like: A volume on the same voxels, in whatever orientation: the result gets
            its axes, its exact affine and its header. This is how a mask goes back
            onto its scan after the scan was reoriented.

    Raises:
        ValueError: The suffix is unknown, the format cannot hold the values, or the
            grids differ; the message names the file.
        OSError: The file cannot be written; an older one stays.
    """
    path = Path(path)
    module = '.' + _WRITERS[find_suffix(path)]
    try:
        if like is not None:
            volume = _lay_onto(volume, like)
        _load(module).write(volume, path)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def find_suffix(path: str | Path) -> str:
    """The suffix of a volume file, ``'.nii.gz'`` as a whole, in lower case.

    The rest of the name is the case id, whatever dots it holds.

    Raises:
        ValueError: It is none of ``VOLUME_SUFFIXES``.
    """
    name = Path(path).name.lower()
    for suffix in sorted(VOLUME_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    raise ValueError(
        f'{path}: cannot tell the format, expected a name that ends in '
        f'{", ".join(VOLUME_SUFFIXES)}, or a folder of DICOM files'
    )


def _load(module: str) -> ModuleType:
    # One format never loads the libraries of another.
    return importlib.import_module(module, 'mmmed.io')


def _check_axes(volume: Volume, path: Path, ndim: int | None) -> Volume:
    if ndim is not None and volume.array.ndim != ndim:
        raise ValueError(
            f'{path}: {volume.array.ndim}-D image of shape {volume.array.shape}, '
            f'expected {ndim}-D; choose one channel or time point first'
        )
    return volume


def _lay_onto(volume: Volume, like: Volume) -> Volume:
    volume = volume.reorient(name_orientation(like.grid))
    volume.check_grid(like, tolerance_mm=_SNAP_MM)
    source = like.source
    same = volume.source is not None and volume.source is source
    if source is not None and not same and volume.array.dtype.kind != 'f':
        # Labels are no grey values: the scan's scaling is not theirs.
        source = dataclasses.replace(source, scaling=(1.0, 0.0))
    array = np.ascontiguousarray(volume.array)
    return Volume(array, like.spacing, like.grid, source)
