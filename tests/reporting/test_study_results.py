"""The page of a study, written from folders."""

import csv
import re

import pytest

from mmmed.reporting.study_results import write_study

BETTER = {
    's1': [(3, 0, 1), (2, 1, 0), (0, 0, 0)],
    's2': [(4, 0, 0), (0, 0, 0), (0, 0, 0)],
}
RUNS = {
    'a': {'model': 'RAX-Net', 'batches': 'matched', 'seed': 0},
    'b': {'model': 'X-Net', 'seed': 0},
    'c': {'model': 'D-UNet', 'seed': 0},
    'plain': {'batches': 'plain', 'seed': 0},
}
TABLES = [
    {'name': 'models', 'title': 'Networks', 'runs': ['a', 'b', 'c']},
    {'name': 'batches', 'kind': 'seeds', 'by': 'batches', 'runs': ['a', 'plain']},
    {'name': 'fusion', 'kind': 'fusion', 'folder': 'work/fusion'},
]


@pytest.fixture
def spec(study):
    study.add_training(study.add_run('a', BETTER))
    study.add_training(study.add_run('b'), seconds=7500.0)
    study.add_run('plain')
    study.add_fusion()
    return study.write_spec(RUNS, TABLES, note='A note.', command='make results')


@pytest.fixture
def page(spec, study):
    return write_study(spec, study.root / 'out/results.md').page.read_text()


def test_page_says_what_it_is_made_of(page):
    assert 'The cohort is semi-synthetic' in page
    assert 'A note.' in page
    assert '3 runs, tested 2024-05-01, on cpu; 2 subjects that none of them was' in page
    assert '18 slices scored' in page
    assert 'make results' in page


def test_rows_of_the_page(page):
    lines = page.splitlines()
    volumes = next(one for one in lines if one.startswith('| RAX-Net | 2 | 0.917'))
    assert volumes == (
        '| RAX-Net | 2 | 0.917 ± 0.118 | 0.833 to 1.000 | 0.917 | 0.917 | 0.917 | 0.0 |'
    )
    assert '| X-Net | 3 | 0.472 ± 0.411 | 0.542 | 0.333 to 0.750 | 33.3 % | 3 |' in page
    # All background: (0.2 + 1/3 + 0.2 + 3) / 6, in both rows.
    assert page.count('| 50.0 % | 0.679 | 0.622 | +0.057 |') >= 1
    assert '| RAX-Net | 0 | 2 | 16 | 6 | cpu | 100 s |' in page
    assert '| X-Net | 0 | 2 | 16 | 6 | cpu | 2.1 h |' in page
    assert '- not there: `c`: there is no such folder' in page
    assert '2 subjects are too few to tell.' in page


def test_every_table_has_a_csv(spec, study):
    result = write_study(spec, study.root / 'out/results.md')
    text = result.page.read_text()
    linked = re.findall(r'\]\((results/[\w.-]+\.csv)\)', text)
    assert {f'results/{path.name}' for path in result.tables} == set(linked)
    assert all((result.page.parent / link).is_file() for link in linked)
    with open(study.root / 'out/results/models_volumes.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]['dice_mean']) == pytest.approx(11 / 12, rel=1e-12)
    with open(study.root / 'out/results/subjects.csv', newline='') as stream:
        runs = [row['run'] for row in csv.DictReader(stream)]
    # Runs, then each mask of the fusion; two subjects each.
    assert dict.fromkeys(runs).keys() == {
        'a', 'b', 'plain', 'fusion: axial alone', 'fusion: fused',
    }  # fmt: skip
    assert len(runs) == 10


def test_same_results_make_the_same_bytes(spec, study):
    first = write_study(spec, study.root / 'out/results.md')
    before = [path.read_bytes() for path in (first.page, *first.tables)]
    again = write_study(spec, study.root / 'out/results.md')
    assert [path.read_bytes() for path in (again.page, *again.tables)] == before


def test_page_names_no_path_of_the_machine(spec, study, page):
    assert str(study.root) not in page


def test_study_without_any_run(study):
    path = study.write_spec({'a': {'model': 'A'}}, [{'name': 'models', 'runs': ['a']}])
    result = write_study(path, study.root / 'results.md')
    text = result.page.read_text()
    assert 'No result yet.' in text
    assert 'semi-synthetic' not in text
    assert result.tables == ()
    assert result.as_dict()['missing'] == {'a': 'there is no such folder'}


def test_out_must_be_markdown(spec, study):
    with pytest.raises(ValueError, match=r'name ending in \.md'):
        write_study(spec, study.root / 'results.html')


def test_cells_and_heads_agree_in_number(page):
    tables = re.findall(r'(?:^\|.*\|\n)+', page, re.MULTILINE)
    assert len(tables) > 10
    for table in tables:
        assert len({line.count('|') for line in table.splitlines()}) == 1
