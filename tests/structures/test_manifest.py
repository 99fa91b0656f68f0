import dataclasses
import json
from pathlib import Path

import pytest

from mmmed.structures import Case, Manifest

METAINFO = {
    'schema_version': 1,
    'dataset': 'cranium',
    'task': 'segmentation',
    'classes': ['background', 'hemorrhage'],
    'channels': 1,
    'channel_names': ['brain'],
    'seed': 0,
    'val_ratio': 0.25,
    'num_folds': 2,
}


def make_case(patient='077', index=14, split='train', fold=0, **changes):
    name = f'{patient}_{index}'
    values = {
        'case_id': name,
        'patient_id': patient,
        'slice_index': index,
        'img_path': f'images/{split}/{name}.png',
        'seg_map_path': f'masks/{split}/{name}.png',
        'split': split,
        'fold': fold,
        'height': 5,
        'width': 7,
        'spacing': None,
        'foreground_pixels': 3,
        'positive': True,
        'sha256': {'img': 'a' * 64, 'seg': '0' * 64},
        'extra': {'fracture': False},
    }
    return Case(**(values | changes))


@pytest.fixture
def manifest():
    cases = (
        make_case('077', 1),
        make_case('077', 2, foreground_pixels=0, positive=False),
        make_case('078', 1, fold=1, spacing=(0.5, 0.25)),
        make_case('079', 1, split='val', fold=1),
    )
    return Manifest(METAINFO, cases)


def test_a_written_manifest_reads_back_equal(manifest, tmp_path):
    path = tmp_path / 'manifest.json'
    manifest.write(path)
    again = Manifest.read(path)
    assert again == manifest
    assert again.cases[2].spacing == (0.5, 0.25)
    assert again.cases[0].extra == {'fracture': False}


def test_extra_columns_are_stored_beside_the_others(manifest):
    item = manifest.to_dict()['data_list'][2]
    assert item['fracture'] is False
    assert item['spacing'] == [0.5, 0.25]
    assert list(item)[:3] == ['case_id', 'patient_id', 'slice_index']


def test_equal_manifests_give_equal_bytes(manifest, tmp_path):
    manifest.write(tmp_path / 'a.json')
    Manifest.read(tmp_path / 'a.json').write(tmp_path / 'b.json')
    assert (tmp_path / 'a.json').read_bytes() == (tmp_path / 'b.json').read_bytes()


@pytest.mark.parametrize(
    ('split', 'fold', 'expected'),
    [
        (None, None, ['077_1', '077_2', '078_1', '079_1']),
        (None, 1, ['077_1', '077_2', '078_1', '079_1']),
        ('train', None, ['077_1', '077_2', '078_1']),
        ('val', None, ['079_1']),
        ('train', 0, ['078_1', '079_1']),
        ('val', 0, ['077_1', '077_2']),
        ('val', 1, ['078_1', '079_1']),
    ],
)
def test_select_returns_one_side_of_one_partition(manifest, split, fold, expected):
    assert [case.case_id for case in manifest.select(split, fold)] == expected


@pytest.mark.parametrize('arguments', [('test', None), ('val', 2), ('val', -1)])
def test_select_refuses_unknown_parts(manifest, arguments):
    with pytest.raises(ValueError, match='expected'):
        manifest.select(*arguments)


@pytest.mark.parametrize(
    'path',
    [
        '/etc/passwd',
        '../secret.png',
        'images/../../secret.png',
        'images//x.png',
        './x.png',
        'images/.',
        'C:/x.png',
        'C:x.png',
        'images\\..\\..\\x.png',
        '\\\\host\\share\\x.png',
        'images/x\x00.png',
        'images/x\n.png',
        '',
        7,
        None,
    ],
)
@pytest.mark.parametrize('column', ['img_path', 'seg_map_path'])
def test_a_path_that_could_leave_the_folder_is_refused(manifest, column, path):
    bad = dataclasses.replace(manifest.cases[0], **{column: path})
    with pytest.raises(ValueError, match='077_1'):
        Manifest(METAINFO, (bad,)).validate()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'case_id': '../x'}, 'case_id'),
        ({'case_id': '.hidden'}, 'case_id'),
        ({'case_id': 'a/b'}, 'case_id'),
        ({'case_id': 'a' * 201}, 'case_id'),
        ({'case_id': 5}, 'case_id'),
        ({'patient_id': ''}, 'patient_id'),
        ({'split': 'test'}, 'split'),
        ({'fold': 2}, '0 to 1'),
        ({'fold': True}, 'fold'),
        ({'slice_index': -1}, 'slice_index'),
        ({'height': 0}, 'height'),
        ({'width': 7.0}, 'width'),
        ({'foreground_pixels': 36}, 'more foreground'),
        ({'positive': False}, 'positive'),
        ({'positive': 1}, 'positive'),
        ({'spacing': (0.5,)}, 'spacing'),
        ({'spacing': (0.5, 0.0)}, 'spacing'),
        ({'spacing': (0.5, float('inf'))}, 'spacing'),
        ({'spacing': 'ab'}, 'spacing'),
        ({'sha256': {'img': 'a' * 64}}, 'sha256'),
        ({'extra': {'fold': 1}}, 'extra repeats the columns fold'),
        ({'sha256': {'img': 'A' * 64, 'seg': 'a' * 64}}, 'sha256.img'),
    ],
)
def test_a_bad_value_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        Manifest(METAINFO, (make_case(**changes),)).validate()


