import csv
import json
import random
import shutil

import pytest

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError
from mmmed.preparation.split_builder import apply_split, build_split, write_split
from mmmed.structures import Manifest, SplitManifest


def write_table(path, rows):
    with path.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows():
    rng = random.Random(0)
    return [
        {
            'case_id': f'{patient:03d}_{slice_}',
            'patient_id': f'{patient:03d}',
            'volume_ml': f'{rng.lognormvariate(3, 1):.2f}',
            'site': 'AB'[patient % 2],
            'bleeds': str(rng.randrange(2)),
        }
        for patient in range(20)
        for slice_ in range(rng.randint(1, 5))
    ]


@pytest.fixture
def table(tmp_path, rows):
    return write_table(tmp_path / 'table.csv', rows)


def test_a_table_becomes_a_valid_split(table, rows):
    split = build_split(table, stratify=['volume_ml', 'site', 'bleeds'], seed=4)
    split.validate()
    assert [case.case_id for case in split.cases] == [row['case_id'] for row in rows]
    assert split.metainfo['table'] == 'table.csv'
    assert split.metainfo['table_sha256'] == hash_file(table)
    assert [s['binning'] for s in split.metainfo['stratify']] == [
        'quantiles',
        'values',
        'values',
    ]
    balance = split.balance
    assert balance['cases']['total'] == len(rows) == sum(balance['cases']['folds'])
    assert balance['patients']['total'] == 20
    site_a = balance['levels']['site']['A']
    assert site_a['total'] == sum(row['site'] == 'A' for row in rows)
    val = [case for case in split.cases if case.split == 'val']
    assert balance['cases']['val'] == len(val)


def test_the_order_of_the_table_changes_no_place(table, rows, tmp_path):
    shuffled = write_table(
        tmp_path / 'shuffled.csv', random.Random(1).sample(rows, len(rows))
    )
    options = {'stratify': ['volume_ml', 'site'], 'seed': 2}
    assert build_split(shuffled, **options).hash == build_split(table, **options).hash


def test_without_strata_only_sizes_are_balanced(table):
    split = build_split(table, num_folds=4)
    sizes = split.balance['cases']['folds']
    assert max(sizes) - min(sizes) <= 3
    assert split.balance['levels'] == {}


def test_one_column_of_single_rows_is_the_split_of_the_preparers(tmp_path):
    from mmmed.preparation.splits import split_holdout, split_kfold

    rows = [{'id': f'p{i}', 'positive': 'ny'[i % 3 == 0]} for i in range(30)]
    table = write_table(tmp_path / 't.csv', rows)
    split = build_split(table, group='id', stratify=['positive'], seed=5)
    strata = {row['id']: row['positive'] for row in rows}
    folds = split_kfold(strata, num_folds=5, seed=5)
    assert {case.patient_id: case.fold for case in split.cases} == folds
    val = split_holdout(strata, val_ratio=0.2, seed=5)
    assert {c.patient_id for c in split.cases if c.split == 'val'} == val


def test_a_prepared_folder_is_a_table(prepared_head_ct):
    split = build_split(
        prepared_head_ct / 'manifest.json',
        stratify=['positive', 'findings.subdural'],
        num_folds=2,
        seed=9,
    )
    assert split.cases[0].img_path.startswith('images/')
    assert set(split.balance['levels']['positive']) <= {'true', 'false'}


def test_a_level_too_rare_for_the_folds_is_named(tmp_path):
    rows = [
        {'case_id': str(i), 'patient_id': str(i), 'site': 'AB'[i == 7]}
        for i in range(9)
    ]
    split = build_split(write_table(tmp_path / 't.csv', rows), stratify=['site'])
    assert split.balance['scarce'] == ['site B: 1 patient(s)']


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'group': 'person'}, "no column 'person'"),
        ({'case': 'name'}, "no column 'name'"),
        ({'stratify': ['volume']}, "did you mean 'volume_ml'"),
        ({'stratify': ['site', 'site']}, "names 'site' twice"),
        ({'num_folds': 21}, '20 different .* use --folds 2 to 20'),
        ({'num_folds': 1}, 'two folds; use --folds 2 to 20'),
        ({'val_ratio': 0.0}, '--val-ratio is 0.0'),
        ({'val_ratio': float('nan')}, '--val-ratio is nan'),
        ({'seed': -1}, '--seed is -1'),
        ({'case': 'site'}, "'site' is 'A' in line 2 and in line 3"),
    ],
)
def test_a_wrong_call_is_explained(table, options, words):
    with pytest.raises(InputError, match=words):
        build_split(table, **options)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'patient_id': 'NaN'}, r"1 row\(s\) without 'patient_id', first line 2"),
        ({'case_id': ''}, r"1 row\(s\) without 'case_id', first line 2"),
        ({'case_id': '019_0'}, "'case_id' is '019_0' in line 2 and in line"),
    ],
)
def test_a_broken_table_is_explained(tmp_path, rows, change, words):
    rows[0] |= change
    path = write_table(tmp_path / 'broken.csv', rows)
    with pytest.raises(InputError, match=words) as error:
        build_split(path)
    assert str(path) in str(error.value)


def test_rows_need_names_where_groups_repeat(tmp_path, rows):
    for row in rows:
        del row['case_id']
    with pytest.raises(InputError, match='--id'):
        build_split(write_table(tmp_path / 't.csv', rows))


def test_one_patient_cannot_be_split(tmp_path, rows):
    table = write_table(tmp_path / 't.csv', rows[:1])
    with pytest.raises(InputError, match='add patients'):
        build_split(table)


def test_another_split_is_not_overwritten_by_accident(table, tmp_path):
    out = tmp_path / 'splits.json'
    first, second = build_split(table), build_split(table, seed=1)
    assert write_split(first, out)
    assert not write_split(first, out)
    with pytest.raises(InputError, match='--overwrite'):
        write_split(second, out)
    assert SplitManifest.read(out) == first
    assert write_split(second, out, overwrite=True)
    assert SplitManifest.read(out) == second
    with pytest.raises(InputError, match=r'"\.json"'):
        write_split(first, tmp_path / 'splits.csv')


def test_a_prepared_folder_can_be_split_again(prepared_head_ct, tmp_path):
    folder = tmp_path / 'prepared'
    shutil.copytree(prepared_head_ct, folder)
    manifest = folder / 'manifest.json'
    split = build_split(manifest, stratify=['positive'], num_folds=3, seed=3)
    apply_split(split, manifest, folder / 'seed3.json')
    again = Manifest.read(folder / 'seed3.json')
    assert again.split_hash == split.hash
    assert again.metainfo['num_folds'] == 3
    apply_split(split, manifest, folder / 'seed3.json')
    for out, words in (
        (tmp_path / 'elsewhere.json', 'relative to it'),
        (manifest, 'the manifest itself'),
    ):
        with pytest.raises(InputError, match=words):
            apply_split(split, manifest, out)
    other = build_split(manifest, num_folds=3, seed=4, stratify=['case_id'])
    with pytest.raises(InputError, match='--overwrite'):
        apply_split(other, manifest, folder / 'seed3.json')
    (folder / 'table.json').write_text(json.dumps({'data_list': []}))
    with pytest.raises(InputError, match='metainfo'):
        apply_split(split, folder / 'table.json', folder / 'new.json')
