"""Case ids from file paths: legal in file names, and each one once."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_LONGEST = 150


def make_slug(text: str) -> str:
    """Letters, digits, dots, dashes and underscores of a path, as a case is named.

    Example:
        >>> make_slug('MR/spine/cyst (2)')
        'MR-spine-cyst-2'
    """
    slug = re.sub(r'[^A-Za-z0-9._]+', '-', text).strip('-.')
    return slug[-_LONGEST:].lstrip('-.') or 'image'


def make_digest(text: str) -> str:
    """Eight hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def name_by_path(paths: Sequence[PurePosixPath]) -> list[str]:
    """A name for each path without suffix; alike ones get a digest of the path.

    Args:
        paths: Relative, all different.

    Returns:
        Names in the same order, different in any letter case. Whether a path has a
        digest depends on the other paths and not on their order.
    """
    slugs = [make_slug(path.with_suffix('').as_posix()) for path in paths]
    seen: dict[str, int] = {}
    for slug in slugs:
        seen[slug.casefold()] = seen.get(slug.casefold(), 0) + 1
    return [
        slug if seen[slug.casefold()] == 1 else f'{slug}-{make_digest(path.as_posix())}'
        for slug, path in zip(slugs, paths, strict=True)
    ]
