"""The command: messages, exit codes, the machine-readable line."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'report.py'
RUN = TOOL.parents[1] / 'tests' / 'reporting' / 'conftest.py'


def load(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


report = load(TOOL, 'report_tool')


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    phantom = load(RUN, 'phantom_run')
    manifest, targets = phantom.write_data(tmp_path / 'data')
    run = phantom.Run(tmp_path / 'work', tmp_path / 'data', manifest, targets)
    run.evaluate('val', 'val')
    return run.work_dir


def test_prints_the_path_and_what_to_mind(work_dir: Path, capsys) -> None:
    assert report.main([str(work_dir), '--max-cases', '1', '--json']) == 0
    lines = capsys.readouterr().out.splitlines()
    page = work_dir / 'report' / 'report.html'
    assert f'report: {page}' in lines
    assert any(line.startswith('warning: ') for line in lines)
    value = json.loads(lines[-1])
    assert value['html'] == str(page)
    assert page.stat().st_size > 50_000


def test_quiet_says_nothing_but_json(work_dir: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / 'out'
    options = ['-q', '--json', '--max-cases', '0', '--out', str(out)]
    assert report.main([str(work_dir), *options]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)['json'] == str(out / 'report.json')
    assert captured.err == ''


@pytest.mark.parametrize('folder', ['nowhere', '.'])
def test_nothing_to_report_is_one_line_and_exit_2(
    tmp_path: Path, folder: str, capsys
) -> None:
    assert report.main([str(tmp_path / folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith('report: ')
    assert len(error.splitlines()) == 1
    assert not (tmp_path / folder / 'report').exists()


def test_damaged_file_is_exit_2_and_a_traceback_only_on_demand(
    work_dir: Path, capsys
) -> None:
    (work_dir / 'evaluation' / 'val' / 'summary.json').write_text('{')
    assert report.main([str(work_dir)]) == 2
    assert 'summary.json' in capsys.readouterr().err
    with pytest.raises(ValueError, match=r'summary\.json'):
        report.main([str(work_dir), '--debug'])


def test_help_shows_an_example(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        report.main(['--help'])
    assert caught.value.code == 0
    assert 'python tools/report.py work_dirs/my_run' in capsys.readouterr().out
