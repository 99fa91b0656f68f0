"""Volumes by file name suffix; the formats themselves have a module each."""

from pathlib import Path

from mmmed.io import nifti
from mmmed.structures import Volume

VOLUME_SUFFIXES = ('.nii', '.nii.gz')


def read_volume(path: str | Path) -> Volume:
    """Read a 3-D image with its geometry.

    Args:
        path: File whose name ends in one of ``VOLUME_SUFFIXES``.

    Returns:
        Volume in the file's own orientation, array-axis order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The suffix is unknown or the file is damaged; the message names
            the file.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f'no volume at {path}')
    return nifti.read_volume(path)


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write a 3-D image with its geometry, atomically and reproducibly.

    Raises:
        ValueError: The suffix is unknown or the format cannot hold the data type.
        OSError: The file cannot be written; an older one stays.
    """
    path = Path(path)
    _check_suffix(path)
    nifti.write_volume(path, volume)


def _check_suffix(path: Path) -> None:
    if not path.name.lower().endswith(VOLUME_SUFFIXES):
        raise ValueError(
            f'{path}: cannot tell the format, expected a name that ends in '
            f'{" or ".join(VOLUME_SUFFIXES)}'
        )
