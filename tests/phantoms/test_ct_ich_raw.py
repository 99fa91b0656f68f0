import csv

import numpy as np
import pytest

from mmmed.io import read_image, read_volume
from mmmed.phantoms import make_cohort, write_jpeg_release, write_nifti_release


@pytest.fixture(scope='module')
def heads():
    return list(make_cohort(3, slices=4, size=64, seed=2))


def read_rows(path):
    with path.open(encoding='utf-8', newline='') as stream:
        return list(csv.reader(stream))


def test_the_jpeg_release_has_the_layout_of_the_real_one(tmp_path, heads):
    assert write_jpeg_release(tmp_path / 'raw', heads) == 12
    names = {
        path.relative_to(tmp_path / 'raw').as_posix()
        for path in (tmp_path / 'raw').rglob('*')
        if path.is_file()
    }
    expected = {'hemorrhage_diagnosis.csv', 'Patient_demographics.csv'}
    for head in heads:
        for number in range(1, 5):
            folder = f'Patients_CT/{head.number:03d}'
            expected |= {f'{folder}/brain/{number}.jpg', f'{folder}/bone/{number}.jpg'}
            if head.mask[number - 1].any():
                expected.add(f'{folder}/brain/{number}_HGE_Seg.jpg')
    assert names == expected


def test_jpeg_images_are_windowed_and_stored_as_colour(tmp_path, heads):
    write_jpeg_release(tmp_path / 'raw', heads)
    folder = tmp_path / 'raw/Patients_CT/001'
    brain = read_image(folder / 'brain/2.jpg').astype(float)
    bone = read_image(folder / 'bone/2.jpg').astype(float)
    assert brain.shape == bone.shape == (64, 64, 3)
    hu = heads[0].volume.array[1]
    soft = (hu > 0) & (hu < 80)
    np.testing.assert_allclose(
        brain[soft].mean(), (hu[soft].mean() + 20) / 120 * 255, atol=2
    )
    np.testing.assert_allclose(
        bone[soft].mean(), (hu[soft].mean() + 900) / 3200 * 255, atol=2
    )


def test_jpeg_masks_are_softened_but_thresholds_recover_them(tmp_path, heads):
    write_jpeg_release(tmp_path / 'raw', heads)
    soft = 0
    for head in heads:
        for path in (tmp_path / f'raw/Patients_CT/{head.number:03d}').rglob(
            '*_Seg.jpg'
        ):
            mask = read_image(path)
            soft += int(((mask > 0) & (mask < 255)).sum())
            truth = head.mask[int(path.name.split('_')[0]) - 1]
            np.testing.assert_array_equal(mask > 127, truth)
    assert soft > 0


@pytest.mark.parametrize(
    ('write', 'name'),
    [
        (write_jpeg_release, 'hemorrhage_diagnosis.csv'),
        (write_nifti_release, 'hemorrhage_diagnosis_raw_ct.csv'),
    ],
)
def test_tables_say_what_the_masks_show(tmp_path, heads, write, name):
    write(tmp_path / 'raw', heads)
    rows = read_rows(tmp_path / 'raw' / name)
    assert rows[0][0] == '\ufeffPatientNumber'
    assert len(rows) == 1 + 12
    column = {cell: index for index, cell in enumerate(rows[0])}
    for row in rows[1:]:
        head, index = heads[int(row[0].lstrip('\ufeff')) - 1], int(row[1]) - 1
        assert int(row[column['No_Hemorrhage']]) == (not head.mask[index].any())
        seen = {c.lower() for c in rows[0][2:7] if row[column[c]] == '1'}
        assert seen == head.subtypes[index]


@pytest.mark.data
@pytest.mark.parametrize(
    'name', ['hemorrhage_diagnosis.csv', 'Patient_demographics.csv']
)
def test_tables_have_the_header_bytes_of_the_real_ones(
    tmp_path, heads, sample_data, name
):
    write_jpeg_release(tmp_path / 'raw', heads)
    real = (sample_data / 'head_ct_ich' / name).read_bytes().split(b'\r\n')[0]
    assert (tmp_path / 'raw' / name).read_bytes().split(b'\r\n')[0] == real


def test_the_nifti_release_holds_the_volumes(tmp_path, heads):
    assert write_nifti_release(tmp_path / 'raw', heads) == 12
    for head in heads:
        scan = read_volume(tmp_path / f'raw/ct_scans/{head.number:03d}.nii')
        mask = read_volume(tmp_path / f'raw/masks/{head.number:03d}.nii')
        np.testing.assert_array_equal(scan.array, head.volume.array)
        np.testing.assert_array_equal(mask.array, head.mask * np.uint8(255))
        np.testing.assert_allclose(scan.affine, head.volume.affine, atol=1e-4)


@pytest.mark.parametrize('write', [write_jpeg_release, write_nifti_release])
def test_two_runs_write_the_same_bytes(tmp_path, heads, write):
    for name in ('a', 'b'):
        write(tmp_path / name, heads)
    files = sorted(p for p in (tmp_path / 'a').rglob('*') if p.is_file())
    assert len(files) > 5
    for path in files:
        twin = tmp_path / 'b' / path.relative_to(tmp_path / 'a')
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize('write', [write_jpeg_release, write_nifti_release])
def test_a_folder_that_holds_something_is_left_alone(tmp_path, heads, write):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(ValueError, match='not empty'):
        write(tmp_path, heads)
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
