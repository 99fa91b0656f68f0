"""NRRD files (raw or gzip, one file) to volumes and back.

Format: http://teem.sourceforge.net/nrrd/format.html. Its fastest axis comes first,
and its space may be LPS, RAS or LAS: both end here.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.functional.geometry import compute_spacing, make_affine
from mmmed.io.compression import ByteSource, DamagedError, compress_gzip
from mmmed.io.values import check_finite
from mmmed.structures import Volume, VolumeSource

_TYPES = {
    'i1': ('signed char', 'int8', 'int8_t'),
    'u1': ('uchar', 'unsigned char', 'uint8', 'uint8_t'),
    'i2': ('short', 'short int', 'signed short', 'signed short int', 'int16',
           'int16_t'),
    'u2': ('ushort', 'unsigned short', 'unsigned short int', 'uint16', 'uint16_t'),
    'i4': ('int', 'signed int', 'int32', 'int32_t'),
    'u4': ('uint', 'unsigned int', 'uint32', 'uint32_t'),
    'i8': ('longlong', 'long long', 'long long int', 'signed long long',
           'signed long long int', 'int64', 'int64_t'),
    'u8': ('ulonglong', 'unsigned long long', 'unsigned long long int', 'uint64',
           'uint64_t'),
    'f4': ('float',),
    'f8': ('double',),
}  # fmt: skip
_CODES = {name: code for code, names in _TYPES.items() for name in names}
# Signs that turn the file's x and y into right and anterior.
_SPACES = {
    'left-posterior-superior': (-1, -1, 1),
    'lps': (-1, -1, 1),
    'right-anterior-superior': (1, 1, 1),
    'ras': (1, 1, 1),
    'left-anterior-superior': (-1, 1, 1),
    'las': (-1, 1, 1),
}
_MAX_HEADER = 1 << 20
_NAMES = {
    'centerings': 'centers', 'data file': 'datafile', 'line skip': 'lineskip',
    'byte skip': 'byteskip',
}  # fmt: skip


@dataclass(frozen=True)
class NrrdHeader:
    """Free entries (``key:=value``) of an NRRD file, such as a segment's name."""

    entries: tuple[tuple[str, str], ...]


def read(path: Path, *, nonfinite: float | None = None) -> Volume:
    """Read a ``.nrrd`` file.

    Args:
        path: The file.
        nonfinite: Value that replaces NaN and infinity; None refuses them.

    Returns:
        Volume; an axis that is not in space (direction ``none``) becomes the channel
        axis.

    Raises:
        ValueError: Damaged, a detached header, text encodings, another number of
            axes, or values that are not finite. Without the file name.
    """
    fields, entries, start = _read_header(path)
    encoding = fields.get('encoding', '')
    if encoding not in ('raw', 'gzip', 'gz'):
        raise DamagedError(f'encoding is {encoding!r}, expected raw or gzip')
    if 'datafile' in fields:
        raise DamagedError('its voxels are in another file, expected one file')
    if int(fields.get('lineskip', 0)) or int(fields.get('byteskip', 0)):
        raise DamagedError('it skips lines or bytes before the voxels, expected none')
    sizes = _parse_sizes(fields)
    code = _CODES.get(fields.get('type', '').lower())
    if code is None:
        raise DamagedError(f'type is {fields.get("type")!r}, expected a real number')
    order = {'big': '>', 'little': '<'}.get(fields.get('endian', 'little').lower())
    if order is None:
        raise DamagedError(f'endian is {fields["endian"]!r}, expected little or big')
    directions, notes = _parse_directions(fields, len(sizes))
    spatial = [axis for axis, step in enumerate(directions) if step is not None]
    if len(spatial) != 3 or len(sizes) > 4:
        raise DamagedError(
            f'sizes {sizes}, {len(spatial)} axes in space, expected three and at most '
            'one channel axis'
        )
    with ByteSource(path, compressed=encoding != 'raw', offset=start) as source:
        array = source.read_array(tuple(sizes[::-1]), np.dtype(order + code))
        source.finish()
    stored = array.dtype
    if len(sizes) == 4:
        channel = next(axis for axis in range(4) if axis not in spatial)
        array = np.ascontiguousarray(np.moveaxis(array, 3 - channel, 0))
    array, replaced = check_finite(array, nonfinite)
    affine = _make_affine(fields, [directions[axis] for axis in spatial])
    source_of = VolumeSource(
        path=str(path),
        format='nrrd',
        stored_dtype=stored,
        header=NrrdHeader(entries),
        notes=(*notes, *replaced),
    )
    return Volume(array, compute_spacing(affine), affine, source_of)


