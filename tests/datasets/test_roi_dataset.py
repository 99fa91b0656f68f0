import json
import pickle

import numpy as np
import pytest

import mmmed.datasets  # noqa: F401
from mmmed.datasets import Draw, MultiSequenceROIDataset
from mmmed.preparation.split_builder import build_split, write_split
from mmmed.registry import DATASETS
from mmmed.structures import Manifest

# The host collects garbage for every serialized list, which takes a second.
PLAIN = {'serialize_data': False}
PIPELINE = [
    {'type': 'mmmed.LoadROISequences'},
    {
        'type': 'mmmed.JointSequences',
        'transforms': [
            {'type': 'mmmed.RandomAffineVolume', 'rotate_prob': 1.0},
            {'type': 'mmmed.RandomFlipVolume'},
        ],
    },
    {
        'type': 'mmmed.EachSequence',
        'transforms': [{'type': 'mmmed.RandomIntensityVolume', 'noise_prob': 1.0}],
    },
    {'type': 'mmmed.SequenceDropout'},
    {'type': 'mmmed.PackROISequences'},
]


def test_roles_sequences_and_targets_are_arguments(prepared_lesions):
    dataset = MultiSequenceROIDataset(
        str(prepared_lesions), role='test', fold=2, **PLAIN
    )
    assert dataset.split_name == 'test-fold2'
    assert [dataset.get_data_info(i)['patient_id'] for i in range(len(dataset))] == [
        'LP_0000', 'LP_0004',
    ]  # fmt: skip
    assert dataset.metainfo['sequences'] == ['t2', 'lap', 'adc']
    few = MultiSequenceROIDataset(
        str(prepared_lesions),
        sequences=['adc', 't2'],
        targets=['type'],
        repeat=2,
        **PLAIN,
    )
    assert len(few) == 12
    assert few.metainfo['targets'] == {
        'type': ['hcc', 'icc', 'metastasis', 'hemangioma', 'fnh', 'cyst']
    }
    info = few.get_data_info(3)
    assert (info['sequences'], list(info['img_paths'])) == (('adc', 't2'), ['t2'])
    assert info['targets'] == {'type': -1}
    assert few.get_labels('type').tolist() == [0, 1, 2, -1, -1, 5] * 2
    assert [few.get_cat_ids(i) for i in (2, 3)] == [[2], []]
    labelled = MultiSequenceROIDataset(
        str(prepared_lesions), targets=['type'], labelled=True, **PLAIN
    )
    assert len(labelled) == 4


def test_parts_of_a_fold_are_other_patients(prepared_lesions):
    for fold in range(3):
        parts = [
            {
                info['patient_id']
                for info in map(dataset.get_data_info, range(len(dataset)))
            }
            for dataset in (
                MultiSequenceROIDataset(
                    str(prepared_lesions), role=role, fold=fold, **PLAIN
                )
                for role in ('train', 'val', 'test')
            )
        ]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 6


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'sequences': ['t2', 't1']}, 'expected different names of t2, lap, adc'),
        ({'targets': []}, 'expected different names'),
        ({'role': 'testing'}, "no role 'testing'"),
        ({'role': 'val', 'fold': 3}, 'no fold 3'),
        ({'role': 'test'}, "no lesion in 'test'"),
        ({'repeat': 0}, 'repeat is 0'),
    ],
)
def test_a_wrong_argument_is_named(prepared_lesions, options, text):
    with pytest.raises(ValueError, match=text):
        MultiSequenceROIDataset(str(prepared_lesions), **options, **PLAIN)


def test_a_split_file_replaces_the_split_of_the_manifest(prepared_lesions, tmp_path):
    path = prepared_lesions / 'manifest.json'
    split = build_split(path, num_folds=2, seed=3, has_roles=True)
    name = prepared_lesions.parent / 'splits.json'
    write_split(split, name, overwrite=True)
    options = {'data_root': str(prepared_lesions), 'split_file': '../splits.json'}
    dataset = MultiSequenceROIDataset(role='test', fold=1, **options, **PLAIN)
    names = {dataset.get_data_info(i)['case_id'] for i in range(len(dataset))}
    assert names == set(json.loads(name.read_text())['folds'][1]['test'])
    assert dataset.metainfo['split_hash'] == split.hash
    assert split.hash != Manifest.read(path).split_hash


def test_samples_depend_on_the_draw_and_on_nothing_else(prepared_lesions):
    def build():
        return DATASETS.build(
            {
                'type': 'mmmed.MultiSequenceROIDataset',
                'data_root': str(prepared_lesions),
                'pipeline': PIPELINE,
                **PLAIN,
            }
        )

    one, two = build(), pickle.loads(pickle.dumps(build()))
    two[3]
    first, second = one[Draw(1, draw=40)], two[Draw(1, draw=40)]
    assert first['inputs'].shape == (3, 1, 5, 14, 12)
    np.testing.assert_array_equal(first['inputs'], second['inputs'])
    other = one[Draw(1, draw=41)]
    assert not np.array_equal(first['inputs'], other['inputs'])
    sample = first['data_samples']
    assert sample.gt_targets == {'t2': 1, 'ap': -1, 'type': 1}
    assert sample.sequences == ('t2', 'lap', 'adc')


def test_a_missing_sequence_is_zero_and_says_so(prepared_lesions):
    dataset = MultiSequenceROIDataset(
        str(prepared_lesions),
        pipeline=PIPELINE[:3] + PIPELINE[4:],
        test_mode=True,
        **PLAIN,
    )
    for _ in range(2):
        packed = dataset[1]
        assert packed['data_samples'].available.tolist() == [True, False, True]
        assert not packed['inputs'][1].any()
        assert packed['inputs'][0].any()
