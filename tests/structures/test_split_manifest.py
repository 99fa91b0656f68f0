import json

import pytest

from mmmed.files import hash_json
from mmmed.structures import Manifest, SplitManifest
from mmmed.structures.split_manifest import SplitCase, hash_assignment

CASES = (
    SplitCase('077_1', '077', 'train', 0, 'images/077_1.png'),
    SplitCase('077_2', '077', 'train', 0),
    SplitCase('078_1', '078', 'val', 1),
)


@pytest.fixture
def split():
    return SplitManifest({'num_folds': 2, 'seed': 3}, CASES, {'cases': {'total': 3}})


def test_a_written_split_reads_back_equal(split, tmp_path):
    split.write(tmp_path / 'splits.json')
    assert SplitManifest.read(tmp_path / 'splits.json') == split
    value = json.loads((tmp_path / 'splits.json').read_text())
    assert value['schema_version'] == 1
    assert value['hash'] == split.hash


def test_the_hash_is_that_of_the_sorted_places(split):
    places = [
        ['077_1', '077', 'train', 0],
        ['077_2', '077', 'train', 0],
        ['078_1', '078', 'val', 1],
    ]
    assert split.hash == hash_json(places)
    assert hash_assignment(CASES[::-1]) == split.hash


@pytest.mark.parametrize(
    'other',
    [
        SplitCase('078_1', '078', 'train', 1),
        SplitCase('078_1', '078', 'val', 0),
        SplitCase('078_1', '079', 'val', 1),
        SplitCase('078_2', '078', 'val', 1),
    ],
)
def test_every_change_of_a_place_changes_the_hash(split, other):
    assert hash_assignment((*CASES[:2], other)) != split.hash


def test_paths_and_seed_do_not_count(split):
    moved = (SplitCase('077_1', '077', 'train', 0, 'elsewhere.png'), *CASES[1:])
    assert SplitManifest({'num_folds': 2, 'seed': 4}, moved).hash == split.hash


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('hash', 'a' * 64, 'edited by hand'),
        ('schema_version', 2, 'schema_version is 2'),
        ('kind', 'other', 'not a split manifest'),
        ('cases', [{'case_id': 'a'}], r'cases\[0\] lacks patient_id, split, fold'),
        ('cases', ['a'], r'cases\[0\] is str'),
        ('cases', None, 'lacks'),
        ('metainfo', {'num_folds': 1}, 'num_folds is 1'),
    ],
)
def test_what_is_wrong_is_named_with_the_file(split, tmp_path, key, value, words):
    path = tmp_path / 'splits.json'
    path.write_text(json.dumps(split.to_dict() | {key: value}))
    with pytest.raises(ValueError, match=words) as error:
        SplitManifest.read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ('case', 'words'),
    [
        (SplitCase('077_3', '077', 'val', 0), "patient '077' is in split"),
        (SplitCase('077_3', '077', 'train', 1), "patient '077' is in fold"),
        (SplitCase('077_1', '077', 'train', 0), 'occurs twice'),
        (SplitCase('079_1', '079', 'test', 0), "split 'test'"),
        (SplitCase('079_1', '079', 'val', 2), 'fold 2, expected 0 to 1'),
        (SplitCase('079_1', '079', 'val', True), 'fold True'),
        (SplitCase('079_1', '', 'val', 1), 'patient_id'),
    ],
)
def test_an_inconsistent_split_is_not_written(split, tmp_path, case, words):
    broken = SplitManifest(split.metainfo, (*CASES, case))
    with pytest.raises(ValueError, match=words):
        broken.write(tmp_path / 'splits.json')
    assert not list(tmp_path.iterdir())


def test_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match='make_splits'):
        SplitManifest.read(tmp_path / 'absent.json')


def test_a_prepared_folder_takes_another_split(prepared_head_ct):
    manifest = Manifest.read(prepared_head_ct / 'manifest.json')
    patients = sorted({case.patient_id for case in manifest.cases})
    places = tuple(
        SplitCase(c.case_id, c.patient_id, 'val' if n == 0 else 'train', n % 3)
        for c in manifest.cases
        for n in [patients.index(c.patient_id)]
    )
    split = SplitManifest({'num_folds': 3, 'seed': 8, 'val_ratio': 0.2}, places)
    moved = manifest.with_split(split)
    moved.validate()
    assert {c.patient_id for c in moved.select('val')} == {patients[0]}
    assert {c.patient_id for c in moved.select('val', fold=2)} == {patients[2]}
    assert moved.split_hash == split.hash == moved.metainfo['split_hash']
    assert moved.split_hash != manifest.split_hash
    assert moved.cases[0].img_path == manifest.cases[0].img_path
    with pytest.raises(ValueError, match=r'1 case\(s\) are not in the split'):
        manifest.with_split(SplitManifest(split.metainfo, places[1:]))
    extra = SplitCase('x', 'y', 'val', 0)
    with pytest.raises(ValueError, match=r'not in the manifest.*\'x\''):
        manifest.with_split(SplitManifest(split.metainfo, (*places, extra)))
    stranger = SplitCase(places[0].case_id, 'y', 'val', 0)
    with pytest.raises(ValueError, match="to 'y'"):
        manifest.with_split(SplitManifest(split.metainfo, (stranger, *places[1:])))
