"""Slices of several planes as one data set."""

import numpy as np
import pytest

from mmmed.datasets import Draw, PlanesDataset
from mmmed.datasets.columns import read_foreground, read_labels
from mmmed.engine.hooks.described_data import describe_split, find_manifest
from mmmed.registry import DATASETS


def make(root, **options):
    config = {'type': 'mmmed.PlanesDataset', 'source': 'mmmed.AtlasDataset'}
    planes = ['sagittal', 'axial']
    return DATASETS.build(
        {**config, 'data_root': str(root), 'planes': planes} | options
    )


def test_one_plane_after_the_other(make_volumes):
    root = make_volumes()
    dataset = make(root, split='train', fold=1)
    # One subject of shape (6, 11, 9).
    assert len(dataset) == 9 + 6
    planes = [dataset.get_data_info(i)['plane'] for i in range(15)]
    assert planes == ['sagittal'] * 9 + ['axial'] * 6
    assert dataset.get_data_info(9)['case_id'] == 'sub-r001s001_axial_000'
    pixels = read_foreground(dataset)  # of a box of 2 x 4 x 3
    assert pixels.tolist() == [0] * 3 + [8] * 3 + [0] * 3 + [0, 12, 12, 0, 0, 0]
    assert isinstance(dataset, PlanesDataset)
    assert dataset.metainfo['classes'] == ['background', 'lesion']
    assert dataset.split_name == 'train-fold1'
    assert find_manifest(dataset) == root / 'manifest.json'
    assert describe_split(dataset)['fold'] == 1


def test_draws_reach_the_pipeline_of_their_plane(make_volumes):
    dataset = make(make_volumes(), split='train', pipeline=[])
    draw = Draw(20, 77, seed=5)
    first = dataset[draw]
    assert first['plane'] == 'axial'
    assert dataset[Draw(21, 77, seed=5)]['rng'].random() == first['rng'].random()


def test_impossible_planes_and_targets(make_volumes):
    root = make_volumes()
    with pytest.raises(ValueError, match='expected different names'):
        make(root, planes=['axial', 'axial'])
    with pytest.raises(ValueError, match='no column'):
        read_labels(make(root), 'view')


def test_labels_of_parts_are_joined():
    class Part:
        def __init__(self, labels):
            self.labels = labels

        def __len__(self):
            return len(self.labels)

        def get_column(self, name):
            assert name == 'view'
            return np.array(self.labels)

    joined = PlanesDataset.__new__(PlanesDataset)
    joined.datasets = [Part([2, 2]), Part([0, -1, 0])]
    assert read_labels(joined, 'view').tolist() == [2, 2, 0, -1, 0]
