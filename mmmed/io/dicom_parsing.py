"""DICOM files to pydicom datasets, with no read beyond a file's end.

The only module that calls pydicom's parser; what the values mean is said elsewhere.
"""

import io
import os
import warnings
from collections.abc import Iterable
from typing import Any


def import_pydicom() -> Any:
    """The pydicom package, or an error that says how to have it."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            'DICOM needs pydicom; install it with: pip install "mmmed[dicom]"'
        ) from error
    return pydicom


def read_header(path: str, *, only: Iterable[str] | None = None) -> Any:
    """A file's dataset without its pixels; any failure of the parser is raised.

    Args:
        path: The file.
        only: Keywords to read; None reads all.
    """
    return _parse(path, stop_before_pixels=True, specific_tags=only and list(only))


def read_dataset(path: str) -> Any:
    """A file's whole dataset."""
    return _parse(path)


class _BoundedFile(io.BufferedReader):
    """A file of which no read can ask for more than is left.

    A damaged length field would otherwise make Python take memory for it first.
    """

    def __init__(self, path: str) -> None:
        self._end = os.path.getsize(path)
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _parse(path: str, **options: Any) -> Any:
    pydicom = import_pydicom()
    with _BoundedFile(path) as stream, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # odd values are told where they matter
        head = stream.read(132)
        stream.seek(0)
        # Old files lack the preamble and start with their first group at once.
        force = head[128:] != b'DICM' and head[:2] in (b'\x08\x00', b'\x02\x00')
        return pydicom.dcmread(stream, force=force, **options)


def import_highdicom() -> Any:
    """The highdicom package, or an error that says how to have it."""
    try:
        import highdicom
    except ImportError as error:
        raise ImportError(
            'DICOM-SEG needs highdicom; install it with: pip install "mmmed[dicom]"'
        ) from error
    return highdicom
