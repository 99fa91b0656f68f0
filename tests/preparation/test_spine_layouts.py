"""Images and masks of a raw folder, told by names alone: no voxel is read."""

from pathlib import PurePosixPath

import pytest

from mmmed.preparation.findings import InputError
from mmmed.preparation.spine_layouts import find_images
from mmmed.preparation.spine_targets import TargetTable

POINTER = '/annex/objects/SHA256E-s17100000--0123456789abcdef.nii.gz\n'


def touch(root, *names, text='image'):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def find(root, text=None, **options):
    table = TargetTable()
    if text is not None:
        file = root.parent / 'table.csv'
        file.write_text(text)
        table = TargetTable.read(file)
    images, findings = find_images(root, table, **options)
    return {image.case_id: image for image in images}, findings


def test_spine_generic_as_it_is_published(tmp_path):
    anat, labels = 'sub-a1/anat', 'derivatives/labels/sub-a1/anat'
    root = touch(
        tmp_path / 'raw',
        f'{anat}/sub-a1_T2w.nii.gz',
        f'{anat}/sub-a1_acq-T1w_MTS.nii.gz',
        f'sourcedata/{anat}/sub-a1_T2w.nii.gz',
        f'{labels}/sub-a1_T2w_label-SC_seg.nii.gz',
        f'{labels}/sub-a1_T2w_seg-manual.nii.gz',
        f'{labels}/sub-a1_T2w_label-spine_dseg.nii.gz',
        'derivatives/labels_softseg/sub-a1/anat/sub-a1_T2w_label-SC_seg.nii.gz',
        '.git/annex/objects/sub-a1_T1w.nii.gz',
    )
    images, findings = find(root)
    assert list(images) == ['sub-a1_T2w', 'sub-a1_acq-T1w_MTS']
    masks = {role: path.name for role, path in images['sub-a1_T2w'].masks.items()}
    assert masks == {'cord': 'sub-a1_T2w_seg-manual.nii.gz'}  # by hand goes before
    assert images['sub-a1_acq-T1w_MTS'].targets == {'sequence': 'other'}
    problems = sorted(finding.problem for finding in findings)
    assert [problem[:12] for problem in problems] == [
        '1 unprocesse',
        '2 label(s) o',
        'taken as the',
    ]


def test_equal_names_in_two_folders_are_two_cases(tmp_path):
    names = [f'{site}/sub-1/anat/sub-1_T2w.nii' for site in ('x', 'y')]
    images, _ = find(touch(tmp_path / 'raw', *names))
    assert list(images) == ['sub-1_T2w', 'y-sub-1-anat-sub-1_T2w']
    # The same subject twice may be one person: never on two sides.
    assert {image.patient_id for image in images.values()} == {'sub-1'}


def test_the_table_may_speak_of_what_is_not_fetched(tmp_path):
    root = touch(tmp_path / 'raw', 't1/t1.nii')
    touch(root, 't2/t2.nii.gz', 't1/t1_lesion_seg.nii', text=POINTER)
    images, findings = find(root, 'path,patient\nt2/t2.nii.gz,p1\n')
    # An image whose lesion mask is not fetched must not pass for a healthy one.
    assert images == {}
    assert [finding.path for finding in findings] == [
        't1/t1_lesion_seg.nii',
        't2/t2.nii.gz',
    ]
    assert all('git annex get' in finding.remedy for finding in findings)


def test_the_longest_path_of_the_table_counts(tmp_path):
    root = touch(tmp_path / 'raw', 'a/b/t2.nii', 'a/c/t2.nii')
    text = 'path,location,patient\na,lumbar,p1\na/b,,p2\na/b/t2.nii,thoracic,\n'
    images, _ = find(root, text)
    found = [(i.targets['location'], i.patient_id) for i in images.values()]
    assert found == [('thoracic', 'p2'), ('lumbar', 'p1')]
    table = TargetTable.read(tmp_path / 'table.csv')
    rows = table.find(PurePosixPath('a/b/t2.nii'))
    assert [row.path.as_posix() for row in rows] == ['a/b/t2.nii', 'a/b', 'a']


@pytest.mark.parametrize(
    ('name', 'match'),
    [
        ('images/x_1.png', 'spine-slices'),
        ('sourcedata/sub-1/anat/sub-1_T2w.nii', 'folder above'),
        ('derivatives/manual/sub-1_T2w.nii', 'only labels'),
        ('notes.txt', 'expected sub-'),
    ],
)
def test_nothing_to_use_is_explained(tmp_path, name, match):
    with pytest.raises(InputError, match=match):
        find(touch(tmp_path / 'raw', name))
