"""Pictures in class folders to a manifest of slices, and back as a dataset."""

import numpy as np
import pytest

from mmmed.datasets import PictureClassDataset
from mmmed.io import read_image, write_image
from mmmed.preparation import InputError, PictureClassPreparer
from mmmed.structures import Manifest

SHAPE = (6, 9)


def fill(root, paths, shape=SHAPE):
    for index, path in enumerate(paths):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, np.full(shape, 10 + index, np.uint8))
    return root


def prepare(raw, out, **options):
    outcome = PictureClassPreparer(**{'num_folds': 2, **options}).prepare(
        raw, out, quiet=True
    )
    return outcome, Manifest.read(out / 'manifest.json')


@pytest.fixture
def radimagenet(tmp_path):
    """The layout of RadImageNet: modality, anatomy, class."""
    folders = ('MR/spine/normal', 'CT/lung/nodule', 'MR/brain/normal')
    names = [f'{folder}/p{k}_{k % 2}.png' for folder in folders for k in range(4)]
    return fill(tmp_path / 'raw', names)


def test_classes_are_folders_in_alphabetical_order(radimagenet, tmp_path):
    outcome, manifest = prepare(radimagenet, tmp_path / 'out', seed=1, val_ratio=0.25)
    names = ['CT/lung/nodule', 'MR/brain/normal', 'MR/spine/normal']
    assert manifest.metainfo['targets'] == {'class': names}
    assert manifest.metainfo['task'] == 'classification'
    assert outcome.summary['classes'] == {
        'train': dict.fromkeys(names, 3),
        'val': dict.fromkeys(names, 1),
    }
    (loud,) = outcome.summary['findings']
    assert 'may leak' in loud['problem']
    assert manifest.metainfo['patients_told_by'] == 'files'
    # One empty label map stands for all pictures of a size.
    assert {c.seg_map_path for c in manifest.cases} == {'masks/empty_6x9.png'}
    assert not read_image(tmp_path / 'out' / 'masks' / 'empty_6x9.png').any()
    assert outcome.exit_code == 0
    again, _ = prepare(radimagenet, tmp_path / 'out', seed=1, val_ratio=0.25)
    assert again.status == 'unchanged'

    pipeline = [{'type': 'mmmed.LoadSlice', 'size': None}]
    dataset = PictureClassDataset(str(tmp_path / 'out'), pipeline=pipeline)
    assert dataset.get_column('class').tolist() == [0] * 4 + [1] * 4 + [2] * 4
    sample = dataset[5]
    assert (sample['targets'], dataset.get_cat_ids(5)) == ({'class': 1}, [1])
    assert (sample['img'].shape, int(sample['img'].max())) == ((6, 9, 1), 19)
    assert 'gt_seg_map' not in sample


def test_patients_stay_together_and_classes_can_be_joined(radimagenet, tmp_path):
    table = tmp_path / 'merge.csv'
    table.write_text('folder,class\nMR/spine,spine\nMR,head\nCT,other\n')
    options = {'join': table, 'patient_pattern': r'/(p\d)_', 'target': 'anatomy'}
    outcome, manifest = prepare(radimagenet, tmp_path / 'out', **options)
    assert {case.patient_id for case in manifest.cases} == {'p0', 'p1', 'p2', 'p3'}
    # Names that the spine knows keep the order in which it knows them.
    names = ['spine', 'head', 'abdomen', 'other']
    assert manifest.metainfo['targets'] == {'anatomy': names}
    assert outcome.summary['findings'] == []
    dataset = PictureClassDataset(str(tmp_path / 'out'))
    assert sorted(dataset.get_column('anatomy').tolist()) == [0] * 4 + [1] * 4 + [3] * 4
    # Other persons, or the same classes for other folders, are another data set.
    lines = table.read_text()
    for text, pattern in (
        (lines, r'_(\d)'),
        ('folder,class\nMR/spine,head\nMR,spine\nCT,other\n', r'/(p\d)_'),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=r'prepared differently \(told_hash'):
            prepare(
                radimagenet, tmp_path / 'out', **options | {'patient_pattern': pattern}
            )


def test_levels_make_coarser_classes(radimagenet, tmp_path):
    _, manifest = prepare(radimagenet, tmp_path / 'out', levels=1)
    assert manifest.metainfo['targets'] == {'class': ['CT', 'MR']}


def test_phases_are_the_holdout_and_must_not_share_patients(tmp_path):
    names = ['train/a/p1_1.png', 'train/b/p2_1.png', 'val/a/p3_1.png', 'test/a/p4.png']
    raw = fill(tmp_path / 'raw', names)
    outcome, manifest = prepare(raw, tmp_path / 'out', patient_pattern=r'p\d')
    sides = {case.patient_id: case.split for case in manifest.cases}
    assert sides == {'p1': 'train', 'p2': 'train', 'p3': 'val'}
    assert 'test phase' in outcome.summary['findings'][0]['problem']
    fill(tmp_path / 'raw', ['val/b/p1_2.png'])
    with pytest.raises(InputError, match="patient 'p1'"):
        prepare(raw, tmp_path / 'out', patient_pattern=r'p\d')


def test_a_table_names_pictures_classes_and_persons(tmp_path):
    raw = fill(tmp_path / 'raw', ['x/1.png', 'y/2.png', '3.png', 'not_named.png'])
    color = np.zeros((*SHAPE, 3), np.uint8)
    color[..., 0] = 200
    write_image(raw / '3.png', color)
    table = tmp_path / 't.csv'
    table.write_text(
        'filename,label,patient\nx/1.png,m,a\ny/2.png,n,b\n3.png,n,b\ngone.png,n,c\n'
    )
    outcome, manifest = prepare(raw, tmp_path / 'out', table=table)
    assert outcome.exit_code == 3
    assert outcome.summary['colored'] == 1
    assert [c.extra['targets']['class'] for c in manifest.cases] == ['m', 'n', 'n']
    case = manifest.cases[2]
    assert (read_image(tmp_path / 'out' / case.img_path) == round(0.299 * 200)).all()
    table.write_text('path,class\n../secret.png,m\n')
    with pytest.raises(InputError, match='leaves its folder'):
        prepare(raw, tmp_path / 'out', table=table)


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (['a/1.png', 'a/b/2.png'], 'different depths'),
        (['train/a/1.png', 'extra/a/2.png'], 'keep one kind'),
        (['a/notes.txt.jpg.md'], 'no picture'),
    ],
)
def test_what_is_no_tree_of_classes_is_refused(names, match, tmp_path):
    (tmp_path / 'raw').mkdir()
    for name in names:
        if name.endswith('png'):
            fill(tmp_path / 'raw', [name])
    with pytest.raises(InputError, match=match):
        prepare(tmp_path / 'raw', tmp_path / 'out')


def test_only_classifications_may_share_a_label_map(radimagenet, tmp_path):
    prepare(radimagenet, tmp_path / 'out')
    path = tmp_path / 'out' / 'manifest.json'
    text = path.read_text(encoding='utf-8')
    path.write_text(text.replace('"task": "classification"', '"task": "segmentation"'))
    with pytest.raises(ValueError, match='occurs twice'):
        Manifest.read(path)
