import pytest

from mmmed.preparation import InputError
from mmmed.preparation.ct_ich_layout import find_raw_files, is_inside


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_names_become_patients_and_numbers(tmp_path):
    folder = tmp_path / 'Patients_CT'
    for name in (
        '049/brain/1.jpg',
        '49x/brain/2.jpg',
        '050/brain/10.JPG',
        '050/brain/10_hge_seg.jpeg',
        '050/bone/9.jpeg',
        '050/brain/Segmentation.jpg',
    ):
        touch(folder / name)
    files = find_raw_files(tmp_path)
    assert files.release == 'jpeg'
    assert set(files.images['brain']) == {('049', 1), ('050', 10)}
    assert set(files.images['mask']) == {('050', 10)}
    assert set(files.images['bone']) == {('050', 9)}
    assert files.patients == {'049', '050'}
    assert {finding.path for finding in files.findings} == {
        'Patients_CT/49x',
        'Patients_CT/050/brain/Segmentation.jpg',
    }


def test_scans_and_masks_are_found_by_patient(tmp_path):
    for name in (
        'ct_scans/049.nii',
        'ct_scans/50.nii.gz',
        'masks/049.nii',
        'masks/x.nii',
    ):
        touch(tmp_path / 'deep' / name)
    files = find_raw_files(tmp_path)
    assert files.release == 'nifti'
    assert set(files.images['scan']) == {('049', 0), ('050', 0)}
    assert set(files.images['mask']) == {('049', 0)}
    assert [finding.path for finding in files.findings] == ['deep/masks/x.nii']


@pytest.mark.parametrize(
    'name',
    [
        'a/hemorrhage_diagnosis.csv',
        'a/b/hemorrhage_diagnosis_raw_ct.csv',
        'Hemorrhage_Diagnosis.CSV',
    ],
)
def test_the_nearest_table_up_to_the_raw_folder_counts(tmp_path, name):
    raw = tmp_path / 'raw'
    touch(raw / 'a/b/Patients_CT/049/brain/1.jpg')
    touch(tmp_path / 'hemorrhage_diagnosis.csv')
    assert find_raw_files(raw).csv is None
    touch(raw / name)
    assert find_raw_files(raw).csv == raw / name


def test_a_table_behind_a_link_outside_is_not_read(tmp_path):
    raw = tmp_path / 'raw'
    touch(raw / 'Patients_CT/049/brain/1.jpg')
    touch(tmp_path / 'secret.csv')
    (raw / 'hemorrhage_diagnosis.csv').symlink_to(tmp_path / 'secret.csv')
    files = find_raw_files(raw)
    assert files.csv is None
    assert [f.path for f in files.findings] == ['hemorrhage_diagnosis.csv']


def test_links_within_the_raw_folder_are_followed(tmp_path):
    """As git-annex and DVC store their files."""
    touch(tmp_path / '.store/abc')
    link = tmp_path / 'Patients_CT/049/brain/1.jpg'
    link.parent.mkdir(parents=True)
    link.symlink_to('../../../.store/abc')
    files = find_raw_files(tmp_path)
    assert list(files.images['brain']) == [('049', 1)]
    assert files.findings == []


def test_scans_without_a_masks_folder_are_no_release(tmp_path):
    touch(tmp_path / 'ct_scans/049.nii')
    with pytest.raises(InputError, match=r'no ct_scans \+ masks'):
        find_raw_files(tmp_path)


def test_special_files_are_never_opened(tmp_path):
    import os

    touch(tmp_path / 'Patients_CT/049/brain/1.jpg')
    os.mkfifo(tmp_path / 'Patients_CT/049/brain/2.jpg')
    files = find_raw_files(tmp_path)
    assert [f.path for f in files.findings] == ['Patients_CT/049/brain/2.jpg']


def test_inside_follows_links(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/up').symlink_to('..')
    (tmp_path / 'a/loop').symlink_to('loop')
    assert is_inside(tmp_path / 'a/x', tmp_path / 'a')
    assert not is_inside(tmp_path / 'a/up', tmp_path / 'a')
    assert not is_inside(tmp_path / 'a/../b', tmp_path / 'a')
    is_inside(tmp_path / 'a/loop', tmp_path / 'a')  # says so or not, but returns
