import json
import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools/make_atlas_phantom.py'


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        return code, *capsys.readouterr()

    return call


def test_the_example_of_the_help_runs(tmp_path, run):
    pytest.importorskip('nilearn')
    out = tmp_path / 'raw'
    code, text, _ = run(out, '--subjects', 2, '--spacing-mm', 12, '--json')
    assert code == 0
    assert json.loads(text.splitlines()[-1]) == {'out': str(out), 'subjects': 2}
    assert 'semi-synthetic' in text
    assert len(list(out.rglob('*_mask.nii.gz'))) == 2


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (('--subjects', 0), 'subjects is 0'),
        (('--masks', '/nowhere'), 'holds no lesion masks'),
        (('--template', '/nowhere.nii'), 'no volume at'),
        (('--spacing-mm', -1), '0.5 to 20'),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, run, extra, message):
    call = (tmp_path / 'raw', '--spacing-mm', 12, *extra)
    code, _, error = run(*call)
    assert code == 2
    assert message in error
    assert 'Traceback' not in error
