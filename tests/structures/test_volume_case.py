import dataclasses
import json

import pytest

from mmmed.structures import Case, Manifest, SplitManifest, VolumeCase
from mmmed.structures.split_manifest import SplitCase

METAINFO = {
    'schema_version': 1,
    'dataset': 'atlas',
    'task': 'segmentation',
    'unit': 'volume',
    'classes': ['background', 'lesion'],
    'channels': 1,
    'num_folds': 2,
    'folds_on': 'train',
}
AFFINE = (
    (0.0, 0.0, 1.0, -9.0),
    (0.0, 2.0, 0.0, -4.0),
    (3.0, 0.0, 0.0, -2.0),
    (0, 0, 0, 1),
)


def make_case(name='sub-r001s001', split='train', fold=0, **changes):
    values = {
        'case_id': name,
        'patient_id': name,
        'split': split,
        'fold': fold,
        'img_paths': {'t1w': f'volumes/{name}/t1w.npy'},
        'seg_map_path': f'volumes/{name}/seg.npy',
        'shape': (4, 5, 9),
        'spacing': (3.0, 2.0, 1.0),
        'affine': AFFINE,
        'foreground_voxels': 3,
        'positive': True,
        'sha256': {'t1w': 'a' * 64, 'seg': '0' * 64},
        'extra': {'site': 'R001', 'lesion_pixels': {'axial': [0, 3, 0, 0]}},
    }
    return VolumeCase(**(values | changes))


def make_unlabelled(name='sub-r900s001'):
    return make_case(
        name,
        split='test',
        fold=None,
        seg_map_path=None,
        foreground_voxels=None,
        positive=None,
        sha256={'t1w': 'b' * 64},
    )


@pytest.fixture
def manifest():
    cases = (
        make_case('a', fold=0),
        make_case('b', fold=1),
        make_case('c', split='val', fold=None),
        make_case('d', fold=1, foreground_voxels=0, positive=False),
        make_unlabelled('e'),
    )
    return Manifest(METAINFO, cases)


def test_a_written_volume_manifest_reads_back_equal(manifest, tmp_path):
    path = tmp_path / 'manifest.json'
    manifest.write(path)
    again = Manifest.read(path)
    assert again == manifest
    assert again.unit == 'volume'
    assert again.cases[0].affine == AFFINE
    assert again.cases[0].extra['lesion_pixels'] == {'axial': [0, 3, 0, 0]}
    before = path.read_bytes()
    again.write(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ('split', 'fold', 'names'),
    [
        (None, None, 'abcde'),
        ('train', None, 'abd'),
        ('val', None, 'c'),
        ('test', None, 'e'),
        ('train', 0, 'bd'),
        ('val', 0, 'a'),
        ('train', 1, 'a'),
        ('val', 1, 'bd'),
        ('test', 1, 'e'),
    ],
)
def test_folds_divide_only_the_training_side(manifest, split, fold, names):
    assert ''.join(c.case_id for c in manifest.select(split, fold)) == names


def test_folds_on_all_wants_a_fold_for_the_hold_out_too(manifest):
    everyone = dataclasses.replace(manifest, metainfo={**METAINFO, 'folds_on': 'all'})
    with pytest.raises(ValueError, match=r"'c'.*fold None, expected an integer 0 to 1"):
        everyone.validate()


def test_a_slice_manifest_knows_no_test_split():
    slices = Manifest({**METAINFO, 'unit': 'slice', 'folds_on': 'all'}, ())
    with pytest.raises(ValueError, match="no split 'test'"):
        slices.select('test')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'case_id': '../x'}, 'case_id must be'),
        ({'patient_id': ''}, 'is not a name'),
        ({'split': 'dev'}, "split 'dev'"),
        ({'fold': 2}, 'fold 2, expected an integer 0 to 1'),
        ({'fold': True}, 'fold True'),
        ({'img_paths': {}}, 'expected one or more'),
        ({'img_paths': {'t1w': '/etc/passwd'}}, 'absolute or leaves'),
        ({'img_paths': {'t1w': '../t1w.npy'}}, 'absolute or leaves'),
        ({'img_paths': {'seg': 'a.npy'}}, 'named "seg"'),
        ({'img_paths': {'a/b': 'a.npy'}}, 'not a plain name'),
        ({'seg_map_path': 'C:seg.npy'}, 'plain posix path'),
        ({'shape': (4, 5)}, 'expected \\(Z, Y, X\\)'),
        ({'shape': (4, 5, 0)}, 'expected \\(Z, Y, X\\)'),
        ({'spacing': (3.0, 2.0)}, 'expected 3 mm'),
        ({'spacing': (3.0, 2.0, 1.5)}, 'affine and spacing'),
        ({'affine': AFFINE[:3]}, 'expected 4x4'),
        ({'affine': (*AFFINE[:3], (0, 0, 0, 2))}, 'expected 4x4'),
        ({'affine': ((float('nan'),) * 4, *AFFINE[1:])}, 'expected 4x4'),
        ({'foreground_voxels': 181}, 'from 0 to 180'),
        ({'foreground_voxels': None}, 'from 0 to 180'),
        ({'positive': False}, 'with 3 foreground voxels'),
        ({'sha256': {'t1w': 'a' * 64}}, '"t1w" and "seg"'),
        ({'sha256': {'t1w': 'A' * 64, 'seg': '0' * 64}}, '64 hexadecimal'),
        ({'seg_map_path': None}, 'mask that is not there'),
        ({'extra': {'shape': 1}}, 'repeats the columns shape'),
    ],
)
def test_a_bad_case_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        Manifest(METAINFO, (make_case(**changes),)).validate()


def test_two_cases_never_share_a_file():
    shared = make_case('b', img_paths={'t1w': 'volumes/A/t1w.npy'})
    first = make_case('a', img_paths={'t1w': 'volumes/a/t1w.npy'})
    with pytest.raises(ValueError, match=r'path .* occurs twice'):
        Manifest(METAINFO, (first, shared)).validate()


def test_the_kind_of_case_follows_the_unit():
    with pytest.raises(ValueError, match=r"VolumeCase, but metainfo\.unit is 'slice'"):
        Manifest({**METAINFO, 'unit': 'slice'}, (make_case(),)).validate()
    with pytest.raises(ValueError, match=r'metainfo\.unit'):
        Manifest({**METAINFO, 'unit': 'patch'}, ()).validate()
    assert not isinstance(make_case(), Case)


def test_a_missing_column_is_named():
    item = make_case().to_dict()
    del item['affine']
    value = {'metainfo': METAINFO, 'data_list': [item]}
    with pytest.raises(ValueError, match=r'data_list\[0\].*lacks affine'):
        Manifest.from_dict(json.loads(json.dumps(value)))


def test_another_split_moves_all_but_the_test_cases(manifest):
    places = tuple(
        SplitCase(name, name, 'val' if name == 'a' else 'train', index % 2)
        for index, name in enumerate('abcd')
    )
    split = SplitManifest({'num_folds': 2, 'seed': 3, 'val_ratio': 0.25}, places)
    moved = manifest.with_split(split)
    moved.validate()
    assert [c.split for c in moved.cases] == ['val', 'train', 'train', 'train', 'test']
    assert [c.fold for c in moved.cases] == [0, 1, 0, 1, None]
    assert moved.split_hash == split.hash == moved.metainfo['split_hash']
