"""The grid of a cross-validation, without training anything."""

import json
import sys

import pytest

from mmmed.engine import cross_validation
from mmmed.engine.cross_validation import (
    Grid,
    RunError,
    execute_grid,
    find_checkpoint,
    list_runs,
    write_array_script,
)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / 'recipe.py'
    path.write_text('max_iters = 3\n')
    return path


@pytest.fixture
def make_grid(recipe, tmp_path):
    def make(**kwargs):
        return Grid(recipe, tmp_path / 'work', 2, **kwargs)

    return make


def fake_mim(folder, *, fail=''):
    """A program in place of mim: leaves the files that a run leaves."""
    script = folder / 'fake_mim.py'
    script.write_text(
        'import sys, pathlib\n'
        'arguments = sys.argv[1:]\n'
        "work = pathlib.Path(arguments[arguments.index('--work-dir') + 1])\n"
        f'if arguments[0] == {fail!r} and "fold0" in work.name:\n'
        "    sys.exit('out of luck')\n"
        "if arguments[0] == 'train':\n"
        "    (work / 'iter_3.pth').touch()\n"
        "    (work / 'last_checkpoint').write_text('/elsewhere/iter_3.pth')\n"
        'else:\n'
        "    out = work / 'evaluation' / f'val-{work.name}'\n"
        '    out.mkdir(parents=True)\n'
        "    (out / 'summary.json').write_text('{}')\n"
    )
    return script


@pytest.fixture
def without_mim(monkeypatch, tmp_path):
    def replace(**kwargs):
        script = str(fake_mim(tmp_path, **kwargs))
        build = cross_validation.Run._build

        def build_fake(self, verb, *arguments):
            command = build(self, verb, *arguments)
            return [sys.executable, script, *command[3:]]

        monkeypatch.setattr(cross_validation.Run, '_build', build_fake)

    return replace


def test_runs_are_ordered_by_plane_then_fold(make_grid, tmp_path):
    runs = make_grid(planes=('axial', 'coronal')).runs
    folders = [run.folder.relative_to(tmp_path / 'work').as_posix() for run in runs]
    assert folders == [
        'axial/fold0', 'axial/fold1', 'coronal/fold0', 'coronal/fold1',
    ]  # fmt: skip
    assert runs[3].name == 'coronal, fold 1'


def test_every_loader_gets_fold_and_plane(make_grid):
    run = make_grid(planes=('sagittal',), shared={'options': ('a.b=1',)}).runs[1]
    command = run.build_train_command()
    assert command[1:5] == ['-m', 'mim', 'train', 'mmseg']
    changes = command[command.index('--cfg-options') + 1 :]
    assert changes == [
        f'{loader}_dataloader.dataset.{change}'
        for loader in ('train', 'val', 'test')
        for change in ('fold=1', 'plane=sagittal')
    ] + ['a.b=1']


def test_second_call_does_nothing_more(make_grid, without_mim):
    without_mim()
    said = []
    assert execute_grid(make_grid(), say=said.append) == []
    assert len(said) == 4
    assert all(run.is_done for run in make_grid().runs)
    assert execute_grid(make_grid(), say=said.append) == []
    assert len(said) == 4


def test_failed_run_is_named_and_does_not_stop_the_others(make_grid, without_mim):
    without_mim(fail='test')
    (failure,) = execute_grid(make_grid(), say=lambda line: None)
    assert failure.startswith('fold 0: test iter_3.pth ended with code 1')
    assert 'out of luck' in failure
    assert [run.is_done for run in make_grid().runs] == [False, True]


def test_a_task_is_one_run(make_grid, without_mim):
    without_mim()
    execute_grid(make_grid(), task=1, say=lambda line: None)
    assert [run.is_done for run in make_grid().runs] == [False, True]
    with pytest.raises(ValueError, match='no task 2, expected 0 to 1'):
        execute_grid(make_grid(), task=2, say=lambda line: None)


def test_folder_of_another_run_is_refused(make_grid, without_mim):
    without_mim()
    execute_grid(make_grid(), say=lambda line: None)
    other = make_grid(shared={'options': ('lr=2',)})
    with pytest.raises(ValueError, match=r'holds another run \(different: options\)'):
        execute_grid(other, say=lambda line: None)


def test_checkpoint_is_looked_for_in_the_run_itself(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/another/machine/iter_8.pth')
    with pytest.raises(RunError, match='no last checkpoint'):
        find_checkpoint(tmp_path, 'last')
    (tmp_path / 'iter_8.pth').touch()
    assert find_checkpoint(tmp_path, 'last') == tmp_path / 'iter_8.pth'
    with pytest.raises(RunError, match='no best checkpoint'):
        find_checkpoint(tmp_path, 'best')


def test_array_script_runs_the_grid_task_by_task(make_grid, recipe):
    arguments = [str(recipe), '--array', '--folds', '2', '--cfg-options', 'a="b c"']
    script = write_array_script(arguments, make_grid())
    lines = script.splitlines()
    assert lines[1] == '#SBATCH --array=0-1'
    assert '--task "$SLURM_ARRAY_TASK_ID"' in lines[2]
    assert '--array ' not in lines[2]
    assert lines[2].endswith('--cfg-options \'a="b c"\'')


def test_list_says_what_is_done(make_grid, without_mim):
    without_mim()
    execute_grid(make_grid(), task=0, say=lambda line: None)
    lines, rows = list_runs(make_grid())
    assert [line[:5] for line in lines] == ['done ', 'to do']
    assert [row['done'] for row in rows] == [True, False]
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'num_folds': 1}, '1 folds, expected at least 2'),
        ({'planes': ('axial', 'axial')}, 'each once is enough'),
        ({'config': None}, 'there is no recipe'),
    ],
)
def test_impossible_grids_are_refused(recipe, tmp_path, change, message):
    fields = {'config': recipe, 'work_dir': tmp_path, 'num_folds': 2, **change}
    if change.get('config', 1) is None:
        fields['config'] = tmp_path / 'absent.py'
    with pytest.raises(ValueError, match=message):
        Grid(**fields)
