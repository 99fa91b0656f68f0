import pytest

from mmmed.preparation.atlas_layout import find_scans, name_site, name_subject
from mmmed.preparation.findings import InputError

STEM = 'ses-1_space-MNI152NLin2009aSym'


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def add(folder, name, *, mask=True):
    touch(folder / f'{name}_{STEM}_T1w.nii.gz')
    if mask:
        touch(folder / f'{name}_{STEM}_label-L_desc-T1lesion_mask.nii.gz')


@pytest.mark.parametrize(
    'place',
    [
        'Training/R001/sub-r001s001/ses-1/anat',
        'training/r001/sub-r001s001/ses-1/anat',
        'derivatives/ATLAS/sub-r001s001/ses-1/anat',
        'sub-r001s001/ses-1/anat',
        'ATLAS_2/Training/R001/sub-r001s001/ses-1/anat',
    ],
)
def test_a_subject_is_found_in_every_layout(tmp_path, place):
    add(tmp_path / place, 'sub-r001s001')
    (scan,), findings = find_scans(tmp_path)
    assert (scan.case_id, scan.site, scan.session) == ('sub-r001s001', 'R001', '1')
    assert set(scan.to_task().sources) == {'t1w', 'seg'}
    assert findings == []


def test_stray_files_are_named_and_known_ones_are_not(tmp_path):
    add(tmp_path / 'Training/R001/sub-r001s001/ses-1/anat', 'sub-r001s001')
    for name in ('dataset_description.json', 'README', 'Training/R001/.DS_Store',
                 'Training/R001/dataset_description.json'):  # fmt: skip
        touch(tmp_path / name)
    assert find_scans(tmp_path)[1] == []
    touch(tmp_path / 'Training/notes.docx')
    touch(tmp_path / 'Training/R001/sub-r001s001/ses-1/anat/old.nii')
    (finding,) = find_scans(tmp_path)[1]
    assert '2 file(s)' in finding.problem
    assert 'notes.docx' in finding.problem
    assert not finding.skipped


def test_a_test_subject_needs_no_mask_and_a_training_one_does(tmp_path):
    for part in ('Training/R001/sub-r001s001', 'Testing/R002/sub-r002s001'):
        add(tmp_path / part / 'ses-1/anat', part[-12:], mask=False)
    scans, findings = find_scans(tmp_path)
    assert [scan.mask for scan in scans] == [None, None]
    (finding,) = findings
    assert 'no lesion mask' in finding.problem
    assert 'r001' in finding.path


def test_doubt_is_a_finding(tmp_path):
    add(tmp_path / 'sub-r001s001/ses-1/anat', 'sub-r001s001')
    add(tmp_path / 'sub-r002s001/ses-1/anat', 'sub-r002s001')
    for stem in ('a_lesion_mask', 'b_lesion_mask'):
        touch(tmp_path / f'sub-r003s001/ses-1/anat/{stem}.nii.gz')
    touch(tmp_path / 'sub-r004s001/anat/x_label-L_mask.nii.gz')
    add(tmp_path / 'copy/sub-r002s001/ses-1/anat', 'sub-r002s001')
    broken = tmp_path / 'sub-r005s001/anat/sub-r005s001_T1w.nii.gz'
    broken.parent.mkdir(parents=True)
    broken.symlink_to(tmp_path / 'nowhere')
    scans, findings = find_scans(tmp_path)
    assert [scan.case_id for scan in scans] == ['sub-r001s001', 'sub-r002s001']
    text = '\n'.join(finding.problem for finding in findings)
    assert '2 lesion masks' in text
    assert 'a lesion mask without an image' in text
    assert 'is there twice' in text
    assert 'a link to a file that is not there' in text


def test_the_image_in_mni_space_is_taken_of_several(tmp_path):
    folder = tmp_path / 'sub-r001s001/ses-1/anat'
    add(folder, 'sub-r001s001')
    touch(folder / 'sub-r001s001_ses-1_T1w.nii.gz')
    (scan,), _ = find_scans(tmp_path)
    assert 'space-MNI' in scan.image.name


def test_a_folder_without_subjects_is_explained(tmp_path):
    with pytest.raises(InputError, match='no folder sub-'):
        find_scans(tmp_path)
    touch(tmp_path / 'ATLAS_R2.0.tar.gz')
    with pytest.raises(InputError, match='holds the archive ATLAS'):
        find_scans(tmp_path)


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('r001s002', 'sub-r001s002'),
        ('sub-R001S002', 'sub-r001s002'),
        ('sub-r001s002_ses-1_T1w.nii.gz', 'sub-r001s002'),
        ('sub-other12', 'sub-other12'),
    ],
)
def test_a_subject_may_be_written_in_several_ways(text, name):
    assert name_subject(text) == name


def test_what_is_no_subject_is_refused():
    with pytest.raises(InputError, match='no subject'):
        name_subject('fold_1')
    assert name_site('sub-r012s001') == 'R012'
    assert name_site('sub-other12') == 'unknown'
