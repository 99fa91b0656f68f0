"""A zip from a stranger to DICOM files under names of our own.

Nothing that the archive says about paths is used. Not here: what the files mean.
"""

import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from mmmed.serving.errors import ServiceError, refuse_upload
from mmmed.serving.limits import MIB, Limits

# End of central directory: signature, disks, entries, size and offset, comment.
_END = struct.Struct('<4s4H2LH')
_END_MARK = b'PK\x05\x06'
# Bytes of a directory entry that are enough for any name met in practice.
_ENTRY_BYTES = 1024
_SMALL = 64 * MIB
_CHUNK = 1 << 18
_ARCHIVES = {
    b'PK\x03\x04': 'zip',
    b'PK\x05\x06': 'zip',
    b'\x1f\x8b': 'gzip',
    b'7z\xbc\xaf': '7z',
    b'Rar!': 'rar',
    b'\xfd7zX': 'xz',
    b'BZh': 'bzip2',
    b'\x28\xb5\x2f\xfd': 'zstd',
}
_REMEDY = 'Zip the folder of one DICOM series again, without password or links.'


def unpack_dicom(path: str | Path, folder: str | Path, limits: Limits) -> int:
    """Unpack the files of a zip under numbers, such as ``00000.dcm``.

    Everything that the directory says is checked before the first byte is unpacked,
    and the sizes again while it is.

    Args:
        path: The archive.
        folder: New folder for the files.
        limits: Bounds.

    Returns:
        Number of files.

    Raises:
        ServiceError: Damaged or encrypted, more or larger files than allowed, a bomb,
            a path that leads out of the archive, a link, or an archive within.
    """
    path, folder = Path(path), Path(folder)
    _check_directory_size(path, limits)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [info for info in archive.infolist() if not info.is_dir()]
            check_entries(archive.infolist(), path.stat().st_size, limits)
            left = limits.unpacked_bytes
            for number, info in enumerate(entries):
                target = folder / f'{number:05d}.dcm'
                left -= _unpack(archive, info, target, left)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        struct.error,
    ) as error:
        reason = f'{type(error).__name__}: {error}'[:200]
        raise refuse_upload(f'The zip is damaged ({reason}).', _REMEDY) from error
    return len(entries)


def check_entries(
    entries: Sequence[zipfile.ZipInfo], archive_bytes: int, limits: Limits
) -> None:
    """Refuse an archive by its directory alone.

    Args:
        entries: All of them, folders too.
        archive_bytes: Size of the zip.
        limits: Bounds.

    Raises:
        ServiceError: See :func:`unpack_dicom`.
    """
    files = [info for info in entries if not info.is_dir()]
    if not files:
        raise refuse_upload('The zip holds no file.', _REMEDY)
    if len(entries) > limits.zip_entries:
        raise _too_large(f'{len(entries)} entries, at most {limits.zip_entries}')
    for info in entries:
        _check_entry(info)
    total = sum(info.file_size for info in files)
    if total > limits.unpacked_bytes:
        raise _too_large(
            f'{math.ceil(total / MIB)} MiB unpacked, at most '
            f'{limits.unpacked_bytes // MIB}'
        )
    # Entries that share their bytes make small bombs with honest ratios.
    packed = sum(info.compress_size for info in files)
    if packed > archive_bytes or (
        total > _SMALL and total > limits.zip_ratio * archive_bytes
    ):
        raise _too_large(
            f'{archive_bytes} bytes that unpack to {total}, which no images do'
        )


def _check_directory_size(path: Path, limits: Limits) -> None:
    """The directory is read as a whole: its size is bounded before that."""
    size = path.stat().st_size
    with open(path, 'rb') as stream:
        stream.seek(max(0, size - _END.size - 0xFFFF))
        tail = stream.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END.size:
        raise refuse_upload('The zip is cut off: its end is missing.', _REMEDY)
    fields = _END.unpack_from(tail, place)
    count, directory_bytes = fields[4], fields[5]
    if count == 0xFFFF or directory_bytes == 0xFFFFFFFF:
        raise _too_large(f'a ZIP64 directory, at most {limits.zip_entries} entries')
    if count > limits.zip_entries or directory_bytes > _ENTRY_BYTES * max(
        limits.zip_entries, 64
    ):
        raise _too_large(
            f'{count} entries in a directory of {directory_bytes} bytes, at most '
            f'{limits.zip_entries}'
        )


def _check_entry(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    parts = name.replace('\\', '/').split('/')
    if name.startswith(('/', '\\')) or '..' in parts or ':' in name or '\0' in name:
        raise refuse_upload('A path in the zip leads out of it.', _REMEDY)
    if info.flag_bits & 0x41:
        raise refuse_upload('The zip is encrypted.', _REMEDY)
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refuse_upload('The zip holds a link or a device.', _REMEDY)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refuse_upload(
            f'The zip uses compression method {info.compress_type}, expected deflate.',
            _REMEDY,
        )


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, left: int
) -> int:
    """Bytes written; never more than ``left``."""
    written = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with (
        archive.open(info) as source,
        open(os.open(target, flags, 0o600), 'wb') as stream,
    ):
        while chunk := source.read(_CHUNK):
            if not written:
                _check_content(chunk)
            written += len(chunk)
            if written > left:
                raise _too_large('more bytes than its directory says')
            stream.write(chunk)
    return written


def _check_content(start: bytes) -> None:
    for mark, name in _ARCHIVES.items():
        if start.startswith(mark):
            raise refuse_upload(
                f'The zip holds another archive or compressed file ({name}).',
                'Zip the DICOM files themselves; upload a NIfTI as it is.',
            )


def _too_large(why: str) -> ServiceError:
    return refuse_upload(
        f'The zip is too large: it has {why}.',
        'Zip one series only; split larger ones.',
        status=413,
    )
