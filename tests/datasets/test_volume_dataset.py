"""Whole volumes of a manifest as items, and the pipeline that leads to patches."""

from dataclasses import replace

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate

from mmmed.datasets import Draw, VolumeDataset
from mmmed.datasets.columns import read_foreground
from mmmed.structures.manifest import Manifest

PATCH = [
    {'type': 'mmmed.RandomAffineVolume', 'rotate_prob': 1.0, 'elastic_prob': 1.0},
    {'type': 'mmmed.LoadVolumePatch', 'size': (6, 8, 4)},
    {'type': 'mmmed.WindowVolume', 'low': 0, 'high': 255},
    {'type': 'mmmed.RandomFlipVolume'},
    {'type': 'mmmed.WarpVolume'},
    {'type': 'mmmed.RandomIntensityVolume', 'noise_prob': 1.0},
    {'type': 'mmmed.PackMedVolumes', 'meta_keys': ('case_id', 'applied', 'spacing')},
]


def test_items_have_what_the_manifest_says(make_volumes):
    dataset = VolumeDataset(str(make_volumes()), split='train')
    assert len(dataset) == 2
    info = dataset.get_data_info(0)
    assert info['case_id'] == info['patient_id'] == 'sub-r001s001'
    assert info['volume_shape'] == (6, 11, 9)
    assert info['spacing'] == (3.0, 2.0, 1.0)
    assert info['affine'][0] == (0.0, 0.0, 1.0, -9.0)
    assert info['foreground_voxels'] == 24
    assert info['extra']['site'] == 'r001'
    assert info['img_path'].endswith('t1w.npy')
    assert info['channels'] == 1
    np.testing.assert_array_equal(read_foreground(dataset), [24, 1])
    assert [dataset.is_positive(k) for k in range(2)] == [True, True]


def test_repeat_makes_an_epoch_longer(make_volumes):
    root = str(make_volumes())
    dataset = VolumeDataset(root, split='train', repeat=5)
    assert len(dataset) == 10
    assert dataset.get_data_info(7)['case_id'] == dataset.get_data_info(1)['case_id']
    with pytest.raises(ValueError, match='repeat'):
        VolumeDataset(root, repeat=0)


def test_sequences_are_chosen_by_name(make_volumes):
    root = str(make_volumes(sequences=('t1w', 'flair')))
    names = VolumeDataset(root, split='train').get_data_info(0)['img_paths']
    assert [name.rsplit('/', 1)[1] for name in names] == ['t1w.npy', 'flair.npy']
    one = VolumeDataset(root, split='train', sequences=('flair',))
    assert one.get_data_info(0)['channels'] == 1
    with pytest.raises(ValueError, match='has no sequence'):
        VolumeDataset(root, split='train', sequences=('t2w',), lazy_init=False)


def add_counts(root, counts):
    """Voxels of background, organ and tumor, case by case."""
    manifest = Manifest.read(root / 'manifest.json')
    cases = [
        replace(case, extra={**case.extra, 'label_voxels': row})
        for case, row in zip(manifest.cases, counts, strict=True)
    ]
    Manifest(manifest.metainfo, tuple(cases)).write(root / 'manifest.json')
    return str(root)


def test_volumes_are_chosen_by_what_they_show(make_volumes):
    rows = [[500, 90, 4], [590, 4, 0], [500, 60, 34], None]
    root = add_counts(make_volumes(), rows)

    def list_cases(**options):
        dataset = VolumeDataset(root, **options)
        return [dataset.get_data_info(k)['case_id'][-3:] for k in range(len(dataset))]

    assert len(list_cases()) == 4
    assert list_cases(with_label=2) == ['001', '001']
    assert list_cases(split='train', without_label=2) == ['002']
    mixed = VolumeDataset(root, split='train', positive_label=2)
    assert [mixed.is_positive(k) for k in range(2)] == [True, False]
    with pytest.raises(ValueError, match='no volume in'):
        list_cases(split='val', without_label=2)
    with pytest.raises(ValueError, match='no label_voxels of class 3'):
        list_cases(with_label=3)


def test_slices_are_refused(prepared):
    with pytest.raises(ValueError, match='slices'):
        VolumeDataset(str(prepared))


def test_a_draw_gives_the_same_patch_whoever_asks(make_volumes):
    root = str(make_volumes())
    made = []
    for _ in range(2):
        dataset = VolumeDataset(root, split='train', pipeline=PATCH)
        made.append(dataset[Draw(1, draw=17, seed=3)])
    first, second = made
    assert first['inputs'].shape == (1, 6, 8, 4)
    assert (first['inputs'] == second['inputs']).all()
    assert first['data_samples'].applied == second['data_samples'].applied
    other = dataset[Draw(1, draw=18, seed=3)]
    assert (first['inputs'] != other['inputs']).any()


def test_batches_collate_and_labels_have_a_channel(make_volumes):
    dataset = VolumeDataset(str(make_volumes()), split='train', pipeline=PATCH)
    batch = pseudo_collate([dataset[Draw(k, k)] for k in range(2)])
    assert len(batch['inputs']) == 2
    for sample in batch['data_samples']:
        assert sample.gt_sem_seg.data.shape == (1, 6, 8, 4)
        plain = sample.to_dict()
        assert plain['gt_sem_seg']['data'].shape == (1, 6, 8, 4)
        assert plain['case_id'].startswith('sub')
