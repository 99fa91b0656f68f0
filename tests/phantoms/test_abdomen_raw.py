import json

import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.phantoms.abdomen_ct import make_abdomen
from mmmed.phantoms.abdomen_raw import LAYOUTS, write_abdomen_raw


@pytest.fixture(scope='module')
def patients():
    return [make_abdomen(n, spacing=(8, 5, 5), tumors=3) for n in (1, 2)]


@pytest.mark.parametrize(
    ('layout', 'image', 'numbers'),
    [
        ('btcv', '01_Multi-Atlas_Labeling/img/img0002.nii.gz', {6, 11, 1}),
        ('pancreas-ct', '02_TCIA_Pancreas-CT/img/PANCREAS_0002.nii.gz', {6, 2, 3}),
        ('chaos', '03_CHAOS/ct/img/2_image.nii.gz', {1}),
        ('lits', '04_LiTS/img/liver_2.nii.gz', {1}),
        ('kits', '05_KiTS/img/img0002.nii.gz', {1}),
        ('msd-liver', 'Task03_Liver/imagesTr/liver_2.nii.gz', {1}),
        ('msd-pancreas', 'Task07_Pancreas/imagesTr/pancreas_002.nii.gz', {1}),
    ],
)
def test_files_lie_where_the_collection_has_them(
    tmp_path, patients, layout, image, numbers
):
    assert write_abdomen_raw(tmp_path, patients, layout) == 2
    scan = read_volume(tmp_path / image)
    assert np.array_equal(scan.array, patients[1].volume.array)
    scan.check_grid(patients[1].volume)
    labels = [p for p in tmp_path.rglob('*.nii.gz') if 'label' in str(p.parent)]
    assert len(labels) == 2
    mask = read_volume(sorted(labels)[1])
    mask.check_grid(scan)
    assert numbers <= set(np.unique(mask.array))
    assert 'mmmed' in (tmp_path / image.split('/')[0] / 'README').read_text()


def test_tumors_are_labelled_two(tmp_path, patients):
    write_abdomen_raw(tmp_path, patients, 'lits')
    mask = read_volume(tmp_path / '04_LiTS/label/liver_1.nii.gz').array
    assert (mask == 2).sum() == (patients[0].tumors > 0).sum() > 0


def test_a_task_lists_its_files(tmp_path, patients):
    write_abdomen_raw(tmp_path, patients, 'msd-liver')
    task = tmp_path / 'Task03_Liver'
    value = json.loads((task / 'dataset.json').read_text())
    assert value['labels'] == {'0': 'background', '1': 'liver', '2': 'tumor'}
    assert all((task / entry['image']).is_file() for entry in value['training'])
    assert all((task / entry['label']).is_file() for entry in value['training'])


def test_finished_patients_are_not_written_again(tmp_path, patients):
    write_abdomen_raw(tmp_path, patients, 'chaos')
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.nii.gz')}
    write_abdomen_raw(tmp_path, patients, 'chaos')
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.nii.gz')}


def test_wrong_targets_are_named(tmp_path, patients):
    with pytest.raises(ValueError, match=r"'amos'.*btcv"):
        write_abdomen_raw(tmp_path, patients, 'amos')
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='is a file'):
        write_abdomen_raw(tmp_path / 'file', patients, LAYOUTS[0])
