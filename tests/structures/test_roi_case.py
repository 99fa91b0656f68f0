import dataclasses
import json

import pytest

from mmmed.structures import Manifest, ROICase, ROIGrid, SplitManifest
from mmmed.structures.split_manifest import SplitCase

METAINFO = {
    'schema_version': 1,
    'dataset': 'lesions',
    'task': 'classification',
    'unit': 'roi',
    'sequences': ['t2', 'adc'],
    'targets': {'type': ['hcc', 'cyst', 'fnh'], 'mvi': ['no', 'yes']},
    'channels': 2,
    'num_folds': 3,
}
AFFINE = (
    (0.0, 0.0, 1.0, -9.0),
    (0.0, 2.0, 0.0, -4.0),
    (3.0, 0.0, 0.0, -2.0),
    (0, 0, 0, 1),
)
GRID = ROIGrid((4, 5, 9), (3.0, 2.0, 1.0), AFFINE)


def make_case(name='p0', fold=0, val_of=(1,), sequences=('t2', 'adc'), **changes):
    values = {
        'case_id': f'{name}_lesion0',
        'patient_id': name,
        'split': 'train',
        'fold': fold,
        'img_paths': {s: f'rois/{name}_lesion0/{s}.npy' for s in sequences},
        'grids': dict.fromkeys(sequences, GRID),
        'size_mm': 17.3,
        'targets': {'type': 2, 'mvi': None},
        'sha256': dict.fromkeys(sequences, 'a' * 64),
        'val_of': val_of,
        'extra': {'tag': 'x'},
    }
    return ROICase(**(values | changes))


@pytest.fixture
def manifest():
    cases = (
        make_case('p0', 0, (1,)),
        make_case('p1', 1, (0, 2), sequences=('adc',), size_mm=None),
        make_case('p2', 2, ()),
        make_case('p3', None, (), split='test', targets={'type': None, 'mvi': None}),
    )
    return Manifest(METAINFO, cases)


def test_a_written_roi_manifest_reads_back_equal(manifest, tmp_path):
    path = tmp_path / 'manifest.json'
    manifest.write(path)
    again = Manifest.read(path)
    assert again == manifest
    assert (again.unit, again.cases[1].size_mm) == ('roi', None)
    assert again.cases[0].grids['t2'].affine == AFFINE
    assert again.cases[0].extra == {'tag': 'x'}


def test_roles_of_every_fold_are_disjoint_and_cover(manifest):
    def names(role, fold):
        return [case.patient_id for case in manifest.select_role(role, fold)]

    assert [names(r, 0) for r in ('train', 'val', 'test')] == [['p2'], ['p1'], ['p0']]
    assert names('train_val', 1) == ['p0', 'p2']
    assert names('train_val_test', 2) == ['p0', 'p1', 'p2']
    assert (names('train', None), names('test', None)) == (['p0', 'p1', 'p2'], ['p3'])
    for role, fold, text in (('test_train', 0, 'no role'), ('train', 3, 'no fold 3')):
        with pytest.raises(ValueError, match=text):
            manifest.select_role(role, fold)


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'targets': {'type': 3, 'mvi': 0}}, "'type' is 3, expected 0 to 2 or null"),
        ({'targets': {'type': 1}}, 'expected exactly type, mvi'),
        ({'val_of': (0,)}, 'other than its own'),
        ({'val_of': (2, 1)}, 'rising folds'),
        ({'size_mm': 0.0}, 'size_mm 0.0, expected mm > 0'),
        ({'img_paths': {'t2': '../x.npy', 'adc': 'y.npy'}}, 'leaves its folder'),
        ({'grids': {'t2': GRID}}, "grids of \\['t2'\\]"),
        ({'img_paths': {'dwi(b0)': 'x.npy'}}, 'not a plain name'),
    ],
)
def test_a_wrong_value_is_refused_with_its_case(changes, text):
    manifest = Manifest(METAINFO, (make_case(**changes),))
    with pytest.raises(ValueError, match=text) as error:
        manifest.validate()
    assert 'p0_lesion0' in str(error.value)


def test_a_patient_has_one_role_in_each_fold(manifest):
    other = dataclasses.replace(
        make_case('q', 0, (2,), patient_id='p0'), case_id='p0_lesion1'
    )
    with pytest.raises(ValueError, match="'p0' is in val_of"):
        Manifest(METAINFO, (*manifest.cases, other)).validate()


@pytest.mark.parametrize(
    ('name', 'value'),
    [('sequences', []), ('sequences', ['t2', 't2']), ('targets', {'type': []})],
)
def test_metainfo_names_sequences_and_classes(manifest, name, value):
    with pytest.raises(ValueError, match=f'metainfo.{name}'):
        Manifest({**METAINFO, name: value}, manifest.cases).validate()


def test_a_split_with_roles_lists_them_and_reads_back(manifest, tmp_path):
    places = [('p0', 1, (2,)), ('p1', 2, ()), ('p2', 0, (1,))]
    cases = tuple(
        SplitCase(f'{name}_lesion0', name, 'train', fold, val_of=val_of)
        for name, fold, val_of in places
    )
    split = SplitManifest({'num_folds': 3, 'seed': 4}, cases)
    split.write(tmp_path / 'splits.json')
    value = json.loads((tmp_path / 'splits.json').read_text())
    assert value['folds'][2] == {
        'train': ['p2_lesion0'], 'val': ['p0_lesion0'], 'test': ['p1_lesion0'],
    }  # fmt: skip
    assert SplitManifest.read(tmp_path / 'splits.json').cases == cases
    moved = manifest.with_split(split)
    assert moved.split_hash == split.hash != manifest.split_hash
    assert [c.patient_id for c in moved.select_role('val', 2)] == ['p0']
    value['folds'][2]['train'].append('p1_lesion0')
    (tmp_path / 'splits.json').write_text(json.dumps(value))
    with pytest.raises(ValueError, match='lists of folds and its cases disagree'):
        SplitManifest.read(tmp_path / 'splits.json')
