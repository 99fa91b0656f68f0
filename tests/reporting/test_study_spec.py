"""The study file: read, and refused with a reason."""

import pytest

from mmmed.reporting.study_spec import SECTIONS, read_study_spec

RUNS = {'a': {'model': 'A', 'seed': 0}, 'b': {'model': 'B', 'seed': 1}}


def test_folders_are_relative_to_the_file(study):
    path = study.write_spec(RUNS, [{'name': 'models', 'runs': ['a', 'b']}])
    spec = read_study_spec(path)
    assert spec.runs['a'].folder == study.root / 'work/a'
    assert spec.runs['a'].shown == 'a'
    assert spec.runs['b'].roles == {'model': 'B', 'seed': 1}
    (table,) = spec.tables
    assert (table.kind, table.by, table.sections) == ('runs', 'model', SECTIONS)
    assert spec.label == 'lesion'


@pytest.mark.parametrize(
    ('runs', 'table', 'message'),
    [
        (RUNS, {'name': 'm', 'runs': ['c']}, 'there is no run c'),
        (RUNS, {'name': 'm', 'runs': ['a'], 'by': 'loss'}, 'a has no loss'),
        (RUNS, {'name': 'm', 'runs': []}, 'no run has no model'),
        (RUNS, {'name': '../m', 'runs': ['a']}, 'names are lower-case'),
        (RUNS, {'name': 'm', 'runs': ['a'], 'kind': 'x'}, "kind is 'x', expected"),
        (RUNS, {'name': 'm', 'runs': ['a'], 'sections': ['x']}, "sections is 'x'"),
        (RUNS, {'name': 'm', 'runs': ['a', 'a']}, 'without repetition'),
        (RUNS, {'name': 'm', 'kind': 'fusion'}, 'needs the folder'),
        (RUNS, {'name': 'm', 'run': ['a']}, r"unknown \['run'\]"),
        (
            {'a': {'seed': '0'}},
            {'name': 'm', 'runs': ['a']},
            'seed is .0., expected int',
        ),
        (
            {'a': {'model': 'A'}, 'b': {'model': 'A'}},
            {'name': 'm', 'runs': ['a', 'b']},
            'two runs have the same model',
        ),
        (
            {'a': {'model': 'A', 'evaluation': '../x'}},
            {'name': 'm', 'runs': ['a']},
            'evaluation is',
        ),
    ],
)
def test_mistakes_are_named(study, runs, table, message):
    path = study.write_spec(runs, [table])
    with pytest.raises(ValueError, match=message) as caught:
        read_study_spec(path)
    assert str(path) in str(caught.value)


def test_table_names_are_unique(study):
    table = {'name': 'm', 'runs': ['a']}
    with pytest.raises(ValueError, match='each name once'):
        read_study_spec(study.write_spec(RUNS, [table, table]))


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='no study file'):
        read_study_spec(tmp_path / 'study.json')


def test_file_that_is_not_json(tmp_path):
    (tmp_path / 'study.json').write_text('{')
    with pytest.raises(ValueError, match='not readable as JSON'):
        read_study_spec(tmp_path / 'study.json')
