import shutil

import numpy as np
import pytest

from mmmed.io import write_image, write_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.split_audit import audit_split
from mmmed.structures import Volume


def write_csv(tmp_path, *lines, header='case_id,patient_id,split,img_path'):
    path = tmp_path / 'table.csv'
    path.write_text('\n'.join([header, *lines]))
    return path


def collect(audit, kind):
    return [finding.text for finding in audit.findings if finding.kind == kind]


@pytest.fixture
def images(tmp_path, rng):
    """Four different pictures a.png to d.png."""
    folder = tmp_path / 'images'
    for name in 'abcd':
        write_image(folder / f'{name}.png', rng.integers(0, 256, (40, 50), np.uint8))
    return folder


TABLE = ('a,1,train,a.png', 'b,1,train,b.png', 'c,2,val,c.png', 'd,3,val,d.png')


def test_different_images_are_clean(tmp_path, images):
    audit = audit_split(write_csv(tmp_path, *TABLE), images=images, similarity=0.9)
    assert (audit.findings, audit.exit_code, audit.images) == ((), 0, 4)


def test_a_copy_under_another_name_is_an_overlap(tmp_path, images):
    shutil.copy(images / 'b.png', images / 'c.png')
    audit = audit_split(write_csv(tmp_path, *TABLE), images=images)
    assert audit.exit_code == 2
    assert collect(audit, 'overlap') == [
        'images b (1; split train) and c (2; split val) have the same bytes on two '
        'sides; keep one of them'
    ]


def test_a_re_encoded_copy_is_an_overlap(tmp_path, images):
    from mmmed.io import read_image

    write_image(images / 'c.png', np.stack([read_image(images / 'b.png')] * 3, -1))
    audit = audit_split(write_csv(tmp_path, *TABLE), images=images, workers=2)
    (text,) = collect(audit, 'overlap')
    assert 'b (1; split train) and c (2; split val) have the same pixels' in text


def test_one_file_under_two_cases_is_an_overlap(tmp_path, images):
    table = write_csv(tmp_path, *TABLE[:3], 'd,3,val,a.png')
    assert audit_split(table, images=images).exit_code == 2


def test_copies_on_one_side_are_a_warning_or_a_note(tmp_path, images):
    shutil.copy(images / 'c.png', images / 'd.png')
    shutil.copy(images / 'a.png', images / 'b.png')
    audit = audit_split(write_csv(tmp_path, *TABLE), images=images)
    assert audit.exit_code == 0
    assert 'under two patients' in collect(audit, 'warning')[0]
    assert collect(audit, 'note') == [
        '1 image(s) repeat the bytes of another of the patient'
    ]


def test_a_slightly_changed_copy_is_found_if_asked(tmp_path, images):
    from mmmed.io import read_image

    changed = read_image(images / 'a.png')
    changed[3, 4] ^= 1
    write_image(images / 'd.png', changed)
    table = write_csv(tmp_path, *TABLE)
    assert audit_split(table, images=images).findings == ()
    audit = audit_split(table, images=images, similarity=0.98)
    assert audit.exit_code == 0
    assert 'a (1; split train) and d (3; split val) look alike' in str(audit.findings)


def test_empty_slices_are_not_the_same_image(tmp_path, images):
    for name in 'ac':
        write_image(images / f'{name}.png', np.zeros((40, 50), np.uint8))
    audit = audit_split(write_csv(tmp_path, *TABLE), images=images, similarity=0.9)
    assert audit.exit_code == 0
    assert collect(audit, 'note') == ['2 image(s) of a single value were not compared']


def test_what_cannot_be_compared_ends_with_3(tmp_path, images):
    (images / 'a.png').write_bytes(b'damaged')
    (images / 'b.png').unlink()
    table = write_csv(tmp_path, *TABLE[:3], 'd,3,val,../secret.png')
    audit = audit_split(table, images=images)
    assert audit.exit_code == 3
    damage = '\n'.join(collect(audit, 'damage'))
    assert '1 image(s) cannot be decoded' in damage
    assert '2 image(s) are not in' in damage
    assert 'leaves its folder' in damage


def test_images_are_found_by_name(tmp_path, rng):
    folder = tmp_path / 'scans'
    array = rng.integers(0, 99, (3, 4, 5)).astype(np.int16)
    write_volume(Volume(array, (2.0, 1.0, 1.0)), folder / 'x' / 'a.b.nii.gz')
    turned = Volume(array, (2.0, 1.0, 1.0)).reorient('IAL')
    write_volume(turned, folder / 'y' / 'c.nii')
    header = 'case_id,patient_id,fold'
    table = write_csv(tmp_path, 'a.b,1,0', 'c,2,1', header=header)
    audit = audit_split(table, images=folder)
    assert audit.images == 2
    assert 'have the same pixels' in collect(audit, 'overlap')[0]
    write_volume(turned, folder / 'masks' / 'c.nii')
    with pytest.raises(InputError, match=r"case 'c' may be .*c\.nii"):
        audit_split(table, images=folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='--images'):
        audit_split(write_csv(tmp_path, *TABLE), images=tmp_path / 'absent')


def test_a_prepared_folder_is_clean(prepared_head_ct):
    audit = audit_split(prepared_head_ct / 'manifest.json', images=prepared_head_ct)
    assert audit.exit_code == 0
    assert audit.images == audit.cases


@pytest.mark.data
def test_real_masks_are_all_different(sample_data, tmp_path):
    root = sample_data / 'stroke_masks' / 'lesions'
    names = sorted(path.name for path in root.iterdir())[:6]
    lines = [f'{i},{i},{i % 2},{name}' for i, name in enumerate(names)]
    table = write_csv(tmp_path, *lines, header='case_id,patient_id,fold,img_path')
    audit = audit_split(table, images=root)
    assert (audit.exit_code, audit.images) == (0, 6)
