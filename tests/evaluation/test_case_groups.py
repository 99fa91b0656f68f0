import logging

import pytest

from mmmed.evaluation.case_groups import NO_GROUPS, read_groups


def write(tmp_path, text):
    path = tmp_path / 'groups.csv'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_patients_and_columns(tmp_path):
    text = '\ufeffcase_id,patient_id,site\na,p,X\nb,p,Y\nother,q,Z\n'
    groups = read_groups(write(tmp_path, text), ['b', 'a'])
    assert groups.patients == {'a': 'p', 'b': 'p'}
    assert groups.columns == {'site': {'b': 'Y', 'a': 'X'}}
    assert groups.get_units(['b', 'a']) == ['p', 'p']
    assert NO_GROUPS.get_units(['b', 'a']) == ['b', 'a']


def test_a_measurement_is_no_group(tmp_path, caplog):
    caplog.set_level(logging.WARNING, 'mmmed')
    names = [f'c{i}' for i in range(60)]
    text = 'case_id,age,sex\n' + ''.join(
        f'{n},{i},{i % 2}\n' for i, n in enumerate(names)
    )
    groups = read_groups(write(tmp_path, text), names)
    assert list(groups.columns) == ['sex']
    assert 'age has more than 50 values' in caplog.text


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'expected a header with case_id'),
        ('name,site\na,X\n', 'expected a header with case_id'),
        ('case_id,dice\na,1\n', r"\(not \['dice'\]\)"),
        ('case_id,site\na,X\na,Y\n', "two rows of case 'a'"),
        ('case_id,site\nb,X\n', "no row of 1 cases such as 'a'"),
        ('case_id,patient_id\na,\n', 'a case has no patient_id'),
        ('case_id,site\na,X,Y\n', 'expected a header'),
        (b'case_id,site\na,\xff\n', 'not readable as CSV'),
    ],
)
def test_wrong_tables_name_file_and_reason(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_groups(write(tmp_path, text), ['a'], reserved=['dice'])
    assert 'groups.csv' in str(caught.value)


def test_an_absent_table(tmp_path):
    with pytest.raises(FileNotFoundError, match='no table of groups'):
        read_groups(tmp_path / 'x.csv', ['a'])
