import json

import pytest

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_audit import audit_split
from mmmed.structures.split_manifest import SplitCase, SplitManifest


def write_csv(tmp_path, *lines, header='case_id,patient_id,split'):
    path = tmp_path / 'table.csv'
    path.write_text('\n'.join([header, *lines]))
    return path


def collect(audit, kind='overlap'):
    return [finding.text for finding in audit.findings if finding.kind == kind]


def test_a_clean_split_has_no_findings(tmp_path):
    audit = audit_split(write_csv(tmp_path, 'a,1,train', 'b,1,train', 'c,2,val'))
    assert (audit.findings, audit.exit_code) == ((), 0)
    assert (audit.cases, audit.patients, audit.images) == (3, 2, 0)
    assert audit.sides == ('split',)


def test_a_patient_on_two_sides_is_counted(tmp_path):
    lines = ['a,1,train,0', 'b,1,train,0', 'c,1,val,0', 'd,2,val,1', 'e,2,val,2']
    header = 'case_id,patient_id,split,fold'
    audit = audit_split(write_csv(tmp_path, *lines, header=header))
    assert audit.exit_code == 2
    assert collect(audit) == [
        "patient '1' is in split train (2 cases) and val (1 cases); move all to one",
        "patient '2' is in fold 1 (1 cases) and 2 (1 cases); move all to one",
    ]


def test_many_patients_on_two_sides_are_summed_up(tmp_path):
    lines = [f'{i}{s},{i},{s}' for i in range(9) for s in ('train', 'test')]
    audit = audit_split(write_csv(tmp_path, *lines))
    assert len(collect(audit)) == 6
    assert collect(audit)[-1].startswith('4 more patients are on several sides')


def test_one_name_twice(tmp_path):
    audit = audit_split(
        write_csv(tmp_path, 'a,1,train', 'A,2,val', 'b,3,val', 'b,3,val')
    )
    assert audit.exit_code == 2
    assert 'cases a (1; split train) and A (2; split val)' in collect(audit)[0]
    assert 'cases b (3; split val) and b (3; split val)' in collect(audit, 'warning')[0]


@pytest.mark.parametrize('other', ['7', 'p_007', 'P-7', 'p 7'])
def test_names_that_may_be_one_person(tmp_path, other):
    first = '007' if other.isdigit() else 'P-007'
    table = write_csv(tmp_path, f'a,{first},train', f'b,{other},val', 'c,8,val')
    audit = audit_split(table)
    assert audit.exit_code == 0
    assert 'may be one person' in collect(audit, 'warning')[0]
    assert audit_split(table, strict=True).exit_code == 2


def test_different_people_are_not_suspected(tmp_path):
    audit = audit_split(write_csv(tmp_path, 'a,p1-1,train', 'b,p11,val', 'c,p10,val'))
    assert audit.findings == ()


def test_a_side_that_has_all_is_odd(tmp_path):
    audit = audit_split(write_csv(tmp_path, 'a,1,train', 'b,2,train'))
    assert collect(audit, 'warning') == ["all cases are in split 'train'"]


def test_an_edited_split_manifest_is_found(tmp_path):
    cases = (SplitCase('a', '1', 'train', 0), SplitCase('b', '2', 'val', 1))
    path = tmp_path / 'splits.json'
    SplitManifest({'num_folds': 2}, cases).write(path)
    assert audit_split(path).exit_code == 0
    path.write_text(path.read_text().replace('"fold": 1', '"fold": 0'))
    audit = audit_split(path)
    assert audit.exit_code == 2
    assert 'it was edited' in collect(audit)[0]


def test_a_broken_prepared_manifest_is_audited_not_refused(prepared_head_ct, tmp_path):
    value = json.loads((prepared_head_ct / 'manifest.json').read_text())
    cases = value['data_list']
    path = tmp_path / 'manifest.json'
    path.write_text(json.dumps(value))
    assert audit_split(path).exit_code == 0
    train = next(case for case in cases if case['split'] == 'train')
    val = next(case for case in cases if case['split'] == 'val')
    val['patient_id'] = train['patient_id']
    path.write_text(json.dumps(value))
    assert audit_split(path).exit_code == 2


def test_stored_hashes_are_compared_without_images(prepared_head_ct, tmp_path):
    value = json.loads((prepared_head_ct / 'manifest.json').read_text())
    train = next(c for c in value['data_list'] if c['split'] == 'train')
    val = next(c for c in value['data_list'] if c['split'] == 'val')
    val['sha256']['img'] = train['sha256']['img']
    path = tmp_path / 'manifest.json'
    path.write_text(json.dumps(value))
    (text,) = collect(audit_split(path))
    assert train['case_id'] in text
    assert val['case_id'] in text
    assert 'have the same bytes on two sides' in text


@pytest.mark.parametrize(
    ('header', 'words'),
    [
        ('case_id,patient_id,side', 'no column says who is where'),
        ('name,patient_id,split', "no column 'case_id'"),
        ('case_id,person,split', "no column 'person'|no column 'patient_id'"),
    ],
)
def test_a_table_without_sides_or_names_is_refused(tmp_path, header, words):
    with pytest.raises(InputError, match=words):
        audit_split(write_csv(tmp_path, 'a,1,train', header=header))


def test_other_names_of_columns(tmp_path):
    header = 'image,person,fold'
    table = write_csv(tmp_path, 'a,1,0', 'b,1,1', header=header)
    assert audit_split(table, group='person', case='image').exit_code == 2


@pytest.mark.parametrize('similarity', [0, 1.1, float('nan')])
def test_similarity_is_a_correlation(tmp_path, similarity):
    with pytest.raises(InputError, match='--near'):
        audit_split(write_csv(tmp_path, 'a,1,train'), similarity=similarity)


def test_a_row_without_a_side_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"without 'split', first line 2"):
        audit_split(write_csv(tmp_path, 'a,1,'))
