import json

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from mmmed.datasets import AtlasDataset, Draw, MedSegDataset, VolumeSliceDataset
from mmmed.datasets.samplers import distribution_batch_sampler as sampling
from mmmed.datasets.samplers.distribution_batch_sampler import (
    DistributionBatchSampler,
)


def make(root, **options) -> AtlasDataset:
    return AtlasDataset(str(root), **options)


@pytest.mark.parametrize(
    ('plane', 'count', 'lesion', 'spacing'),
    [
        # The two training lesions span 2 + 1, 4 + 1 and 3 + 1 slices along Z, Y, X.
        ('axial', 6, 3, (2.0, 1.0)),
        ('coronal', 11, 5, (3.0, 1.0)),
        ('sagittal', 9, 4, (3.0, 2.0)),
    ],
)
def test_slices_of_a_plane(make_volumes, plane, count, lesion, spacing):
    root = make_volumes()
    dataset = make(root, plane=plane, split='train')
    assert len(dataset) == 2 * count
    assert len(make(root, plane=plane, split='train', slices='lesion')) == lesion
    normal = make(root, plane=plane, split='train', slices='normal')
    assert len(normal) == 2 * count - lesion
    info = dataset.get_data_info(count + 1)
    assert info['case_id'] == f'sub-r001s002_{plane}_001'
    assert (info['patient_id'], info['slice_index']) == ('sub-r001s002', 1)
    assert (info['spacing'], info['channels']) == (spacing, 1)
    assert info['volume_shape'] == (6, 11, 9)
    assert info['sample_idx'] == count + 1


def test_entry_of_a_lesion_slice(make_volumes):
    root = make_volumes()
    info = make(root, plane='coronal', split='train').get_data_info(3)
    assert (info['foreground_pixels'], info['positive']) == (2 * 3, True)
    assert info['img_paths'] == (str(root / 'volumes/sub-r001s001/t1w.npy'),)
    assert info['seg_map_path'] == str(root / 'volumes/sub-r001s001/seg.npy')
    assert (info['split'], info['fold'], info['neighbors']) == ('train', 0, (0,))
    assert 'lesion_pixels' not in info


def test_splits_folds_and_the_end(make_volumes):
    root = make_volumes()
    subjects = {
        key: {d.get_data_info(i)['patient_id'] for i in range(len(d))}
        for key, d in {
            'val': make(root, split='val'),
            'fold': make(root, split='val', fold=1),
            'rest': make(root, split='train', fold=1),
            'test': make(root, split='test'),
        }.items()
    }
    assert subjects == {
        'val': {'sub-r002s001'},
        'fold': {'sub-r001s002'},
        'rest': {'sub-r001s001'},
        'test': {'sub-r002s002'},
    }
    dataset = make(root, split='val')
    assert dataset.get_data_info(-1)['slice_index'] == 5
    assert dataset.get_data_info(-1)['sample_idx'] == 5
    with pytest.raises(IndexError, match='slice 6 of 6'):
        dataset.get_data_info(6)


def test_unlabelled_volumes_say_so(make_volumes):
    dataset = make(make_volumes(), split='test')
    info = dataset.get_data_info(0)
    assert (info['positive'], info['foreground_pixels']) == (None, None)
    assert info['seg_map_path'] is None
    assert dataset.get_column('foreground_pixels').tolist() == [-1] * 6


