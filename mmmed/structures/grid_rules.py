"""What the grid and the sequence names of a case must satisfy.

Not here: names, splits and hashes (``manifest_rules``). Checks raise ValueError with a
message that names the case, what was found and what was expected.
"""

import math
import re
from typing import Any

import numpy as np

from mmmed.functional.geometry import compute_spacing
from mmmed.structures.manifest_rules import check_spacing, is_int

_SEQUENCE = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}')


def check_sequence(name: Any, where: str) -> None:
    """Refuse a sequence that is no plain name, or has the name of the mask."""
    if not isinstance(name, str) or not _SEQUENCE.fullmatch(name):
        raise ValueError(f'{where}: sequence {name!r} is not a plain name')
    if name == 'seg':
        raise ValueError(f'{where}: a sequence cannot be named "seg"')


def check_grid(shape: Any, spacing: Any, affine: Any, where: str) -> None:
    """Refuse what is no grid of voxels in space.

    Args:
        shape: (Z, Y, X) as a tuple of integers >= 1.
        spacing: (Z, Y, X) in mm, a tuple.
        affine: 4x4 rows, tuples; its columns are as long as ``spacing``.
        where: Name of the case for messages.
    """
    if not (
        isinstance(shape, tuple)
        and len(shape) == 3
        and all(is_int(n) and n >= 1 for n in shape)
    ):
        raise ValueError(f'{where}: shape {shape!r}, expected (Z, Y, X) >= 1')
    check_spacing(spacing, where, axes=3)
    _check_affine(affine, spacing, where)


def freeze(value: Any) -> Any:
    """Lists of JSON, nested ones too, as tuples; everything else as it is."""
    if isinstance(value, list):
        return tuple(freeze(item) for item in value)
    return value


def _check_affine(rows: Any, spacing: Any, where: str) -> None:
    if not (
        isinstance(rows, tuple)
        and len(rows) == 4
        and all(isinstance(row, tuple) and len(row) == 4 for row in rows)
        and all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
            for row in rows
            for v in row
        )
        and rows[3] == (0, 0, 0, 1)
    ):
        raise ValueError(
            f'{where}: affine {rows!r}, expected 4x4 finite numbers, last row 0 0 0 1'
        )
    if not np.allclose(compute_spacing(np.asarray(rows)), spacing, rtol=1e-3, atol=0):
        raise ValueError(
            f'{where}: affine and spacing {spacing} disagree, expected the lengths of '
            'its columns'
        )
