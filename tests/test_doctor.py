import subprocess
import sys

from mmmed import doctor


def test_this_environment_is_ready(capsys):
    assert doctor.diagnose() == 0
    printed = capsys.readouterr().out
    for word in ('torch', 'mmseg', 'checkpoint', 'cpu_distributed', 'ready'):
        assert word in printed


def test_missing_part_names_its_remedy(capsys, monkeypatch):
    parts = (*doctor.PARTS, doctor.Part('no_such_module', '', 'pip install it'))
    monkeypatch.setattr(doctor, 'PARTS', parts)
    assert doctor.diagnose() == 2
    printed = capsys.readouterr().out
    assert 'no_such_module does not import' in printed
    assert 'remedy: pip install it' in printed


def test_untested_version_is_told_but_not_fatal(capsys, monkeypatch):
    part = doctor.Part('numpy', '<1', 'make setup')
    monkeypatch.setattr(doctor, 'PARTS', (part,))
    assert doctor.diagnose() == 0
    assert 'untested version, expected <1' in capsys.readouterr().out


def test_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, '-m', 'mmmed.doctor'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