def test_columns(make_volumes):
    dataset = make(make_volumes(), split='train', plane='axial')
    pixels = dataset.get_column('foreground_pixels')
    assert pixels.tolist() == [0, 12, 12, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    infos = [dataset.get_data_info(i) for i in range(12)]
    assert [info['foreground_pixels'] for info in infos] == pixels.tolist()
    distance = dataset.get_column('lesion_distance')
    assert distance.tolist() == [1, 0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 1]
    assert dataset.get_column('pixel_area_mm2').tolist() == [2.0] * 12
    with pytest.raises(ValueError, match="no column 'fold'"):
        dataset.get_column('fold')
    assert [dataset.is_positive(i) for i in (0, 1)] == [False, True]


def test_step_keeps_every_third(make_volumes):
    dataset = make(make_volumes(), plane='coronal', split='val', step=3)
    assert [dataset.get_data_info(i)['slice_index'] for i in range(4)] == [1, 4, 7, 10]
    assert len(dataset) == 4


def test_subsets_share_nothing_that_changes(make_volumes):
    root = make_volumes()
    dataset = make(root, split='train')
    part = dataset.get_subset([3, 7])
    assert (len(part), len(dataset)) == (2, 12)
    assert part.get_data_info(1)['case_id'] == 'sub-r001s002_axial_001'
    dataset.get_subset_(-4)
    assert dataset.get_data_info(0)['slice_index'] == 2
    assert len(make(root, split='train', indices=5)) == 5


def test_neighbors_and_sequences_count_as_channels(make_volumes):
    root = make_volumes(sequences=('t1w', 'flair'))
    dataset = make(root, split='val', neighbors=(-2, -1, 0, 1))
    assert dataset.get_data_info(0)['channels'] == 8
    only = make(root, split='val', sequences=('flair',))
    assert only.get_data_info(0)['img_path'].endswith('flair.npy')
    assert len(only.get_data_info(0)['sha256']['img']) == 1
    with pytest.raises(ValueError, match="'sub-r002s001' has no sequence dwi"):
        make(root, split='val', sequences=('dwi',))


def test_samples_are_random_by_draw_only(make_volumes):
    root = make_volumes()
    pipeline = [
        {'type': 'mmmed.LoadVolumeSlice'},
        {'type': 'mmmed.RandomAffineSlice'},
        {'type': 'mmmed.RandomIntensity'},
        {'type': 'mmmed.PackMedInputs'},
    ]
    dataset = make(root, split='train', pipeline=pipeline, neighbors=(-2, -1, 0, 1))
    one, again, other = (dataset[Draw(2, d, 5)] for d in (100, 100, 101))
    assert one['inputs'].shape == (4, 11, 9)
    assert one['data_samples'].case_id == 'sub-r001s001_axial_002'
    assert (one['inputs'] == again['inputs']).all()
    assert not (one['inputs'] == other['inputs']).all()


def test_sampler_takes_slices_near_lesions(make_volumes, monkeypatch):
    monkeypatch.setattr(sampling, 'get_dist_info', lambda: (0, 1))
    dataset = make(make_volumes(), split='train')

    class Order:
        seed = 0

    Order.dataset = ConcatDataset([dataset, dataset])
    sampler = DistributionBatchSampler(
        Order, 4, edges='axial', normals='near', near_slices=1
    )
    drawn = {int(d) for batch in sampler for d in batch}
    # Distance 0 are the lesions 1, 2, 10; distance 1 the slices 0, 3, 9, 11.
    assert {i % 12 for i in drawn} <= {0, 1, 2, 3, 9, 10, 11}
    assert {1, 2, 10, 13, 14, 22} <= drawn


def test_kinds_of_manifest_are_not_confused(make_volumes, prepared):
    with pytest.raises(ValueError, match='cases are slices, VolumeSliceDataset takes'):
        VolumeSliceDataset(str(prepared))
    with pytest.raises(ValueError, match='cases are volumes, MedSegDataset takes'):
        MedSegDataset(str(make_volumes()))


def test_tables_that_lie_are_refused(make_volumes):
    root = make_volumes()
    path = root / 'manifest.json'
    value = json.loads(path.read_text())
    value['data_list'][0]['lesion_pixels']['axial'][0] += 1
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r'lesion_pixels.axial are not 6 numbers'):
        make(root)
    assert len(make(root, plane='sagittal')) == 4 * 9
    del value['data_list'][0]['lesion_pixels']
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match='prepare the data again'):
        make(root, plane='sagittal')


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'plane': 'oblique'}, "no plane 'oblique'"),
        ({'slices': 'some'}, "slices is 'some'"),
        ({'step': 0}, 'step is 0'),
        ({'neighbors': (0, 0)}, 'different offsets'),
        ({'neighbors': ()}, 'different offsets'),
        ({'split': 'val', 'fold': 7}, 'no fold 7'),
    ],
)
def test_bad_options_are_named(make_volumes, options, text):
    with pytest.raises(ValueError, match=text):
        make(make_volumes(), **options)


def test_no_slice_selected_is_an_error(make_volumes):
    with pytest.raises(ValueError, match="with slices='lesion'"):
        make(make_volumes(), split='test', slices='lesion')


def test_entries_do_not_share_lists(make_volumes):
    dataset = make(make_volumes(), split='val')
    dataset.get_data_info(0)['seg_fields'].append('x')
    assert dataset.get_data_info(0)['seg_fields'] == []
    assert np.array_equal(dataset.get_column('foreground_pixels'), [6] * 6)
