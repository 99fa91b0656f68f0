import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmmed.phantoms import make_cohort, write_jpeg_release

TOOL = Path(__file__).resolve().parents[2] / 'tools/prepare_dataset.py'


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp('phantom') / 'raw'
    write_jpeg_release(folder, make_cohort(6, slices=4, size=64, seed=1))
    return folder


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        code = main(['cranium', *(str(argument) for argument in arguments)])
        return code, *capsys.readouterr()

    return call


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_it_prints_the_table_and_where_it_wrote(raw, tmp_path, run):
    code, out, _ = run(raw, '--out', tmp_path / 'cranium')
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == [
        'patients',
        'positive',
        'slices',
        'positive',
        'foreground',
    ]
    assert lines[3].split()[:4] == ['all', '6', '4', '24']
    assert 'whole data set: 2501, 318, 82' in out
    assert 'neither black nor white' in out
    assert lines[-1] == f'wrote {tmp_path / "cranium"}'


def test_json_is_the_last_line(raw, tmp_path, run):
    code, out, err = run(raw, '--out', tmp_path / 'cranium', '--json', '-q')
    assert code == 0
    assert err == ''
    value = json.loads(out)
    assert value['status'] == 'written'
    assert value['schema_version'] == 1
    assert value['splits']['all']['slices'] == 24
    code, out, _ = run(raw, '--out', tmp_path / 'cranium', '--json')
    assert json.loads(out.splitlines()[-1])['status'] == 'unchanged'
    assert 'nothing to do' in out


def test_every_option_reaches_the_preparer(raw, tmp_path, run):
    options = '--val-patients 1 002 --folds 3 --seed 9 --workers 1 --window both'
    code, *_ = run(raw, '--out', tmp_path / 'c', *options.split(), '--strict', '-v')
    assert code == 0
    metainfo = json.loads((tmp_path / 'c/manifest.json').read_text())['metainfo']
    assert metainfo['val_patients'] == ['001', '002']
    assert (metainfo['num_folds'], metainfo['seed']) == (3, 9)
    assert metainfo['channel_names'] == ['brain', 'bone']


def test_a_dry_run_writes_nothing(raw, tmp_path, run):
    code, out, _ = run(raw, '--out', tmp_path / 'cranium', '--dry-run')
    assert code == 0
    assert 'would be written' in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    'bad',
    [
        ['--folds', 9],
        ['--val-ratio', 2],
        ['--workers', 0],
        ['--val-patients', 'x'],
        ['--window-level', 40],
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(raw, tmp_path, run, bad):
    code, out, err = run(raw, '--out', tmp_path / 'cranium', *bad, '-q')
    assert (code, out) == (2, '')
    assert err.startswith('error: ')
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_ends_with_2(tmp_path, run):
    code, _, err = run(tmp_path / 'none', '--out', tmp_path / 'out')
    assert code == 2
    assert str(tmp_path / 'none') in err


def test_skipped_files_end_with_3_and_are_named(tmp_path, run):
    write_jpeg_release(tmp_path / 'raw', make_cohort(6, slices=3, size=64, seed=1))
    path = tmp_path / 'raw/Patients_CT/003/brain/2.jpg'
    path.write_bytes(path.read_bytes()[:400])
    code, out, _ = run(tmp_path / 'raw', '--out', tmp_path / 'cranium')
    assert code == 3
    assert 'Patients_CT/003/brain/2.jpg: not a readable image' in out
    code, _, err = run(tmp_path / 'raw', '--out', tmp_path / 'strict', '--strict')
    assert code == 2
    assert 'Patients_CT/003/brain/2.jpg' in err
    assert not (tmp_path / 'strict').exists()


def test_debug_shows_the_traceback(tmp_path, run):
    with pytest.raises(ValueError, match='no such folder'):
        run(tmp_path / 'none', '--out', tmp_path / 'out', '--debug')


def test_help_shows_an_example_that_names_this_tool(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--help'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert stop.value.code == 0
    assert 'python tools/prepare_dataset.py cranium RAW' in capsys.readouterr().out


# A child that converts slowly enough to be caught in the middle.
SLOW = """
import runpy, sys, time
from mmmed.preparation.workspace import Workspace
append = Workspace.append
def slow(self, entry):
    append(self, entry)
    time.sleep(0.1)
Workspace.append = slow
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def start_and_signal(raw, out, number):
    """Send a signal once some slices are in the journal; returns the exit code."""
    command = [sys.executable, '-c', SLOW, str(TOOL), 'cranium', str(raw)]
    child = subprocess.Popen(
        [*command, '--out', str(out), '--workers', '2'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = out.parent / f'.{out.name}.partial' / 'journal.jsonl'
    deadline = time.monotonic() + 600
    while not (journal.exists() and journal.read_bytes().count(b'"task"') >= 4):
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child.pid, number)
    _, err = child.communicate(timeout=30)
    return child.returncode, err


def test_a_run_killed_with_sigkill_leaves_no_output_and_goes_on(raw, tmp_path, run):
    out = tmp_path / 'killed'
    code, _ = start_and_signal(raw, out, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not out.exists()
    code, text, _ = run(raw, '--out', out, '--json')
    assert code == 0
    assert 4 <= json.loads(text.splitlines()[-1])['reused'] < 24
    assert [path.name for path in tmp_path.iterdir()] == ['killed']
    run(raw, '--out', tmp_path / 'whole')
    assert snapshot(out) == snapshot(tmp_path / 'whole')


def test_ctrl_c_ends_with_130_and_goes_on(raw, tmp_path, run):
    out = tmp_path / 'stopped'
    code, err = start_and_signal(raw, out, signal.SIGINT)
    assert code == 130
    assert 'the same command goes on' in err
    assert 'Traceback' not in err
    assert not out.exists()
    code, text, _ = run(raw, '--out', out, '--json')
    assert code == 0
    assert json.loads(text.splitlines()[-1])['reused'] >= 4
