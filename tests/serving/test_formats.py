"""What a file is, whatever it is called, and how large its header says it is."""

import gzip
import struct

import pytest

from mmmed.serving.errors import ServiceError
from mmmed.serving.formats import check_size, identify_upload


@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz', '.nrrd', '.mha'])
def test_formats_are_told_by_content(scan_bytes, suffix, tmp_path) -> None:
    path = tmp_path / 'upload'
    path.write_bytes(scan_bytes[suffix])
    assert identify_upload(path) == suffix
    count = 7 * 11 * 13
    check_size(path, suffix, voxels=count)
    with pytest.raises(ServiceError, match=f'{count} voxels, at most {count - 1}'):
        check_size(path, suffix, voxels=count - 1)


@pytest.mark.parametrize(
    ('content', 'kind'),
    [
        (bytes(128) + b'DICM' + bytes(20), '.dcm'),
        (b'PK\x03\x04' + bytes(30), '.zip'),
        (struct.pack('>i', 348) + bytes(340) + b'n+1\0', '.nii'),
        (struct.pack('<i4s', 540, b'n+2\0') + bytes(532), '.nii'),
    ],
)
def test_headers_by_hand(content, kind, tmp_path) -> None:
    (tmp_path / 'upload').write_bytes(content)
    assert identify_upload(tmp_path / 'upload') == kind


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'x',
        b'<html>',
        # The time of day in the header would be part of the test's name.
        gzip.compress(b'tar or text' * 100, mtime=0),
        b'\x1f\x8b',
        b'NRRD',
    ],
)
def test_everything_else_is_refused(content, tmp_path) -> None:
    (tmp_path / 'upload').write_bytes(content)
    with pytest.raises(ServiceError) as info:
        identify_upload(tmp_path / 'upload')
    assert info.value.status in (415, 422)


def test_a_header_that_promises_everything_is_too_large(tmp_path) -> None:
    header = bytearray(352)
    struct.pack_into('<i', header, 0, 348)
    struct.pack_into('<8h', header, 40, 4, 32767, 32767, 32767, 32767, 1, 1, 1)
    header[344:348] = b'n+1\0'
    (tmp_path / 'bomb').write_bytes(gzip.compress(bytes(header)))
    assert identify_upload(tmp_path / 'bomb') == '.nii.gz'
    with pytest.raises(ServiceError, match=f'{32767**4} voxels') as info:
        check_size(tmp_path / 'bomb', '.nii.gz', voxels=1 << 28)
    assert info.value.status == 413
