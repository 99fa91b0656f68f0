"""What an uploaded file is, by its first bytes and never by its name.

Not here: reading images (``mmmed.io``), unpacking archives (``archive``).
"""

import math
import re
import struct
import zlib
from pathlib import Path

from mmmed.serving.errors import ServiceError, refuse_upload

ZIP = '.zip'
_GZIP = b'\x1f\x8b'
_HEAD = 1 << 16
_NIFTI_SIZES = {348: (344, (b'n+1', b'ni1')), 540: (4, (b'n+2', b'ni2'))}
_ACCEPTED = 'NIfTI (.nii, .nii.gz), NRRD, MHA, DICOM, or a zip of DICOM files'


def identify_upload(path: str | Path) -> str:
    """Kind of a file, as the suffix under which it has to be stored.

    Args:
        path: What was uploaded.

    Returns:
        ``'.nii'``, ``'.nii.gz'``, ``'.nrrd'``, ``'.mha'``, ``'.dcm'`` or ``'.zip'``.

    Raises:
        ServiceError: It is empty, or none of these.
    """
    head = _read_head(path)
    if not head:
        raise refuse_upload('The file is empty.', f'Upload {_ACCEPTED}.')
    if head.startswith(_GZIP):
        if _is_nifti(_inflate_head(head)):
            return '.nii.gz'
        raise refuse_upload(
            'A gzip file that holds no NIfTI image, or is damaged at its start.',
            f'Upload {_ACCEPTED}; pack folders as .zip, not as .tar.gz.',
            status=415,
        )
    if _is_nifti(head):
        return '.nii'
    if head.startswith(b'NRRD000'):
        return '.nrrd'
    if head[128:132] == b'DICM':
        return '.dcm'
    if head.startswith((b'PK\x03\x04', b'PK\x05\x06')):
        return ZIP
    if re.match(rb'\s*(ObjectType|NDims)\s*=', head):
        return '.mha'
    raise refuse_upload(
        'Its first bytes are those of no format that is known here.',
        f'Upload {_ACCEPTED}; the name of the file does not matter.',
        status=415,
    )


def check_size(path: str | Path, kind: str, *, voxels: int) -> None:
    """Refuse a scan whose header announces too many voxels, before it is read.

    Args:
        path: The file.
        kind: From :func:`identify_upload`; DICOM is judged by what its files say
            when they are read.
        voxels: Largest number.

    Raises:
        ServiceError: It announces more.
    """
    head = _read_head(path)
    if kind == '.nii.gz':
        head = _inflate_head(head)
    if kind in ('.nii', '.nii.gz'):
        count = _count_nifti(head)
    elif kind == '.nrrd':
        count = _count_text(head, rb'^sizes:([ \d]+)')
    elif kind == '.mha':
        count = _count_text(head, rb'^\s*DimSize\s*=([ \d]+)')
    else:
        return
    if count > voxels:
        raise too_many_voxels(count, voxels)


def too_many_voxels(count: int, limit: int) -> ServiceError:
    """The error of a scan that is too large."""
    return refuse_upload(
        f'The scan has {count} voxels, at most {limit} are accepted.',
        'Upload a smaller field of view or a coarser grid.',
        status=413,
    )


def _read_head(path: str | Path) -> bytes:
    with open(path, 'rb') as stream:
        return stream.read(_HEAD)


def _inflate_head(head: bytes) -> bytes:
    """The first bytes of a gzip stream; none if it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 1024)
    except zlib.error:
        return b''


def _is_nifti(head: bytes) -> bool:
    if len(head) < 348:
        return False
    for order in '<>':
        size = struct.unpack_from(order + 'i', head)[0]
        if size in _NIFTI_SIZES:
            offset, magic = _NIFTI_SIZES[size]
            return head[offset : offset + 3] in magic
    return False


def _count_nifti(head: bytes) -> int:
    order = '<' if struct.unpack_from('<i', head)[0] in _NIFTI_SIZES else '>'
    is_first = struct.unpack_from(order + 'i', head)[0] == 348
    place, letter = (40, 'h') if is_first else (16, 'q')
    count, *lengths = struct.unpack_from(f'{order}8{letter}', head, place)
    return math.prod(max(length, 1) for length in lengths[: min(max(count, 0), 7)])


def _count_text(head: bytes, pattern: bytes) -> int:
    found = re.search(pattern, head, re.MULTILINE)
    if found is None:
        return 0  # the reader says what is missing
    return math.prod(int(word) for word in found.group(1).split()[:8])
