"""Which series an input holds, what is none and why, and what each one is called."""

import hashlib
import re

import numpy as np
import pytest

from mmmed.inference.cascade.series import UnfitError, find_series
from mmmed.io import write_image, write_volume
from mmmed.structures import Volume

GREY = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


@pytest.fixture
def write(tmp_path):
    def write_nifti(place, array=GREY):
        path = tmp_path / 'in' / place
        write_volume(Volume(array, (3.0, 1.0, 0.5)), path)
        return path

    return write_nifti


def name_all(found):
    return [one.folder.as_posix() for one in found.series]


def test_equal_series_names_of_two_patients_stay_apart(tmp_path, write):
    for patient in ('p1', 'p2', 'P1'):
        for z in (9, 10, 2):
            write_image(
                tmp_path / 'in' / patient / 'T2_sag' / f'slice_{z}.png',
                np.full((3, 4), z + (z == 2), np.uint8),
            )
    write('p1/T2_sag.nii.gz')
    found = find_series(tmp_path / 'in')
    p1, upper = (hashlib.sha256(n).hexdigest()[:8] for n in (b'p1', b'P1'))
    same = [
        hashlib.sha256(n).hexdigest()[:8] for n in (b'p1/T2_sag', b'p1/T2_sag.nii.gz')
    ]
    assert sorted(name_all(found)) == sorted(
        [
            f'P1~{upper}/T2_sag',
            'p2/T2_sag',
            *(f'p1~{p1}/T2_sag~{digest}' for digest in same),
        ]
    )
    assert len({one.key for one in found.series}) == 4
    (second,) = (one for one in found.series if one.patient == 'p2')
    assert second.read().array[:, 0, 0].tolist() == [3, 9, 10]
    assert found.select_part(3, 0) + found.select_part(3, 1) == found.series[:3]


def test_layouts_and_bids(write, tmp_path):
    write('flat.nii.gz')
    write('sub-01_T2w.nii.gz')
    write('sub-02/anat/sub-02_T2w.nii.gz')
    write('site/sub-02/anat/sub-02_T2w.nii')
    write('batch_report.json/scan.nii.gz')
    digest = hashlib.sha256(b'batch_report.json').hexdigest()[:8]
    assert name_all(find_series(tmp_path / 'in')) == [
        f'batch_report.json~{digest}/scan',
        'flat/flat',
        'site_sub-02/anat_sub-02_T2w',
        'sub-01/sub-01_T2w',
        'sub-02/anat_sub-02_T2w',
    ]


def test_dicom_is_split_by_uid_and_named_without_its_header(make_mr, tmp_path):
    folder = make_mr('in/exam', uid='1.2.3', patient='Secret-77')
    make_mr('in/exam', uid='1.2.4', patient='Secret-77', names='b')
    make_mr('in/box/first', uid='1.2.5', patient='A')
    make_mr('in/box/second', uid='1.2.6', patient='B')
    (folder / 'cut.dcm').write_bytes((folder / 'b0.dcm').read_bytes()[:300])
    (folder / 'odd.dcm').write_bytes(bytes(128) + b'DICM' + b'\x02\0\0\0UL' * 9)
    (folder / 'notes.txt').write_text('hello')
    (folder / 'twin').write_bytes((folder / 'b0.dcm').read_bytes())
    (tmp_path / 'in' / 'empty').mkdir()
    found = find_series(tmp_path / 'in')
    a, b, secret, one, two = (
        hashlib.sha256(text).hexdigest()[:8]
        for text in (b'A', b'B', b'Secret-77', b'1.2.3', b'1.2.4')
    )
    assert name_all(found) == sorted(
        [
            f'box~{a}/first',
            f'box~{b}/second',
            f'patient-{secret}/exam~{one}',
            f'patient-{secret}/exam~{two}',
        ]
    )
    assert found.series[-1].read().shape == (3, 4, 6)
    assert [(o.place, o.is_damaged) for o in found.left_out] == [
        ('empty', False),
        ('exam/cut.dcm', False),
        ('exam/notes.txt', False),
        ('exam/odd.dcm', True),
        ('exam/twin', False),
    ]
    assert found.left_out[-1].reason == 'a copy of exam/b0.dcm'
    assert found.left_out[1].reason == 'without pixels'


def test_what_is_no_series_says_why(make_mr, write, tmp_path):
    gap = make_mr('in/gap', heights=(0, 3, 6, 12))
    short = make_mr('in/short', uid='1.2.9')
    data = (short / '1.dcm').read_bytes()
    (short / '1.dcm').write_bytes(data[:-20])
    pydicom = pytest.importorskip('pydicom')
    for path in make_mr('in/ct', uid='1.2.10').iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Modality = 'CT'
        dataset.save_as(path)
    write('nan.nii.gz', np.where(GREY == 5, np.nan, GREY).astype(np.float32))
    write('time.nii.gz', np.stack([GREY, GREY]))
    write('blank.nii.gz', np.zeros_like(GREY))
    write('mask.nii.gz', (GREY > 5).astype(np.uint8))
    (tmp_path / 'in' / 'bad.nii.gz').write_bytes(b'/annex/objects/SHA256E-s1')
    for k in range(2):
        write_image(tmp_path / f'in/mixed/{k}.png', np.zeros((3, 4 + k), np.uint8))
    write_image(tmp_path / 'in/rgb/0.png', np.full((3, 4, 3), [1, 90, 200], np.uint8))
    reasons = {}
    for one in find_series(tmp_path / 'in').series:
        with pytest.raises(ValueError, match=r'.') as caught:
            one.read()
        reasons[one.place] = (type(caught.value) is UnfitError, str(caught.value))
    assert len(reasons) == 10
    words = {
        'gap': (False, r'1 slices of 3 mm are missing.* Export the series again.'),
        'ct': (True, 'ct: CT images, expected MR'),
        'short': (False, '1.dcm'),
        'nan.nii.gz': (False, '1 of 24 voxels are NaN'),
        'time.nii.gz': (True, '4-D image of 2 volumes'),
        'blank.nii.gz': (True, 'every voxel has the same value'),
        'mask.nii.gz': (True, 'two values, 0 and 1: a mask'),
        'bad.nii.gz': (False, 'not a readable NIfTI'),
        'mixed': (False, r'1.png: uint8 picture of \(3, 5\) pixels'),
        'rgb': (False, 'a picture in colours'),
    }
    for place, (unfit, text) in words.items():
        assert reasons[place][0] == unfit, place

        assert re.search(text, reasons[place][1]), reasons[place]
    assert 'irregular=' not in reasons['gap'][1]
    assert gap.name == 'gap'


def test_nothing_is_an_error_that_says_what_there_is(tmp_path):
    (tmp_path / 'in' / 'deep').mkdir(parents=True)
    (tmp_path / 'in' / 'notes.txt').write_text('x')
    with pytest.raises(ValueError, match=r'no image series.*deep is an empty folder'):
        find_series(tmp_path / 'in')
    with pytest.raises(FileNotFoundError, match=r'nowhere does not exist'):
        find_series(tmp_path / 'nowhere')
    write_image(tmp_path / 'in' / 'one.png', np.zeros((3, 4), np.uint8))
    found = find_series(tmp_path / 'in' / 'one.png')
    with pytest.raises(ValueError, match='part 2 of 2'):
        found.select_part(2, 2)
