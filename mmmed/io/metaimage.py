"""MetaImage files (``.mha``, one file) to volumes and back.

Format: https://docs.itk.org/en/latest/learn/metaio.html. Physical space is LPS, the
fastest axis comes first, and each row of ``TransformMatrix`` is the direction of one
array axis.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.functional.geometry import compute_spacing
from mmmed.io.compression import ByteSource, DamagedError, compress_zlib, inflate
from mmmed.io.values import check_finite
from mmmed.structures import Volume, VolumeSource

_TYPES = {
    'MET_CHAR': 'i1', 'MET_UCHAR': 'u1', 'MET_SHORT': 'i2', 'MET_USHORT': 'u2',
    'MET_INT': 'i4', 'MET_UINT': 'u4', 'MET_LONG_LONG': 'i8',
    'MET_ULONG_LONG': 'u8', 'MET_FLOAT': 'f4', 'MET_DOUBLE': 'f8',
}  # fmt: skip
_NAMES = {code: name for name, code in _TYPES.items()}
_MAX_HEADER = 1 << 16
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def read(path: Path, *, nonfinite: float | None = None) -> Volume:
    """Read an ``.mha`` file.

    Args:
        path: The file.
        nonfinite: Value that replaces NaN and infinity; None refuses them.

    Returns:
        Volume; several values a voxel become the channel axis.

    Raises:
        ValueError: Damaged, voxels in another file, another number of axes, or
            values that are not finite. Without the file name.
    """
    fields, start = _read_header(path)
    if fields.get('ElementDataFile', '').upper() != 'LOCAL':
        raise DamagedError('its voxels are in another file, expected one file')
    sizes = _parse_numbers(fields, 'DimSize', int)
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise DamagedError(f'DimSize {sizes[:8]}, expected two or three lengths >= 1')
    code = _TYPES.get(fields.get('ElementType', ''))
    if code is None:
        raise DamagedError(f'ElementType {fields.get("ElementType")!r} is not known')
    channels = (_parse_numbers(fields, 'ElementNumberOfChannels', int) or [1])[0]
    msb = fields.get('BinaryDataByteOrderMSB', fields.get('ElementByteOrderMSB', ''))
    dtype = np.dtype(('>' if msb.lower() in ('true', '1') else '<') + code)
    affine = _make_affine(fields, len(sizes))
    shape = tuple(([*sizes, 1])[:3][::-1])
    if channels < 1:
        raise DamagedError(f'{channels} channels, expected at least one')
    full = shape if channels == 1 else (*shape, channels)
    array = _read_voxels(path, fields, start, full, dtype)
    if channels > 1:
        array = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    array, notes = check_finite(array, nonfinite)
    source = VolumeSource(str(path), 'mha', array.dtype, notes=notes)
    return Volume(array, compute_spacing(affine), affine, source)


def write(volume: Volume, path: Path) -> None:
    """Write a zlib-compressed ``.mha``.

    The format holds directions and spacing apart, so the affine returns to about
    1e-15, not to the last bit.

    Args:
        volume: What to write; boolean arrays become uint8.
        path: Target.

    Raises:
        ValueError: float16 values.
        OSError: The file cannot be written; an older one stays.
    """
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    name = _NAMES.get(array.dtype.str[1:])
    if name is None:
        raise ValueError(f'cannot store {array.dtype}; convert it to float32')
    channels = array.shape[0] if array.ndim == 4 else 1
    if array.ndim == 4:
        array = np.moveaxis(array, 0, -1)
    lps = _LPS_TO_RAS @ volume.grid[:3, [2, 1, 0, 3]]
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder('<'))
    body = compress_zlib(little.reshape(-1).view(np.uint8).data)
    lines = [
        'ObjectType = Image',
        'NDims = 3',
        'BinaryData = True',
        'BinaryDataByteOrderMSB = False',
        'CompressedData = True',
        f'CompressedDataSize = {sum(map(len, body))}',
        f'TransformMatrix = {_format((lps[:, :3] / spacing).T.ravel())}',
        f'Offset = {_format(lps[:, 3])}',
        'CenterOfRotation = 0 0 0',
        f'ElementSpacing = {_format(spacing)}',
        f'DimSize = {" ".join(str(n) for n in volume.shape[::-1])}',
        *([f'ElementNumberOfChannels = {channels}'] if channels > 1 else []),
        f'ElementType = {name}',
        'ElementDataFile = LOCAL',
    ]
    write_bytes_atomic(path, ('\n'.join(lines) + '\n').encode(), *body)


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    with open(path, 'rb') as stream:
        head = stream.read(min(_MAX_HEADER, path.stat().st_size))
    fields: dict[str, str] = {}
    position = 0
    while True:
        end = head.find(b'\n', position)
        if end < 0:
            raise DamagedError('not a MetaImage: its header has no ElementDataFile')
        line = head[position:end].decode('utf-8', 'replace')
        position = end + 1
        key, equals, value = line.partition('=')
        if not equals:
            raise DamagedError(f'header line {line[:60]!r}, expected "key = value"')
        fields[key.strip()] = value.strip()
        if key.strip() == 'ElementDataFile':
            return fields, position


def _read_voxels(
    path: Path,
    fields: dict[str, str],
    start: int,
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> NDArray:
    if fields.get('CompressedData', 'False').lower() not in ('true', '1'):
        with ByteSource(path, compressed=False, offset=start) as source:
            array = source.read_array(shape, dtype)
            source.finish()
            return array
    size = dtype.itemsize
    for length in shape:
        size *= length
    with open(path, 'rb') as stream:
        stream.seek(start)
        body = stream.read()
    data = inflate(body, size, gzip_header=False)
    array = np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
    return np.ascontiguousarray(array, dtype=dtype.newbyteorder('='))


def _make_affine(fields: dict[str, str], axes: int) -> NDArray[np.float64]:
    spacing = _parse_numbers(fields, 'ElementSpacing', float) or [1.0] * axes
    matrix = (
        _parse_numbers(fields, 'TransformMatrix', float)
        or _parse_numbers(fields, 'Rotation', float)
        or _parse_numbers(fields, 'Orientation', float)
        or np.eye(axes).ravel().tolist()
    )
    origin = (
        _parse_numbers(fields, 'Offset', float)
        or _parse_numbers(fields, 'Position', float)
        or _parse_numbers(fields, 'Origin', float)
        or [0.0] * axes
    )
    if len(spacing) != axes or len(matrix) != axes * axes or len(origin) != axes:
        raise DamagedError(f'geometry fields do not fit {axes} axes')
    steps = np.eye(3)
    steps[:axes, :axes] = np.reshape(matrix, (axes, axes)).T * np.asarray(spacing)
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ steps[:, ::-1]
    affine[:axes, 3] = origin
    affine[:3, 3] = _LPS_TO_RAS @ affine[:3, 3]
    if not np.isfinite(affine).all() or not np.linalg.norm(affine, axis=0).all():
        raise DamagedError('its TransformMatrix or spacing is singular or not finite')
    return affine


def _parse_numbers(fields: dict[str, str], key: str, kind: type) -> list:
    words = fields.get(key, '').split()
    try:
        return [kind(word) for word in words]
    except ValueError as error:
        raise DamagedError(f'{key} is {words[:9]}, expected numbers') from error


def _format(values: NDArray) -> str:
    return ' '.join(repr(float(value) + 0.0) for value in values)