def write(volume: Volume, path: Path) -> None:
    """Write gzip-compressed NRRD in LPS space; the affine survives to the last bit.

    Args:
        volume: What to write; boolean arrays become uint8, channels the last axis.
        path: Target.

    Raises:
        ValueError: float16 values.
        OSError: The file cannot be written; an older one stays.
    """
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    code = array.dtype.str[1:]
    if code not in _TYPES:
        raise ValueError(f'cannot store {array.dtype}; convert it to float32')
    # Negation, not a product with -1: zeros must not turn into -0.
    affine = volume.grid.copy()
    affine[:2] = np.where(affine[:2] == 0, 0, -affine[:2])
    vectors = [_format_vector(affine[:3, axis]) for axis in (2, 1, 0)]
    channels = array.ndim - 3
    sizes = array.shape[:-4:-1] + array.shape[:channels]
    lines = [
        'NRRD0004',
        f'type: {_TYPES[code][-1] if code in ("f4", "f8") else _TYPES[code][-2]}',
        f'dimension: {array.ndim}',
        'space: left-posterior-superior',
        'sizes: ' + ' '.join(map(str, sizes)),
        'space directions: ' + ' '.join(vectors + ['none'] * channels),
        'kinds: ' + ' '.join(['domain'] * 3 + ['list'] * channels),
        'endian: little',
        'encoding: gzip',
        'space origin: ' + _format_vector(affine[:3, 3]),
    ]
    if volume.source and isinstance(volume.source.header, NrrdHeader):
        lines += [f'{key}:={value}' for key, value in volume.source.header.entries]
    head = ('\n'.join(lines) + '\n\n').encode()
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder('<'))
    body = compress_gzip(little.reshape(-1).view(np.uint8).data)
    write_bytes_atomic(path, head, *body)


def _read_header(path: Path) -> tuple[dict[str, str], tuple[tuple[str, str], ...], int]:
    with open(path, 'rb') as stream:
        head = stream.read(min(_MAX_HEADER, path.stat().st_size))
    if not head.startswith(b'NRRD000'):
        raise DamagedError('not an NRRD file: its first bytes are not "NRRD000"')
    ends = [
        (head.index(mark) + len(mark), mark)
        for mark in (b'\n\n', b'\r\n\r\n')
        if mark in head
    ]
    if not ends:
        raise DamagedError('its header has no end')
    end = min(ends)[0]
    fields: dict[str, str] = {}
    entries = []
    for line in head[:end].decode('utf-8', 'replace').splitlines()[1:]:
        if line.startswith('#') or not line.strip():
            continue
        if ':=' in line:
            key, value = line.split(':=', 1)
            entries.append((key, value))
        elif ': ' in line:
            key, value = line.split(': ', 1)
            key = key.strip().lower()
            fields[_NAMES.get(key, key)] = value.strip()
        else:
            raise DamagedError(f'header line {line[:60]!r}, expected "field: value"')
    return fields, tuple(entries), end


def _parse_sizes(fields: dict[str, str]) -> list[int]:
    words = fields.get('sizes', '').split()
    try:
        sizes = [int(word) for word in words]
    except ValueError as error:
        raise DamagedError(f'sizes {words[:8]}, expected whole numbers') from error
    if fields.get('dimension') != str(len(sizes)) or min(sizes, default=0) < 1:
        raise DamagedError(
            f'dimension {fields.get("dimension")} and sizes {sizes[:8]}, expected as '
            'many sizes, each at least 1'
        )
    return sizes


def _parse_directions(
    fields: dict[str, str], count: int
) -> tuple[list[NDArray | None], tuple[str, ...]]:
    unit = fields.get('space units', '').replace('"', ' ').split()
    if any(word not in ('mm', 'millimeter', 'millimeters') for word in unit):
        raise DamagedError(f'space units are {unit}, expected mm')
    text = fields.get('space directions')
    if text is not None:
        steps: list[NDArray | None] = []
        for word in text.replace('(', ' (').replace(', ', ',').split():
            steps.append(None if word.lower() == 'none' else _parse_vector(word))
        if len(steps) != count:
            raise DamagedError(f'{len(steps)} space directions, expected {count}')
        return steps, ()
    note = ('The header gives no orientation; RAS axes are assumed.',)
    words = fields.get('spacings', ' '.join(['1'] * count)).split()
    lengths = [_parse_number(word) for word in words]
    if len(lengths) != count or count < 3:
        raise DamagedError(f'{len(lengths)} spacings, expected {count}, three or more')
    # Without directions only the kinds can tell a channel axis.
    kinds = fields.get('kinds', '').split() or ['domain'] * count
    steps = []
    for length, kind in zip(lengths, kinds, strict=False):
        axis = sum(step is not None for step in steps)
        if kind in ('domain', 'space', '???') and axis < 3:
            step_mm = length if math.isfinite(length) else 1.0
            steps.append(np.eye(3)[axis] * step_mm)
        else:
            steps.append(None)
    return steps, note


def _make_affine(
    fields: dict[str, str], directions: list[NDArray | None]
) -> NDArray[np.float64]:
    origin = fields.get('space origin')
    affine = make_affine((1, 1, 1))
    for axis, step in enumerate(directions):
        affine[:3, 2 - axis] = step
    affine[:3, 3] = _parse_vector(origin) if origin else 0
    space = fields.get('space', '').lower()
    if 'space directions' in fields and space not in _SPACES:
        raise DamagedError(f'space is {space!r}, expected LPS, RAS or LAS')
    for row, sign in enumerate(_SPACES.get(space, (1, 1, 1))):
        if sign < 0:
            affine[row] = np.where(affine[row] == 0, 0, -affine[row])
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not lengths.all():
        raise DamagedError('its space directions are singular or not finite')
    return affine


def _parse_vector(word: str) -> NDArray[np.float64]:
    numbers = [_parse_number(part) for part in word.strip('()').split(',')]
    if len(numbers) != 3:
        raise DamagedError(f'vector {word[:60]!r}, expected three numbers')
    return np.asarray(numbers)


def _parse_number(word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise DamagedError(f'{word[:40]!r}, expected a number') from error


def _format_vector(vector: NDArray) -> str:
    return '(' + ','.join(repr(float(value)) for value in vector) + ')'
