"""Files that only stand for images: links and notes of git-annex and Git LFS.

A plain clone of a large data set holds nothing else, and each of them is about a
hundred bytes of text under the name of an image.
"""

import os
from pathlib import Path

_MOST_BYTES = 4096


def explain_pointer(path: Path) -> tuple[str, str] | None:
    """Problem and remedy of a file whose content is elsewhere.

    Args:
        path: File or link.

    Returns:
        What it is and what to do; None for a file with content of its own.

    Raises:
        OSError: The file cannot be read.
    """
    if path.is_symlink() and not path.exists():
        if 'annex' in os.readlink(path).replace('\\', '/').split('/'):
            return _ANNEX
        return 'a link to a file that is not there', 'fetch its content'
    if path.stat().st_size > _MOST_BYTES:
        return None
    start = path.read_bytes()[:_MOST_BYTES]
    if b'/annex/objects/' in start and start[:2] != b'\x1f\x8b':
        return _ANNEX
    if start.startswith(b'version https://git-lfs'):
        return 'a pointer of Git LFS, not the file', 'run "git lfs pull" there'
    return None


_ANNEX = (
    'a pointer of git-annex, not the file',
    'run "git annex get" (or "datalad get") on it in its repository',
)
