"""Finding scans, and names that nothing can break."""

import os
import re

import numpy as np
import pytest

from mmmed.inference.discovery import find_scans, select_part
from mmmed.io import write_volume
from mmmed.structures import Volume

HOSTILE = [
    'line\nbreak.nii.gz',
    '-rf.nii.gz',
    '~root.nii.gz',
    'a:b*c?"<>|.nii.gz',
    "quote'$(reboot)`id`.nii",
    'trailing space .nii.gz',
    '100%.nii',
    'größe 脑.nii.gz',
    'dots.in.name.v1.nii.gz',
    os.fsdecode(b'bytes\xff\xfe.nii.gz'),
    'x' * 200 + '.nii.gz',
    '脑' * 75 + '.nii.gz',
]


def touch(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'')


def test_names_are_safe_unique_and_short(tmp_path) -> None:
    for name in HOSTILE:
        touch(tmp_path / name)
    cases = find_scans(tmp_path)
    assert len(cases) == len(HOSTILE)
    ids = [case.case_id for case in cases]
    assert len({name.casefold() for name in ids}) == len(ids)
    for name in ids:
        assert name.isprintable()
        assert not re.search(r'[/\\:*?"<>|\n`$]', name)
        assert name[0] not in '.-~'
        assert len(f'.{name}.nii.gz.12345678.tmp'.encode()) <= 255
    assert 'größe 脑' in ids
    assert 'dots.in.name.v1' in ids
    assert 'bytes%FF%FE' in ids
    assert 'line%0Abreak' in ids


def test_names_that_collide_are_told_apart_in_the_same_way_every_time(tmp_path) -> None:
    for name in ('a.nii.gz', 'a.nrrd', 'A.mha', 'b_c.nii', 'b/c.nii', 'd.nii'):
        touch(tmp_path / 'in' / name)
    first = [case.case_id for case in find_scans(tmp_path / 'in')]
    assert len({name.casefold() for name in first}) == 6
    assert 'd' in first
    assert sum(name.startswith('b_c~') for name in first) == 2
    (tmp_path / 'in').rename(tmp_path / 'moved')
    assert [case.case_id for case in find_scans(tmp_path / 'moved')] == first


def test_results_hidden_files_and_other_files_are_no_scans(tmp_path) -> None:
    for name in ('a.nii.gz', 'sub/b.nii', 'notes.txt', '.hidden.nii', '.git/c.nii'):
        touch(tmp_path / name)
    touch(tmp_path / 'out' / 'a.nii.gz')
    found = find_scans(tmp_path, leave_out=tmp_path / 'out')
    assert [case.case_id for case in found] == ['a', 'sub_b']
    assert [case.case_id for case in find_scans(tmp_path / 'a.nii.gz')] == ['a']


@pytest.mark.parametrize('count', [1, 2, 3, 5, 20])
def test_parts_are_disjoint_and_all_together_are_all(tmp_path, count) -> None:
    for number in range(7):
        touch(tmp_path / f'{number}.nii')
    cases = find_scans(tmp_path)
    parts = [select_part(cases, count, k) for k in range(count)]
    assert sorted(c.case_id for part in parts for c in part) == [
        c.case_id for c in cases
    ]
    with pytest.raises(ValueError, match='part'):
        select_part(cases, count, count)


def test_nothing_to_find(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match='nowhere'):
        find_scans(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='no scan in'):
        find_scans(tmp_path)
    touch(tmp_path / 'a.txt')
    with pytest.raises(ValueError, match='cannot tell the format'):
        find_scans(tmp_path / 'a.txt')
    (tmp_path / 'b.dcm').write_bytes(b'\0' * 128 + b'DICM' + b'junk')
    with pytest.raises(ValueError, match=r'b\.dcm is'):
        find_scans(tmp_path)


def test_the_hash_is_that_of_the_content(tmp_path) -> None:
    volume = Volume(np.zeros((2, 3, 4), np.int16), (1.0, 1.0, 1.0))
    write_volume(volume, tmp_path / 'a.nii')
    write_volume(volume, tmp_path / 'b.nii')
    first, second = find_scans(tmp_path)
    assert first.hash_content() == second.hash_content()
    before = first.hash_content()
    volume.array[0, 0, 0] = 1
    write_volume(volume, tmp_path / 'a.nii')
    assert first.hash_content() != before
    assert first.read().array[0, 0, 0] == 1


def test_dicom_series_are_cases_of_their_own(tmp_path, write_dicom) -> None:
    write_dicom(tmp_path / 'in' / 'patient' / 'ct', slices=3, number=4)
    write_dicom(tmp_path / 'in' / 'mixed', slices=2, number=5)
    write_dicom(tmp_path / 'in' / 'mixed', slices=4, number=6)
    touch(tmp_path / 'in' / 'mixed' / 'readme.txt')
    touch(tmp_path / 'in' / 'volume.nii.gz')
    cases = find_scans(tmp_path / 'in')
    assert [case.case_id for case in cases if case.kind != 'dicom'] == ['volume']
    names = [case.case_id for case in cases if case.kind == 'dicom']
    assert names[-1] == 'patient_ct'
    assert all(name.startswith('mixed~') for name in names[:2])
    shapes = {case.read().shape for case in cases if case.kind == 'dicom'}
    assert shapes == {(2, 8, 6), (3, 8, 6), (4, 8, 6)}
    (alone,) = find_scans(tmp_path / 'in' / 'patient' / 'ct')
    assert alone.case_id == 'ct'
