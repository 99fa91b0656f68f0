import json
import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools/make_phantom.py'


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ('release', 'folder'), [('jpeg', 'Patients_CT'), ('nifti', 'ct_scans')]
)
def test_the_tool_writes_what_it_was_asked_for(tmp_path, run, release, folder):
    options = [
        '--patients',
        '2',
        '--slices',
        '3',
        '--size',
        '64',
        '--json',
        '--release',
    ]
    code, out, _ = run('head-ct', tmp_path / 'raw', *options, release)
    assert code == 0
    assert json.loads(out.splitlines()[-1])['slices'] == 6
    assert len(list((tmp_path / 'raw' / folder).iterdir())) == 2


@pytest.mark.parametrize('bad', [['--patients', 0], ['--slices', 1], ['--seed', -1]])
def test_a_wrong_number_ends_with_2_and_one_line(tmp_path, run, bad):
    code, _, err = run('head-ct', tmp_path / 'raw', *bad)
    assert code == 2
    assert err.startswith('error: ')
    assert len(err.splitlines()) == 1


def test_a_full_folder_ends_with_2_and_names_it(tmp_path, run):
    (tmp_path / 'mine.txt').touch()
    code, _, err = run('head-ct', tmp_path)
    assert code == 2
    assert str(tmp_path) in err


def test_debug_shows_the_traceback(tmp_path, run):
    with pytest.raises(ValueError, match='patients'):
        run('head-ct', tmp_path / 'raw', '--patients', 0, '--debug')


def test_an_abdomen_is_written_in_the_layout_that_was_asked_for(tmp_path, run):
    options = ['--patients', 1, '--spacing-mm', 10, 6, 6, '--layout', 'chaos', '--json']
    code, out, _ = run('abdomen', tmp_path / 'raw', *options)
    assert code == 0
    assert json.loads(out.splitlines()[-1])['scans'] == 1
    assert (tmp_path / 'raw/03_CHAOS/ct/img/1_image.nii.gz').is_file()


@pytest.mark.parametrize('bad', [['--tumors', -1], ['--spacing-mm', 0, 1, 1]])
def test_a_wrong_abdomen_ends_with_2(tmp_path, run, bad):
    code, _, err = run('abdomen', tmp_path / 'raw', *bad)
    assert code == 2
    assert err.startswith('error: ')


def test_help_shows_an_example_that_names_this_tool(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--help'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert stop.value.code == 0
    assert 'python tools/make_phantom.py head-ct' in capsys.readouterr().out


def test_spines_come_in_the_layout_of_spine_generic(tmp_path, run):
    size = ['--size', 24, 40, 9, '--spacing-mm', 4, 2, 4]
    options = ['--patients', 2, '--sequences', 'T2w', '--lesions', 2, '--json']
    code, out, _ = run('spine', tmp_path / 'raw', *size, *options)
    assert code == 0
    assert json.loads(out.splitlines()[-1])['images'] == 2
    files = {path.name for path in (tmp_path / 'raw').rglob('sub-thoracic02*.nii.gz')}
    image = 'sub-thoracic02_T2w'
    masks = {f'{image}_label-SC_seg.nii.gz', f'{image}_label-lesion_seg.nii.gz'}
    assert files == {f'{image}.nii.gz', *masks}
    code, _, err = run('spine', tmp_path / 'raw2', '--regions', 'knee')
    assert (code, len(err.splitlines())) == (2, 1)
