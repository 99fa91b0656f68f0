"""Slices of spinal cord volumes with class numbers and the cord beside them."""

import json

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from mmmed.datasets import Draw, SpineDataset
from mmmed.io import write_volume
from mmmed.preparation.spine import SpinePreparer
from mmmed.structures import Volume

SHAPE = (5, 7, 4)
TABLE = (
    'path,anatomy,location,sequence,patient\n'
    'a.nii,,cervical,T2w,p1\n'
    'b.nii,,lumbar,T1w,p2\n'
    'c.nii,head,,,p3\n'
)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """The same raw folder prepared for the cord and for lesions."""
    base = tmp_path_factory.mktemp('spine')
    raw, rng = base / 'raw', np.random.default_rng(0)
    raw.mkdir()
    (base / 'targets.csv').write_text(TABLE, encoding='utf-8')
    cord = np.zeros(SHAPE, np.uint8)
    cord[1:4, 2:5, 1:3] = 1
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[2, 3:5, 1] = 1
    for name in 'abc':
        volumes = {name: rng.integers(1, 500, SHAPE).astype(np.int16)}
        if name != 'c':
            volumes[f'{name}_seg'] = cord
        if name == 'a':
            volumes['a_lesion_seg'] = lesion
        for stem, array in volumes.items():
            write_volume(Volume(array, (3.0, 0.5, 0.75)), raw / f'{stem}.nii')
    for target in ('cord', 'lesion'):
        preparer = SpinePreparer(
            target=target,
            targets=base / 'targets.csv',
            num_folds=2,
            val_patients=['p2'],
        )
        preparer.prepare(raw, base / target, quiet=True)
    return base


def make(folders, target='cord', **options):
    return SpineDataset(str(folders / target), target=target, **options)


def test_a_slice_has_every_target_by_number(folders):
    dataset = make(folders, plane='sagittal')
    assert len(dataset) == 3 * 4
    names = {key: dataset.metainfo['targets'][key] for key in ('view', 'sequence')}
    assert names == {
        'view': ['axial', 'coronal', 'sagittal'],
        'sequence': ['T1w', 'T2w', 'T2starw', 'other'],
    }
    expected = {'anatomy': 0, 'location': 0, 'view': 2, 'location_view': 2}
    entry = dataset[1]
    assert entry['targets'] == {**expected, 'sequence': 1, 'cord': 1}
    assert (entry['cord_pixels'], entry['volume_spacing']) == (9, (3.0, 0.5, 0.75))
    assert entry['cord_path'] == entry['seg_map_path']
    # Lumbar, no cord at the edge; then a head: no spine, and no cord mask.
    expected = {'anatomy': 0, 'location': 2, 'view': 2, 'location_view': 8}
    assert dataset[4]['targets'] == {**expected, 'sequence': 0, 'cord': 0}
    head = {'anatomy': 1, 'location': -1, 'view': 2, 'location_view': 9}
    assert dataset[8]['targets'] == {**head, 'sequence': -1, 'cord': -1}
    assert dataset[8]['cord_path'] is None
    for name in dataset.metainfo['targets']:
        column = [dataset[i]['targets'][name] for i in range(len(dataset))]
        assert dataset.get_column(name).tolist() == column
    pixels = [0, 9, 9, 0]
    assert dataset.get_column('cord_pixels').tolist() == [*pixels, *pixels, *[-1] * 4]


@pytest.mark.parametrize(
    ('options', 'count'),
    [
        ({'slices': 'cord', 'plane': 'axial'}, 6),
        ({'slices': 'cord', 'plane': 'coronal', 'split': 'train'}, 3),
        ({'slices': 'cord', 'plane': 'coronal', 'indices': 2}, 2),
        ({'is_masked_only': True}, 10),
        ({'slices': 'normal'}, 4),
    ],
)
def test_slices_are_chosen_by_cord_and_mask(folders, options, count):
    dataset = make(folders, **options)
    assert len(dataset) == count
    if options.get('slices') == 'cord':
        assert (dataset.get_column('cord') == 1).all()


def test_planes_across_thick_slices_are_left_out(folders):
    # Pixels of 0.5 x 0.75 mm axial, 3 x 0.5 sagittal, 3 x 0.75 coronal.
    assert len(make(folders, plane='axial', max_stretch=1.5)) == 15
    assert len(make(folders, plane='coronal', max_stretch=4)) == 3 * 7
    with pytest.raises(ValueError, match='stretched at most 4 times'):
        make(folders, plane='sagittal', max_stretch=4)
    with pytest.raises(ValueError, match=r'max_stretch is 0\.5'):
        make(folders, max_stretch=0.5)


def test_slices_tell_their_patient(folders):
    names = make(folders, plane='sagittal').get_column('patient').tolist()
    assert names == [f'p{i} sagittal' for i in (1, 2, 3) for _ in range(4)]


def test_lesion_slices_have_a_cord_mask_of_their_own(folders):
    dataset = make(folders, 'lesion', slices='lesion')
    (entry,) = [dataset[i] for i in range(len(dataset))]
    assert (entry['slice_index'], entry['foreground_pixels']) == (2, 2)
    assert (entry['cord_pixels'], entry['targets']['cord']) == (6, 1)
    assert entry['cord_path'].endswith('volumes/a/cord.npy')
    # Only where there is a cord, with or without a lesion: c has neither.
    assert len(make(folders, 'lesion')) == 10
    assert len(make(folders, 'lesion', slices='cord')) == 6


def test_planes_are_joined_and_keep_their_random_numbers(folders):
    parts = [make(folders, plane=plane) for plane in ('sagittal', 'axial')]
    both = ConcatDataset(parts)
    assert len(both) == 3 * (4 + 5)
    joined = both[Draw(12 + 3, draw=40, seed=1)]
    alone = parts[1][Draw(3, draw=40, seed=1)]
    assert joined['case_id'] == alone['case_id'] == 'a_axial_003'
    assert joined['rng'].random() == alone['rng'].random()


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        ({'cord_path': '../../etc/passwd'}, 'leaves its folder'),
        ({'cord_pixels': {'axial': [1, 2]}}, 'not 5 numbers'),
        ({'targets': {'location': 'neck'}}, "got 'neck'"),
    ],
)
def test_a_manifest_from_a_stranger_is_checked(folders, tmp_path, change, match):
    manifest = json.loads((folders / 'lesion' / 'manifest.json').read_text())
    manifest['data_list'][0] |= change
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=match):
        SpineDataset(str(tmp_path), target='lesion')


def test_the_other_target_and_unknown_options_are_refused(folders):
    with pytest.raises(ValueError, match='another data set'):
        SpineDataset(str(folders / 'lesion'), target='cord')
    with pytest.raises(ValueError, match="slices is 'canal'"):
        make(folders, slices='canal')
