"""Volumes to NIfTI files, with the header of the file that they came from."""

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic
from mmmed.functional.geometry import compute_shear
from mmmed.io.compression import compress_gzip
from mmmed.io.nifti import NiftiHeader
from mmmed.io.values import undo_scaling
from mmmed.structures import Volume

_LONGEST_NIFTI1 = 32767
_MAX_SHEAR = 1e-5


def write(volume: Volume, path: Path) -> None:
    """Write a volume; equal volumes give equal bytes, compressed or not.

    A volume that came from NIfTI keeps its header: form codes, extensions,
    description, scaling (as far as the values allow it, exactly). Any other gets
    both forms with code 1 (scanner), or 0 (none) if it came from pictures, whose
    place in a patient nobody knows.

    Args:
        volume: What to write. Boolean arrays are stored as uint8.
        path: Target; ``.gz`` at the end compresses.

    Raises:
        ValueError: NIfTI readers at large do not support the data type (float16, or
            64-bit integers that did not come from such a file).
        OSError: The file cannot be written; an older one stays.
    """
    source = volume.source
    template = source.header if source and source.format == 'nifti' else None
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    scaling = (float('nan'), float('nan'))
    if source is not None and template is not None:
        stored = undo_scaling(array, source.scaling, source.stored_dtype)
        if stored is not None:
            array, scaling = stored, source.scaling
    _check_type(array, source.stored_dtype if template and source else None)
    fields = _make_fields(volume, array, template)
    extensions = template.extensions if template else b'\0\0\0\0'
    size = int(fields['sizeof_hdr'])
    fields['vox_offset'] = size + len(extensions)
    if not _keeps_no_scaling(fields, scaling):
        fields['scl_slope'], fields['scl_inter'] = scaling
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder('<'))
    head = fields.binaryblock + extensions
    body = native.reshape(-1).view(np.uint8).data
    if path.name.lower().endswith('.gz'):
        write_bytes_atomic(path, *compress_gzip(head, body))
    else:
        write_bytes_atomic(path, head, body)


def _check_type(array: NDArray, stored: np.dtype | None) -> None:
    wide = array.dtype in (np.int64, np.uint64) and array.dtype != stored
    if wide or array.dtype == np.float16 or array.dtype.itemsize > 8:
        raise ValueError(
            f'cannot store {array.dtype}; convert to int16, int32 or float32'
        )


def _make_fields(
    volume: Volume, array: NDArray, template: NiftiHeader | None
) -> nib.Nifti1Header:
    shape_xyz = array.shape[:-4:-1] + array.shape[:-3]
    kind = nib.Nifti1Header
    if max(shape_xyz) > _LONGEST_NIFTI1:
        kind = nib.Nifti2Header
    if template is None:
        fields = kind(endianness='<')
        fields.set_xyzt_units('mm')
    elif kind is nib.Nifti2Header:
        fields = kind.from_header(template.fields, check=False)
    else:
        fields = template.fields.as_byteswapped('<')
        kind = type(template.fields)
    if template is None or not _has_shape(fields, shape_xyz):
        zooms = fields['pixdim'].copy()
        fields['dim'] = 1
        fields.set_data_shape(shape_xyz)
        fields['pixdim'][1:4] = volume.spacing[::-1]
        fields['pixdim'][4:] = zooms[4:] if len(shape_xyz) == 4 and template else 1
    if fields['datatype'] != (code := nib.nifti1.data_type_codes[array.dtype]):
        fields['datatype'] = code
        fields['bitpix'] = array.dtype.itemsize * 8
        # The display range was about values of the other type.
        fields['cal_min'] = fields['cal_max'] = 0
    if template is None or not np.array_equal(template.affine, volume.grid):
        _set_affine(fields, volume, template)
    return fields


def _has_shape(fields: nib.Nifti1Header, shape_xyz: tuple[int, ...]) -> bool:
    count = int(fields['dim'][0])
    lengths = [int(length) for length in fields['dim'][1 : count + 1]]
    kept = lengths[:3] + [length for length in lengths[3:] if length > 1]
    return [*kept, 1, 1][: max(3, len(kept))] == list(shape_xyz)


def _set_affine(
    fields: nib.Nifti1Header, volume: Volume, template: NiftiHeader | None
) -> None:
    affine = volume.grid[:, [2, 1, 0, 3]]
    qform = int(fields['qform_code'])
    sform = int(fields['sform_code'])
    fields['pixdim'][1:4] = volume.spacing[::-1]
    if template is None and volume.source and volume.source.format == 'image':
        return
    if template is None or (qform <= 0 and sform <= 0):
        qform = sform = 1
    rigid = compute_shear(volume.grid) < _MAX_SHEAR
    if qform > 0 and rigid:
        fields.set_qform(affine, code=qform)
    else:  # a qform cannot hold a shear
        fields['qform_code'] = 0
        sform = sform or qform or 1
    if sform > 0:
        fields.set_sform(affine, code=sform)


def _keeps_no_scaling(fields: nib.Nifti1Header, scaling: tuple[float, float]) -> bool:
    """Whether the header already says "no scaling", in its own way."""
    if np.isfinite(scaling[0]):
        return False
    slope, intercept = float(fields['scl_slope']), float(fields['scl_inter'])
    return slope == 0 or np.isnan(slope) or (slope, intercept) == (1.0, 0.0)
