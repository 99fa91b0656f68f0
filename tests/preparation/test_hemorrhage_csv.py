import pytest

from mmmed.preparation import InputError
from mmmed.preparation.hemorrhage_csv import SUBTYPES, read_diagnoses

HEADER = (
    'PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,'
    'Epidural,Subdural,No_Hemorrhage,Fracture_Yes_No'
)


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=HEADER, encoding='utf-8-sig', end='\r\n'):
        path = tmp_path / 'hemorrhage_diagnosis.csv'
        path.write_bytes(end.join([header, *rows, '']).encode(encoding))
        return path

    return write


def test_rows_become_diagnoses(table):
    diagnoses = read_diagnoses(table('49,1,0,0,0,0,0,1,0', '130,31,0,1,0,0,1,0,1'))
    assert list(diagnoses) == [('049', 1), ('130', 31)]
    first, second = diagnoses.values()
    assert not first.hemorrhage
    assert first.fracture is False
    assert not any(first.subtypes.values())
    assert second.hemorrhage
    assert second.fracture is True
    seen = [name for name in SUBTYPES if second.subtypes[name]]
    assert seen == ['intraparenchymal', 'subdural']


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_byte_order_mark_and_line_ends_do_not_matter(table, encoding, end):
    path = table('49,1,0,0,0,0,0,1,0', encoding=encoding, end=end)
    assert list(read_diagnoses(path)) == [('049', 1)]


def test_the_nifti_release_has_decimals_and_empty_rows(table):
    rows = ['49.0,1.0,0,0,0,0,0,1,0', ',,,,,,,,', '', '  ']
    assert list(read_diagnoses(table(*rows))) == [('049', 1)]


def test_order_and_spelling_of_the_header_do_not_matter(table):
    header = (
        'slice number,PATIENT_NUMBER,Subdural,Epidural,Subarachnoid,Intraparenchymal,'
        'Intraventricular,no hemorrhage,Age'
    )
    diagnoses = read_diagnoses(table('7,50,1,0,0,0,0,0,33', header=header))
    assert diagnoses['050', 7].subtypes['subdural']
    assert diagnoses['050', 7].fracture is None


def test_a_subtype_makes_a_slice_positive_whatever_the_last_column_says(table):
    assert read_diagnoses(table('50,7,0,0,0,1,0,1,0'))['050', 7].hemorrhage


def test_the_same_row_twice_is_one(table):
    row = '50,7,0,0,0,1,0,0,0'
    assert len(read_diagnoses(table(row, row))) == 1


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('50,x,0,0,0,1,0,0,0', "slicenumber is 'x', expected a whole number"),
        ('50,1.5,0,0,0,1,0,0,0', "slicenumber is '1.5'"),
        ('nan,1,0,0,0,1,0,0,0', "patientnumber is 'nan'"),
        ('inf,1,0,0,0,1,0,0,0', "patientnumber is 'inf'"),
        ('50,1,0,0,0,2,0,0,0', "epidural is '2', expected 0 or 1"),
        ('50,1,0,0,0,,0,0,0', "epidural is ''"),
        ('50,1,0,0,0,1,0,0,yes', "fractureyesno is 'yes'"),
        ('0,1,0,0,0,1,0,0,0', 'patient 0'),
        ('50,0,0,0,0,1,0,0,0', 'slice 0'),
        ('50,1,0,0', '4 cells, expected 9'),
        ('50,1,0,0,0,1,0,0,0,9', '10 cells, expected 9'),
    ],
)
def test_a_bad_cell_is_named_with_its_line(table, row, message):
    path = table('49,1,0,0,0,0,0,1,0', row)
    with pytest.raises(InputError, match='line 3') as stop:
        read_diagnoses(path)
    assert message in str(stop.value)
    assert 'hemorrhage_diagnosis.csv' in str(stop.value)
    assert 'fetch the file again' in str(stop.value)


def test_contradicting_rows_are_named(table):
    path = table('50,7,0,0,0,1,0,0,0', '50,7,0,0,0,0,0,1,0')
    with pytest.raises(InputError, match='line 3: patient 050 slice 7 is listed twice'):
        read_diagnoses(path)


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\n\n',
        b'\xff\xfeP\x00a\x00',
        b'\x00\x00\x00',
        b'PatientNumber;SliceNumber;Epidural\n49;1;0\n',
        b'"PatientNumber,SliceNumber\n49,1\n',
        b'\x89PNG\r\n\x1a\n' + bytes(200),
    ],
)
def test_what_is_no_such_table_gives_one_error_that_names_it(tmp_path, content):
    path = tmp_path / 'hemorrhage_diagnosis.csv'
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r'diagnosis\.csv: (the header|not a readable)'
    ):
        read_diagnoses(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'none\.csv'):
        read_diagnoses(tmp_path / 'none.csv')


@pytest.mark.data
def test_the_real_table(sample_data):
    path = sample_data / 'head_ct_ich' / 'hemorrhage_diagnosis.csv'
    diagnoses = read_diagnoses(path)
    assert len(diagnoses) == 2501
    assert sum(d.hemorrhage for d in diagnoses.values()) == 318
    assert len({patient for patient, _ in diagnoses}) == 82
    assert sum(bool(d.fracture) for d in diagnoses.values()) == 195
