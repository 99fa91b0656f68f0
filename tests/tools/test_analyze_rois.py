import csv
import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools/analyze_rois.py'


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return call


def read(path):
    with path.open(newline='') as stream:
        return list(csv.DictReader(stream))


def test_tables_and_figures_of_a_fold(prepared_lesions, tmp_path, run):
    code, text, _ = run(prepared_lesions, '--fold', 2, '--out', tmp_path)
    assert code == 0
    assert 'wrote classes.csv, cases.csv, classes.png, sequences.png' in text
    rows = [r for r in read(tmp_path / 'classes.csv') if r['target'] == 'type']
    test = {r['class']: int(r['lesions']) for r in rows if r['part'] == 'test'}
    assert (test['hcc'], test['cyst'], test['missing']) == (1, 0, 1)
    assert sum(int(row['lesions']) for row in rows) == 6
    cases = read(tmp_path / 'cases.csv')
    assert [row['role'] for row in cases].count('val') == 1
    assert (cases[1]['sequences'], cases[1]['ap'], cases[1]['t2']) == (
        '2', '', 'mid_high',
    )  # fmt: skip
    for name in ('classes.png', 'sequences.png'):
        assert (tmp_path / name).read_bytes().startswith(b'\x89PNG')


def test_a_wrong_call_ends_with_2(prepared_lesions, tmp_path, run):
    assert run(prepared_lesions, '--fold', 7, '--out', tmp_path)[0] == 2
    code, _, error = run(tmp_path / 'nowhere')
    assert code == 2
    assert 'no manifest at' in error
    assert not list(tmp_path.iterdir())
