"""Cross-validation of a recipe: the grid of runs, each one trained and tested by mim.

Not here: what the folds amount to together (``fold_summary``), who is in which fold
(``mmmed.preparation.splits``).
"""

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, write_json_atomic
from mmmed.structures.json_file import load_json

LOADERS = ('train', 'val', 'test')
CHECKPOINTS = ('last', 'best')


class RunError(RuntimeError):
    """A command of a run ended with an error."""


@dataclass(frozen=True)
class Run:
    """One cell of the grid: a recipe trained without one fold and tested on it.

    Args:
        config: Recipe file.
        fold: Fold left out of training, from 0.
        plane: Value for the datasets' ``plane``, or None to leave the recipe's.
        folder: Work folder of this run alone.
        launcher: Arguments for mim such as ``('--launcher', 'pytorch', '--gpus',
            '2')``.
        options: Further ``key=value`` of ``--cfg-options``.
        checkpoint: ``'last'``: the end of a fixed schedule. ``'best'``: the best
            validation of this very fold, which makes its score optimistic.
    """

    config: Path
    fold: int
    plane: str | None
    folder: Path
    launcher: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    checkpoint: str = 'last'

    @property
    def name(self) -> str:
        """Short name, such as ``axial, fold 2``."""
        fold = f'fold {self.fold}'
        return f'{self.plane}, {fold}' if self.plane else fold

    @property
    def is_done(self) -> bool:
        """Whether the left-out fold has been tested."""
        return find_summary(self.folder) is not None

    @property
    def changes(self) -> list[str]:
        """``key=value`` that make the recipe this run."""
        keys = {'fold': self.fold} | ({'plane': self.plane} if self.plane else {})
        places = [
            f'{loader}_dataloader.dataset.{key}={value}'
            for loader in LOADERS
            for key, value in keys.items()
        ]
        return [*places, *self.options]

    def build_train_command(self) -> list[str]:
        """Command that trains, or goes on training, this run."""
        return self._build('train', '--resume', *self.launcher)

    def build_test_command(self, checkpoint: Path) -> list[str]:
        """Command that tests a checkpoint on the fold left out."""
        return self._build('test', '--checkpoint', str(checkpoint), *self.launcher)

    def _build(self, verb: str, *arguments: str) -> list[str]:
        return [
            *(sys.executable, '-m', 'mim', verb, 'mmseg', str(self.config)),
            *('--work-dir', str(self.folder), *arguments),
            *('--cfg-options', *self.changes),
        ]

    def describe(self) -> dict[str, Any]:
        """What decides the result, to tell whether a folder holds this run."""
        return {
            'schema_version': 1,
            'config': self.config.name,
            'config_sha256': hash_file(self.config),
            'fold': self.fold,
            'plane': self.plane,
            'options': list(self.options),
            'checkpoint': self.checkpoint,
        }


@dataclass(frozen=True)
class Grid:
    """All runs of a cross-validation, in a fixed order.

    Args:
        config: Recipe file.
        work_dir: Folder of the grid; a run lies in ``[<plane>/]fold<k>``.
        num_folds: Number of folds, as the data was prepared with.
        planes: Values for ``dataset.plane``; empty to leave the recipe's.
        shared: Further fields of every :class:`Run`.

    Raises:
        ValueError: There is no such file, fewer than two folds, or a plane occurs
            twice.
    """

    config: Path
    work_dir: Path
    num_folds: int
    planes: tuple[str, ...] = ()
    shared: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.config.is_file():
            raise ValueError(f'there is no recipe {self.config}')
        if self.num_folds < 2:
            raise ValueError(f'{self.num_folds} folds, expected at least 2')
        if len(set(self.planes)) < len(self.planes):
            raise ValueError(f'planes are {list(self.planes)}, each once is enough')

    @property
    def runs(self) -> list[Run]:
        """Runs by plane, then fold; task k of a job array is the k-th."""
        return [
            Run(
                self.config,
                fold,
                plane,
                self.work_dir / (plane or '') / f'fold{fold}',
                **self.shared,
            )
            for plane in self.planes or (None,)
            for fold in range(self.num_folds)
        ]


def execute_run(run: Run, *, say: Callable[[str], None]) -> bool:
    """Train and test one run, as far as that has not been done.

    A killed training goes on at its last checkpoint; a finished run is left alone.
    What the commands print goes to ``train.log`` and ``test.log`` of the folder.

    Args:
        run: What to do.
        say: Called with a line for people before each command.

    Returns:
        Whether there was something to do.

    Raises:
        ValueError: The folder holds another run.
        RunError: A command failed; the message has the end of its output.
    """
    check_folder(run)
    if run.is_done:
        return False
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json_atomic(run.folder / 'cross_validation.json', run.describe())
    # mim resumes to the last iteration and stops there if nothing is left to train.
    _call(
        run.build_train_command(), run.folder / 'train.log', f'{run.name}: train', say
    )
    checkpoint = find_checkpoint(run.folder, run.checkpoint)
    command = run.build_test_command(checkpoint)
    _call(command, run.folder / 'test.log', f'{run.name}: test {checkpoint.name}', say)
    if not run.is_done:
        raise RunError(
            f'{run.name}: the test wrote no summary below {run.folder}/evaluation; the '
            'recipe needs mmmed.CaseTableHook (configs/_base_/default_runtime.py)'
        )
    return True


