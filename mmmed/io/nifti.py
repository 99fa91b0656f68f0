"""NIfTI files to volumes; the file's x-y-z order ends here.

Nibabel interprets the header; the voxels are read here, because its reader takes
several times longer and stops before gzip's checksum. Writing: ``nifti_writing``.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_grid_difference, compute_spacing
from mmmed.io.compression import ByteSource, DamagedError
from mmmed.io.values import apply_scaling, check_finite
from mmmed.structures import Volume, VolumeSource

# NIfTI data type codes of real numbers up to 8 bytes.
TYPES = {
    2: 'u1', 4: 'i2', 8: 'i4', 16: 'f4', 64: 'f8',
    256: 'i1', 512: 'u2', 768: 'u4', 1024: 'i8', 1280: 'u8',
}  # fmt: skip
_MAX_EXTENSIONS = 1 << 26
_DISAGREE_MM = 0.01


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What a NIfTI file knows beside its voxels.

    Args:
        fields: Nibabel's header, in the file's byte order.
        extensions: Bytes between header and voxels, as stored.
        affine: In array-axis order, as the header gives it.
        shape: (Z, Y, X).
    """

    fields: nib.Nifti1Header
    extensions: bytes
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]


def read(path: Path, *, nonfinite: float | None = None) -> Volume:
    """Read a ``.nii`` or ``.nii.gz`` file.

    Values without a scale stay as stored; scaled ones become floating point. Single
    axes after the third are dropped; a fourth axis becomes the channel axis.

    Args:
        path: The file.
        nonfinite: Value that replaces NaN and infinity; None refuses them.

    Returns:
        Volume in the file's own orientation: Z is the file's third axis. Memory
        taken is at most 1032 times a compressed file, which is deflate's own limit;
        eight times that where integers are scaled.

    Raises:
        ValueError: Not a NIfTI image, truncated, of more than four axes, complex or
            RGB, with a unit other than mm, a singular affine or voxels that are not
            finite. Without the file name, which :func:`mmmed.io.read_volume` adds.
    """
    with ByteSource(path, compressed=path.name.lower().endswith('.gz')) as source:
        fields = _read_fields(source)
        shape_xyz = _find_shape(fields)
        code = int(fields['datatype'])
        if code not in TYPES:
            name = str(fields.get_value_label('datatype'))
            raise DamagedError(f'values are {name}, expected real numbers')
        dtype = np.dtype(fields.endianness + TYPES[code])
        extensions = _read_extensions(source, fields)
        stored = source.read_array(shape_xyz[::-1], dtype)
        source.finish()
    scaling = _find_scaling(fields)
    array, notes = check_finite(apply_scaling(stored, scaling), nonfinite)
    shape = array.shape[-3:]
    affine = _find_affine(fields)
    header = NiftiHeader(fields, extensions, affine, (shape[0], shape[1], shape[2]))
    details = VolumeSource(
        path=str(path),
        format='nifti',
        stored_dtype=stored.dtype,
        scaling=scaling,
        header=header,
        notes=(*notes, *_describe_affine(fields, affine, header.shape)),
    )
    return Volume(array, compute_spacing(affine), affine, details)


def _read_fields(source: ByteSource) -> nib.Nifti1Header:
    start = source.read(4)
    kinds: dict[int, type[nib.Nifti1Header]] = {
        348: nib.Nifti1Header,
        540: nib.Nifti2Header,
    }
    for order in '<>':
        size = struct.unpack(order + 'i', start)[0]
        if size in kinds:
            block = start + source.read(size - 4)
            fields = kinds[size](block, endianness=order, check=False)
            break
    else:
        raise DamagedError('not a NIfTI image: its first bytes are no header size')
    magic = bytes(fields['magic'])[:3]
    if magic not in (b'n+1', b'n+2'):
        what = 'a header of two-file NIfTI' if magic in (b'ni1', b'ni2') else 'Analyze'
        raise DamagedError(f'{what}, expected a single NIfTI file')
    unit = int(fields['xyzt_units']) & 7
    if unit not in (0, 2):
        name = {1: 'meter', 3: 'micron'}.get(unit, f'unit {unit}')
        raise DamagedError(f'its lengths are in {name}, expected mm')
    return fields


def _find_shape(fields: nib.Nifti1Header) -> tuple[int, ...]:
    count = int(fields['dim'][0])
    if not 1 <= count <= 7:
        raise DamagedError(f'{count} axes, expected two to four')
    lengths = [int(length) for length in fields['dim'][1 : count + 1]]
    if min(lengths) < 1:
        raise DamagedError(f'shape {tuple(lengths)}, expected at least one voxel')
    space = [*lengths, 1, 1][:3]
    rest = [length for length in lengths[3:] if length > 1]
    if len(rest) > 1:
        raise DamagedError(f'shape {tuple(lengths)}, expected three or four axes')
    return (*space, *rest)


def _read_extensions(source: ByteSource, fields: nib.Nifti1Header) -> bytes:
    size = int(fields['sizeof_hdr'])
    offset = float(fields['vox_offset'])
    if not math.isfinite(offset) or offset < 0 or offset > _MAX_EXTENSIONS:
        raise DamagedError(f'voxels at byte {offset}, expected {size + 4} or more')
    # Zero is common and means: directly behind header and extension flag.
    return source.read(max(int(offset), size + 4) - size)


def _find_scaling(fields: nib.Nifti1Header) -> tuple[float, float]:
    slope, intercept = float(fields['scl_slope']), float(fields['scl_inter'])
    if slope == 0 or math.isnan(slope):  # the standard's word for no scaling
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise DamagedError(f'scaling {slope}, {intercept}, expected finite numbers')
    return slope, intercept


def _find_affine(fields: nib.Nifti1Header) -> NDArray[np.float64]:
    try:
        with np.errstate(all='ignore'):  # a damaged header is told below
            affine = np.asarray(fields.get_best_affine(), dtype=np.float64)
    except (ValueError, nib.spatialimages.HeaderDataError) as error:
        raise DamagedError(f'its affine is invalid ({error})') from error
    if not np.isfinite(affine).all():
        raise DamagedError('its affine holds NaN or infinity; set a valid sform')
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise DamagedError('its affine is singular; set a valid sform')
    return affine[:, [2, 1, 0, 3]]


def _describe_affine(
    fields: nib.Nifti1Header, affine: NDArray, shape: tuple[int, int, int]
) -> tuple[str, ...]:
    if fields['sform_code'] <= 0 and fields['qform_code'] <= 0:
        return (
            'The header gives no orientation (qform and sform code 0); x is taken to '
            'point left, and the center of the image is the origin.',
        )
    if fields['sform_code'] <= 0 or fields['qform_code'] <= 0:
        return ()
    try:
        other = fields.get_qform()[:, [2, 1, 0, 3]]
    except (ValueError, nib.spatialimages.HeaderDataError):
        return ('Its qform is invalid; the sform is used.',)
    apart_mm = compute_grid_difference(affine, other, shape)
    if apart_mm <= _DISAGREE_MM:
        return ()
    return (
        f'Its qform and sform disagree by up to {apart_mm:.3g} mm; the sform is used.',
    )
