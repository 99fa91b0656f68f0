"""The command: exit codes, what it prints, what it leaves alone."""

import importlib.util
import json
from pathlib import Path

import pytest

from mmmed.files import write_json_atomic

TOOL = Path(__file__).parents[2] / 'tools/make_results.py'


def load_tool():
    spec = importlib.util.spec_from_file_location('make_results_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


main = load_tool().main


@pytest.fixture
def spec(tmp_path):
    value = {
        'schema_version': 1,
        'title': 'A study',
        'runs': {'net': {'folder': 'work', 'model': 'Net'}},
        'tables': [{'name': 'models', 'runs': ['net']}],
    }
    write_json_atomic(tmp_path / 'study.json', value)
    return tmp_path / 'study.json'


def test_missing_run_is_named_and_no_error(spec, tmp_path, capsys):
    assert main([str(spec), '--out', str(tmp_path / 'r.md'), '--json']) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == 'not there: net: there is no such folder'
    assert json.loads(last) == {
        'page': str(tmp_path / 'r.md'),
        'tables': [],
        'runs': [],
        'missing': {'net': 'there is no such folder'},
    }
    assert '# A study' in (tmp_path / 'r.md').read_text()


def test_wrong_study_file_is_exit_code_2(tmp_path, capsys):
    assert main([str(tmp_path / 'no.json'), '--out', str(tmp_path / 'r.md')]) == 2
    assert 'error: there is no study file' in capsys.readouterr().err
    assert not (tmp_path / 'r.md').exists()


def test_damaged_result_is_exit_code_2(spec, tmp_path, capsys):
    folder = tmp_path / 'work/evaluation/val'
    write_json_atomic(folder / 'summary.json', {'schema_version': 1})
    assert main([str(spec), '--out', str(tmp_path / 'r.md')]) == 2
    assert 'cases.csv is missing' in capsys.readouterr().err


def test_quiet(spec, tmp_path, capsys):
    assert main([str(spec), '--out', str(tmp_path / 'r.md'), '-q']) == 0
    assert capsys.readouterr().out == ''


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        main([str(tmp_path / 'no.json'), '--out', str(tmp_path / 'r.md'), '--debug'])