def check_folder(run: Run) -> None:
    """Refuse a folder in which another run was begun.

    Raises:
        ValueError: Recipe, options or checkpoint rule are others.
    """
    path = run.folder / 'cross_validation.json'
    if not path.is_file():
        return
    found, wanted = load_json(path), run.describe()
    if not isinstance(found, dict):
        raise ValueError(f'{path} is damaged; remove {run.folder} to train anew')
    others = [name for name in wanted if found.get(name) != wanted[name]]
    if others:
        raise ValueError(
            f'{run.folder} holds another run (different: {", ".join(others)}); choose '
            'another --work-dir, or remove it to train anew'
        )


def find_summary(folder: Path) -> Path | None:
    """Summary of the tested fold of a run, or None if it was not tested."""
    found = sorted(folder.glob('evaluation/*fold*/summary.json'))
    if len(found) > 1:
        raise ValueError(
            f'{folder}/evaluation has several folds, expected one a run: remove '
            f'all but one of {", ".join(p.parent.name for p in found)}'
        )
    return found[0] if found else None


def find_checkpoint(folder: Path, kind: str) -> Path:
    """Checkpoint of a finished training.

    Args:
        folder: Work folder of the run.
        kind: ``'last'`` or ``'best'``.

    Raises:
        RunError: There is none.
    """
    if kind == 'best':
        found = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    else:
        # The file names a path of the machine that trained; the name is enough.
        note = folder / 'last_checkpoint'
        name = Path(note.read_text().strip()).name if note.is_file() else ''
        found = [folder / name] if name and (folder / name).is_file() else []
    if not found:
        raise RunError(f'{folder} has no {kind} checkpoint; see its train.log')
    return found[-1]


def execute_grid(
    grid: Grid, *, task: int | None = None, say: Callable[[str], None]
) -> list[str]:
    """Execute all runs, or one of them; a failed run does not stop the others.

    Args:
        grid: What to do.
        task: Number of the only run to execute, or None for all.
        say: Called with a line for people before each command.

    Returns:
        What went wrong, one text for each failed run.

    Raises:
        ValueError: There is no such task, or a folder holds another run.
    """
    runs = grid.runs
    if task is not None and not 0 <= task < len(runs):
        raise ValueError(f'there is no task {task}, expected 0 to {len(runs) - 1}')
    chosen = runs if task is None else [runs[task]]
    for run in chosen:
        check_folder(run)  # before the first hours of training, not after
    failures = []
    for run in chosen:
        try:
            execute_run(run, say=say)
        except RunError as error:
            failures.append(str(error))
    return failures


def list_runs(grid: Grid) -> tuple[list[str], list[dict[str, Any]]]:
    """What a grid would do: lines for people, and the same as plain values."""
    lines, rows = [], []
    for run in grid.runs:
        command = shlex.join(run.build_train_command())
        rows.append({**run.describe(), 'folder': str(run.folder), 'done': run.is_done})
        lines.append(f'{"done " if run.is_done else "to do"}  {run.name}: {command}')
    return lines, rows


def write_array_script(arguments: Sequence[str], grid: Grid) -> str:
    """Text of a Slurm job array with one task for each run.

    Args:
        arguments: Those of ``tools/cross_validate.py``.
        grid: The grid they make.

    Returns:
        A shell script. Memory, time and accelerator are the site's and stay to be
        added, in the script or on the command line of sbatch.
    """
    kept = [argument for argument in arguments if argument != '--array']
    # --cfg-options takes all that follows, so the task number goes first.
    call = shlex.join(kept)
    return (
        '#!/bin/sh\n'
        f'#SBATCH --array=0-{len(grid.runs) - 1}\n'
        'python tools/cross_validate.py --task "$SLURM_ARRAY_TASK_ID" '
        f'{call}'
    )


def _call(
    command: list[str], log: Path, title: str, say: Callable[[str], None]
) -> None:
    say(f'{title} (output in {log})')
    # Appended: what a killed run said is part of its history.
    with log.open('a', encoding='utf-8') as stream:
        stream.write(f'$ {shlex.join(command)}\n')
        stream.flush()
        result = subprocess.run(
            command, stdout=stream, stderr=subprocess.STDOUT, check=False
        )
    if result.returncode:
        end = log.read_text(encoding='utf-8', errors='replace').splitlines()[-15:]
        raise RunError(
            f'{title} ended with code {result.returncode}; the end of {log}:\n'
            + '\n'.join(end)
        )
