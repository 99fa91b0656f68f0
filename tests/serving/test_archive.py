"""Zips from strangers; every refusal happens before anything is written outside."""

import io
import stat
import struct
import zipfile

import pytest

from mmmed.serving.archive import check_entries, unpack_dicom
from mmmed.serving.errors import ServiceError
from mmmed.serving.limits import Limits

LIMITS = Limits(unpacked_bytes=1 << 20, zip_entries=10)
REASONS = {
    'encrypted': 'encrypted',
    'link': 'link',
    'method': 'compression method 12',
    'up': 'leads out',
    'absolute': 'leads out',
    'drive': 'leads out',
    'backslash': 'leads out',
    'nested': 'another archive',
    'gzip': 'another archive',
    'many': '11 entries',
    'large': '2 MiB unpacked',
    'empty': 'no file',
    'no zip': 'cut off',
    'cut': 'cut off',
    'damaged': 'damaged',
    'liar': 'damaged|too large',
}


def make_zip(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def make_hostile(kind: str) -> bytes:
    plain = {'a.dcm': b'content' * 30}
    if kind == 'encrypted':
        content = bytearray(make_zip(plain))
        for mark, place in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
            content[content.index(mark) + place] |= 1
        return bytes(content)
    if kind == 'link':
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, 'w') as archive:
            info = zipfile.ZipInfo('a.dcm')
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, '/etc/passwd')
        return stream.getvalue()
    if kind == 'cut':
        return make_zip(plain)[:-10]
    if kind == 'damaged':
        content = bytearray(make_zip(plain, zipfile.ZIP_STORED))
        content[content.index(b'content')] ^= 1
        return bytes(content)
    if kind == 'liar':  # says 10 bytes, unpacks to 2 MiB
        content = bytearray(make_zip({'a.dcm': bytes(2 << 20)}))
        for mark, place in ((b'PK\x03\x04', 22), (b'PK\x01\x02', 24)):
            struct.pack_into('<L', content, content.index(mark) + place, 10)
        return bytes(content)
    return {
        'method': lambda: make_zip(plain, zipfile.ZIP_BZIP2),
        'up': lambda: make_zip({'x/../../evil.dcm': b'1'}),
        'absolute': lambda: make_zip({'/tmp/evil.dcm': b'1'}),
        'drive': lambda: make_zip({'C:evil.dcm': b'1'}),
        'backslash': lambda: make_zip({'..\\evil.dcm': b'1'}),
        'nested': lambda: make_zip({'a.zip': make_zip(plain)}),
        'gzip': lambda: make_zip({'a.nii.gz': b'\x1f\x8b\x08' + bytes(20)}),
        'many': lambda: make_zip({f'{k}.dcm': b'1' for k in range(11)}),
        'large': lambda: make_zip({f'{k}.dcm': bytes(1 << 20) for k in range(2)}),
        'empty': lambda: make_zip({}),
        'no zip': lambda: b'PK\x03\x04' + bytes(100),
    }[kind]()


@pytest.mark.parametrize('kind', REASONS)
def test_hostile_archives_are_refused(kind, tmp_path) -> None:
    (tmp_path / 'in').mkdir()
    path = tmp_path / 'in' / 'upload'
    path.write_bytes(make_hostile(kind))
    with pytest.raises(ServiceError, match=REASONS[kind].replace('12', '12')) as info:
        unpack_dicom(path, tmp_path / 'in' / 'dicom', LIMITS)
    assert info.value.status in (413, 422)
    assert [p.name for p in tmp_path.iterdir()] == ['in']
    written = sum(p.stat().st_size for p in (tmp_path / 'in').rglob('*.dcm'))
    assert written <= LIMITS.unpacked_bytes


def test_files_come_out_under_names_of_ours(tmp_path) -> None:
    names = {'study/': b'', 'study/IM 1': b'one', 'stüdy/\u202eIM2.dcm': b'two'}
    (tmp_path / 'upload').write_bytes(make_zip(names))
    assert unpack_dicom(tmp_path / 'upload', tmp_path / 'dicom', LIMITS) == 2
    found = {p.name: p.read_bytes() for p in (tmp_path / 'dicom').iterdir()}
    assert found == {'00000.dcm': b'one', '00001.dcm': b'two'}


def test_a_ratio_that_no_image_has_is_a_bomb() -> None:
    info = zipfile.ZipInfo('a')
    info.file_size, info.compress_size = 100 << 20, 1 << 20
    limits = Limits()
    check_entries([info], (1 << 20) + 100, limits)  # exactly below 100
    info.compress_size = 1 << 19
    with pytest.raises(ServiceError, match='no images do'):
        check_entries([info], (1 << 19) + 100, limits)


def test_entries_that_share_their_bytes_are_a_bomb() -> None:
    infos = [zipfile.ZipInfo(str(k)) for k in range(3)]
    for info in infos:
        info.file_size, info.compress_size = 600, 500
    with pytest.raises(ServiceError, match='no images do'):
        check_entries(infos, 1000, Limits())


def test_a_huge_directory_is_refused_before_it_is_read(tmp_path) -> None:
    end = struct.pack('<4s4H2LH', b'PK\x05\x06', 0, 0, 9, 9, 1 << 30, 0, 0)
    (tmp_path / 'upload').write_bytes(b'PK\x03\x04' + bytes(64) + end)
    with pytest.raises(ServiceError, match='directory of 1073741824 bytes'):
        unpack_dicom(tmp_path / 'upload', tmp_path / 'dicom', LIMITS)
    end = struct.pack('<4s4H2LH', b'PK\x05\x06', 0, 0, 65535, 65535, 46, 0, 0)
    (tmp_path / 'upload').write_bytes(b'PK\x03\x04' + bytes(64) + end)
    with pytest.raises(ServiceError, match='ZIP64'):
        unpack_dicom(tmp_path / 'upload', tmp_path / 'dicom2', LIMITS)
