import pytest

from mmmed.preparation.atlas_layout import name_subject
from mmmed.preparation.findings import InputError
from mmmed.preparation.given_folds import read_given_folds

WANTED = {
    'sub-r001s001': 0, 'sub-r001s002': 1, 'sub-r002s001': 0, 'sub-r002s002': 1,
    'sub-r003s001': 0,
}  # fmt: skip


def read(tmp_path, text):
    path = tmp_path / 'folds.csv'
    path.write_text(text)
    return read_given_folds(path, name_subject)


@pytest.mark.parametrize(
    'text',
    [
        'subject,fold\nr001s001,1\nr001s002,2\nr002s001,1\nr002s002,2\nr003s001,1\n',
        'fold_0,fold_1\nsub-r001s001,sub-r001s002\nsub-r002s001,sub-r002s002\n'
        'sub-r003s001,\n',
        ',0,1\n0,r001s001,r001s002\n1,r002s001,r002s002\n2,r003s001,\n',
        'r001s001,r002s001,r003s001\nr001s002,r002s002\n',
    ],
    ids=['long', 'columns', 'index', 'rows'],
)
def test_every_form_gives_the_same_folds(tmp_path, text):
    given = read(tmp_path, text)
    assert given.folds == WANTED
    assert given.num_folds == 2
    assert len(given.to_dict()['sha256']) == 64
    given.check(set(WANTED))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is empty'),
        ('a,b\n1,2\n', 'names no patient'),
        ('fold,name\n0,r001s001\n', 'none of subject'),
        ('fold,subject\n0,r001s001\n', '1 fold'),
        ('fold,subject\n0,r001s001\n1,r001s001\n', 'listed twice, first sub-r001s001'),
        ('fold,subject\n0,r001s001\n,r001s002\n', 'line 3'),
        ('fold,subject\n0,r001s001\n1,what\n', 'is no subject'),
    ],
)
def test_a_bad_table_is_one_clear_error(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_the_table_must_fit_the_data(tmp_path):
    given = read(tmp_path, 'fold,subject\n0,r001s001\n1,r001s002\n')
    with pytest.raises(InputError, match=r'1 patient.* in no fold, first sub-r009s001'):
        given.check({'sub-r001s001', 'sub-r001s002', 'sub-r009s001'})
    with pytest.raises(InputError, match='not in the data, first sub-r001s002'):
        given.check({'sub-r001s001'})
