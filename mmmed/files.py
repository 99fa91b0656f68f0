"""Atomic writes and content hashes; standard library only, used by every room.

Not here: reading or writing of any image format (``mmmed.io``).
"""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# The umask can only be read by setting it; once, at import, is safe from threads.
_UMASK = os.umask(0)
os.umask(_UMASK)


def write_bytes_atomic(path: str | Path, *parts: bytes | memoryview) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: Target file; its folder is created.
        *parts: Whole content; several pieces are written one after the other, so
            that large ones need not be joined in memory.

    Raises:
        OSError: The folder cannot be created or written, or the disk is full. The
            target is then unchanged and no temporary file stays behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp'
    )
    try:
        with os.fdopen(descriptor, 'wb') as stream:
            stream.writelines(parts)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; give the mode an ordinary open() would give.
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text_atomic(path: str | Path, text: str) -> None:
    """UTF-8 text with the guarantees of :func:`write_bytes_atomic`."""
    write_bytes_atomic(path, text.encode())


def write_json_atomic(
    path: str | Path, value: Mapping[str, Any] | Sequence[Any]
) -> None:
    """Deterministic JSON (two-space indent, keys in given order, no NaN).

    Raises:
        ValueError: ``value`` holds NaN or infinity, which JSON cannot carry; write
            ``None`` and say in the schema what it means.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text_atomic(path, text + '\n')


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits."""
    with open(path, 'rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value, independent of key order and white space."""
    text = json.dumps(value, sort_keys=True, separators=(',', ':'), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv_atomic(
    path: str | Path,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] = (),
) -> None:
    """Tidy CSV: one row a mapping, columns in the order they first appear.

    ``None`` and NaN become an empty cell; floats keep all their digits.

    Args:
        path: Target file.
        rows: Flat mappings; without rows and columns the file is empty.
        columns: Those that come first and are there without rows too.
    """
    columns = list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval='', lineterminator='\n')
    if columns:
        writer.writeheader()
    for row in rows:
        writer.writerow({k: '' if v is None or v != v else v for k, v in row.items()})
    write_text_atomic(path, stream.getvalue())
