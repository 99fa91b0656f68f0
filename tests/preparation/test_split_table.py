import json

import pytest

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_table import is_missing, read_table

TABLE = 'case_id,patient_id,note\n1_a,007,"x, y"\n1_b,007,\n\n2_a,010,z\n'


def write(tmp_path, text, name='table.csv'):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        (TABLE, 'table.csv'),
        ('\ufeff' + TABLE.replace('\n', '\r\n'), 'table.csv'),
        (
            TABLE.replace(', y', '; y').replace(',', ';').replace('x; y', 'x, y'),
            't.csv',
        ),
        (TABLE.replace('"x, y"', 'x@y').replace(',', '\t').replace('@', ', '), 't.tsv'),
    ],
)
def test_values_stay_text_whatever_the_separator(tmp_path, text, name):
    table = read_table(write(tmp_path, text, name))
    assert table.columns == ('case_id', 'patient_id', 'note')
    assert table.column('patient_id') == ['007', '007', '010']
    assert table.column('note') == ['x, y', '', 'z']
    assert table.lines[-1] == 'line 5'


def test_a_manifest_is_a_table_with_dotted_columns(tmp_path):
    items = [
        {'case_id': 'a', 'positive': True, 'spacing': None, 'findings': {'sdh': False}},
        {'case_id': 'b', 'pixels': 12, 'findings': {'sdh': None}},
    ]
    table = read_table(write(tmp_path, json.dumps({'data_list': items}), 'm.json'))
    assert table.columns == ('case_id', 'positive', 'spacing', 'findings.sdh', 'pixels')
    assert table.rows == (('a', 'true', '', 'false', ''), ('b', '', '', '', '12'))


@pytest.mark.parametrize(
    ('text', 'name', 'words'),
    [
        ('', 't.csv', 'is empty'),
        ('a,b\n', 't.csv', 'holds no rows'),
        ('a,a\n1,2\n', 't.csv', "two columns 'a'"),
        ('a,,b\n1,2,3\n', 't.csv', 'column 2 has no name'),
        ('a,b\n1,2\n3\n', 't.csv', 'line 3 has 1 values for 2 columns'),
        (b'a\n\xff\n', 't.csv', 'not UTF-8'),
        ('a\n1\n', 't.xlsx', 'unknown kind of table'),
        ('[]', 't.json', 'not a manifest'),
        ('{"data_list": [1]}', 't.json', 'not a manifest'),
        ('{', 't.json', 'not readable as JSON'),
        ('{"data_list": []}', 't.json', 'holds no rows'),
    ],
)
def test_what_is_no_table_is_refused_with_its_name(tmp_path, text, name, words):
    path = write(tmp_path, text, name)
    with pytest.raises(InputError, match=words) as error:
        read_table(path)
    assert str(path) in str(error.value)


def test_an_unknown_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'absent\.csv: no such file'):
        read_table(tmp_path / 'absent.csv')


def test_an_unknown_column_gets_the_nearest(tmp_path):
    table = read_table(write(tmp_path, TABLE))
    with pytest.raises(InputError, match="did you mean 'patient_id'"):
        table.column('patientid')


@pytest.mark.parametrize('gap', ['', ' ', 'nan', 'NaN', 'NA', 'None', 'null', 'N/A'])
def test_a_gap_in_names_is_an_error_with_its_line(tmp_path, gap):
    assert is_missing(gap)
    table = read_table(write(tmp_path, f'case_id,p\na,1\nb,{gap}\nc,{gap}\n'))
    with pytest.raises(InputError, match=r"2 row\(s\) without 'p', first line 3"):
        table.column_of_names('p', 'group')