@pytest.mark.parametrize(
    'changes',
    [
        {'schema_version': 2},
        {'schema_version': None},
        {'classes': ['only']},
        {'classes': 'ab'},
        {'channels': 0},
        {'channels': True},
        {'num_folds': 1},
        {'dataset': ''},
        {'task': None},
    ],
)
def test_bad_metainfo_is_refused_by_name(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Manifest(METAINFO | changes, ()).validate()


@pytest.mark.parametrize(
    ('change', 'message'),
    [({'split': 'val'}, "split 'train' and"), ({'fold': 1}, 'fold 0 and')],
)
def test_a_patient_on_two_sides_is_refused(change, message):
    cases = (make_case(index=1), make_case(index=2, **change))
    with pytest.raises(ValueError, match=message):
        Manifest(METAINFO, cases).validate()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({}, 'case_id'),
        ({'case_id': 'x'}, 'img_path'),
        ({'case_id': 'x', 'img_path': 'X.png'}, 'seg_map_path'),
    ],
)
def test_two_cases_never_share_a_name_or_file(change, message):
    with pytest.raises(ValueError, match=f'{message}.*twice'):
        Manifest(METAINFO, (make_case(), make_case(**change))).validate()


def test_names_that_differ_only_in_letter_case_are_one_file():
    cases = (make_case('a', 1), make_case('A', 1))
    with pytest.raises(ValueError, match='twice'):
        Manifest(METAINFO, cases).validate()


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'{"metainfo": {',
        b'\xff\xfe\x00',
        b'[]',
        b'{"metainfo": [], "data_list": []}',
        b'{"metainfo": {}, "data_list": {}}',
        b'{"metainfo": {"seed": NaN}, "data_list": []}',
        b'[' * 200_000,
        b'{"metainfo": {}, "data_list": [3]}',
        b'{"metainfo": {}, "data_list": [{"case_id": "x"}]}',
    ],
)
def test_a_damaged_file_gives_one_error_that_names_it(tmp_path, content):
    path = tmp_path / 'manifest.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'manifest\.json: '):
        Manifest.read(path)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'prepare_dataset\.py'):
        Manifest.read(tmp_path / 'manifest.json')


def test_a_missing_column_names_the_case_and_the_column(manifest, tmp_path):
    value = manifest.to_dict()
    del value['data_list'][1]['fold']
    (tmp_path / 'm.json').write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"data_list\[1\] \('077_2'\) lacks fold"):
        Manifest.read(tmp_path / 'm.json')


def test_an_inconsistent_manifest_is_not_written(tmp_path):
    bad = Manifest(METAINFO, (make_case(split='test'),))
    with pytest.raises(ValueError, match='split'):
        bad.write(tmp_path / 'manifest.json')
    assert list(tmp_path.iterdir()) == []


def test_the_documented_example_is_a_valid_manifest(tmp_path):
    page = Path(__file__).resolve().parents[2] / 'docs/manifest.md'
    text = page.read_text(encoding='utf-8')
    example = text.split('```json\n')[1].split('```')[0]
    (tmp_path / 'manifest.json').write_text(example)
    manifest = Manifest.read(tmp_path / 'manifest.json')
    assert manifest.to_dict() == json.loads(example)
    for name in manifest.to_dict()['data_list'][0]:
        assert f'`{name}`' in text
