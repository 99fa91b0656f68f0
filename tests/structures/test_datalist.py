import dataclasses
import json

import pytest

from mmmed.structures.datalist import Datalist, DatalistEntry


def entry(number, root='imagesTr'):
    labels = root.replace('images', 'labels')
    name = f'liver_{number}.nii.gz'
    return DatalistEntry(f'{root}/{name}', f'{labels}/{name}')


def make(training, validation, **rest):
    return Datalist(tuple(map(entry, training)), tuple(map(entry, validation)), **rest)


FACTS = {
    'labels': {0: 'background', 1: 'liver', 2: 'tumor'},
    'modality': ('CT',),
    'name': 'liver',
    'description': 'fold 0',
    'extra': {'licence': 'CC BY-SA 4.0', 'release': '1.0'},
}


def test_a_list_comes_back_and_has_the_published_keys(tmp_path):
    datalist = make([1, 2, 3], [4], **FACTS)
    datalist.write(tmp_path / 'real_0.json')
    assert Datalist.read(tmp_path / 'real_0.json') == dataclasses.replace(
        datalist, extra={**datalist.extra, 'tensorImageSize': '3D'}
    )
    value = json.loads((tmp_path / 'real_0.json').read_text())
    assert value['labels'] == {'0': 'background', '1': 'liver', '2': 'tumor'}
    assert value['modality'] == {'0': 'CT'}
    assert (value['numTraining'], value['numValid']) == (3, 1)
    assert value['tensorImageSize'] == '3D'
    assert value['validation'] == [
        {'image': 'imagesTr/liver_4.nii.gz', 'label': 'labelsTr/liver_4.nii.gz'}
    ]


def test_a_published_dataset_json_is_read(tmp_path):
    (tmp_path / 'dataset.json').write_text(
        json.dumps(
            {
                'name': 'Hippocampus',
                'tensorImageSize': '3D',
                'modality': {'0': 'MRI'},
                'labels': {'0': 'background', '1': 'Anterior', '2': 'Posterior'},
                'numTraining': 1,
                'training': [
                    {'image': './imagesTr/a.nii.gz', 'label': './labelsTr/a.nii.gz'}
                ],
                'test': ['./imagesTs/b.nii.gz'],
            }
        )
    )
    datalist = Datalist.read(tmp_path / 'dataset.json')
    assert datalist.training == (
        DatalistEntry('imagesTr/a.nii.gz', 'labelsTr/a.nii.gz'),
    )
    assert datalist.test == (DatalistEntry('imagesTs/b.nii.gz', None),)
    assert datalist.labels == {0: 'background', 1: 'Anterior', 2: 'Posterior'}


def test_names_before_numbers_are_understood():
    value = {'training': [], 'labels': {'background': 0, 'liver': 1}}
    assert Datalist.from_dict(value).labels == {0: 'background', 1: 'liver'}


def test_the_published_leak_is_refused(tmp_path):
    """All 20 validation scans of one published fold are in its training list."""
    value = make(range(101), []).to_dict()
    value['validation'] = make([], range(30, 50)).to_dict()['validation']
    (tmp_path / 'real_3.json').write_text(json.dumps(value))
    with pytest.raises(
        ValueError, match=r'real_3\.json: 20 of 20 .*liver_30.*liver_34.* and 15 more'
    ):
        Datalist.read(tmp_path / 'real_3.json')
    with pytest.raises(ValueError, match=r'1 of 1 .*imagesTr/liver_2\.nii\.gz'):
        make([1, 2], [2]).write(tmp_path / 'new.json')
    assert not (tmp_path / 'new.json').exists()


@pytest.mark.parametrize(
    'other',
    [
        DatalistEntry('CT/imagesTr/liver_2.nii.gz', None),
        DatalistEntry('imagesTr/LIVER_2.nii.gz', None),
        DatalistEntry('other.nii.gz', 'labelsTr/liver_2.nii.gz'),
    ],
)
def test_the_same_scan_by_another_path_is_a_leak(other):
    with pytest.raises(ValueError, match='1 of 1'):
        Datalist((entry(1), entry(2)), (other,)).check_disjoint()
    with pytest.raises(ValueError, match='1 of 1'):
        Datalist((other,), (entry(2),)).check_disjoint()


def test_equal_names_in_two_folders_are_two_scans():
    """img0001 of BTCV is not img0001 of KiTS."""
    Datalist(
        (DatalistEntry('01_BTCV/img/img0001.nii.gz', None),),
        (DatalistEntry('05_KiTS/img/img0001.nii.gz', None),),
    ).check_disjoint()


def test_who_knows_more_may_say_so():
    lists = Datalist(
        (DatalistEntry('04_LiTS/img/liver_2.nii.gz', None),),
        (DatalistEntry('imagesTr/liver_2.nii.gz', None),),
    )
    lists.check_disjoint()
    with pytest.raises(ValueError, match='1 of 1'):
        lists.check_disjoint(lambda path: path.rpartition('/')[2])


@pytest.mark.parametrize(
    'path',
    ['../a.nii.gz', '/etc/passwd', 'a/../../b.nii.gz', 'C:\\a.nii', '', 'a//b',
     './../a', 'a\nb', None, 3, ['a']],
)  # fmt: skip
@pytest.mark.parametrize('side', ['training', 'validation', 'test'])
def test_unsafe_paths_are_refused(path, side):
    value = {'training': [], side: [{'image': path, 'label': 'b.nii.gz'}]}
    with pytest.raises(ValueError, match=rf'{side}\[0\]: image: path'):
        Datalist.from_dict(value)
    if path is not None:
        value = {'training': [], side: [{'image': 'b.nii.gz', 'label': path}]}
        with pytest.raises(ValueError, match=rf'{side}\[0\]: label: path'):
            Datalist.from_dict(value)


@pytest.mark.parametrize(
    'value',
    [
        [],
        {},
        {'training': {}},
        {'training': [3]},
        {'training': [[]]},
        {'training': [], 'validation': 'x'},
        {'training': [], 'labels': []},
        {'training': [], 'labels': {'a': 'b'}},
        {'training': [], 'labels': {'0': 'x' * 500}},
        {'training': [], 'labels': {'-1': 'x'}},
        {'training': [], 'labels': {'1': 'a', '01': 'b'}},
        {'training': [], 'labels': {'0': 'a\u202eb'}},
        {'training': [], 'modality': ['CT']},
        {'training': [], 'modality': {'1': 'CT'}},
        {'training': [], 'modality': {'0': 3}},
    ],
)
def test_other_structures_are_refused(value, tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r'a\.json: '):
        Datalist.read(tmp_path / 'a.json')


@pytest.mark.parametrize(
    'text', ['', '{', '[' * 100_000, '{"training": NaN}', '\udcff']
)
def test_what_is_no_json_is_refused(text, tmp_path):
    (tmp_path / 'a.json').write_bytes(text.encode('utf-8', 'surrogatepass'))
    with pytest.raises(ValueError, match=r'a\.json: not'):
        Datalist.read(tmp_path / 'a.json')
