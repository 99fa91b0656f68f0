"""Pictures with classes as a dataset: numbers by name, and what is refused."""

import json

import numpy as np
import pytest

from mmmed.datasets import PictureClassDataset
from mmmed.io import write_image
from mmmed.preparation import PictureClassPreparer


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three pictures of class b, two of class a."""
    base = tmp_path_factory.mktemp('pictures')
    for index, name in enumerate(('b/1', 'b/2', 'b/3', 'a/4', 'a/5')):
        (base / 'raw' / name).parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((4, 7), 50 + index, np.uint8)
        write_image(base / 'raw' / f'{name}.png', picture)
    preparer = PictureClassPreparer(num_folds=2, target='part')
    preparer.prepare(base / 'raw', base / 'out', quiet=True)
    return base / 'out'


def test_entries_columns_and_balance(folder):
    dataset = PictureClassDataset(str(folder))
    assert dataset.metainfo['targets'] == {'part': ['a', 'b']}
    assert dataset.get_column('part').tolist() == [0, 0, 1, 1, 1]
    assert [dataset.get_cat_ids(k) for k in (1, 2)] == [[0], [1]]
    entry = dataset[2]
    assert (entry['case_id'], entry['targets']) == ('b-1', {'part': 1})
    assert (entry['seg_map_path'], entry['positive']) == (None, None)
    sides = [
        PictureClassDataset(str(folder), split=s, fold=0) for s in ('train', 'val')
    ]
    assert sum(map(len, sides)) == 5
    with pytest.raises(ValueError, match="no column 'anatomy'"):
        dataset.get_column('anatomy')


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        ({'targets': {'part': 'c'}}, "class 'c' of part"),
        ({'targets': ['a']}, 'has no targets'),
        ({'img_path': '/etc/passwd.png'}, 'leaves its folder'),
    ],
)
def test_a_manifest_from_a_stranger_is_checked(folder, tmp_path, change, match):
    manifest = json.loads((folder / 'manifest.json').read_text())
    manifest['data_list'][0] |= change
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=match):
        PictureClassDataset(str(tmp_path))


def test_class_names_have_to_be_listed_once(folder, tmp_path):
    manifest = json.loads((folder / 'manifest.json').read_text())
    manifest['metainfo']['targets'] = {'part': ['a', 'a']}
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match='different class names'):
        PictureClassDataset(str(tmp_path))


def test_an_unknown_class_is_minus_one(folder, tmp_path):
    manifest = json.loads((folder / 'manifest.json').read_text())
    manifest['data_list'][0]['targets'] = {'part': None}
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    dataset = PictureClassDataset(str(tmp_path))
    assert dataset.get_column('part').tolist() == [-1, 0, 1, 1, 1]
    assert dataset.get_cat_ids(0) == []
