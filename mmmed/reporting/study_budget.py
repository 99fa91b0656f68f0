"""What a run cost: iterations, batch, parameters, machine, seconds.

Read from the run's record, log, dumped config and last checkpoint, none of which is
executed; what cannot be read is left out, never guessed. Not here: its results.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.reporting.config_file import list_training_configs, read_assignment
from mmmed.reporting.evaluation_folder import read_run
from mmmed.reporting.study_runs import StudyRun
from mmmed.reporting.training_log import read_training_log

Row = dict[str, Any]
# Kept in a state dict, but not trained.
_STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')


def describe_budget(run: StudyRun) -> Row:
    """One row; None where nothing says so.

    Seconds are those of the record: wall-clock time from the last start of the
    training to its end, with validation. ``resumed`` says that there was an earlier
    start, which they do not count. Of several folds they are added up; the rest is
    that of the first fold.
    """
    work_dir = run.parts[0]
    records = [read_run(part / 'run.json') for part in run.parts]
    config = read_config(work_dir)
    logs = [read_training_log(part) for part in run.parts]
    steps = [record['step'] for record in logs[0].train]
    seconds = [record.get('seconds') for record in records]
    first = records[0]
    return {
        'run': run.spec.name,
        'method': run.subjects.title,
        'iterations': int(max(steps)) if steps else config['iterations'],
        'planned_iterations': config['iterations'],
        'batch_size': config['batch_size'],
        'parameters': count_parameters(work_dir),
        'seed': first.get('seed'),
        'device': first.get('device'),
        'cpu': first.get('cpu'),
        'trainings': len(run.parts),
        'seconds': None
        if None in seconds
        else sum(s for s in seconds if s is not None),
        'resumed': any(log.resumed_at for log in logs),
        'started': first.get('started'),
        'finished': records[-1].get('finished'),
        'mmmed': first.get('mmmed'),
        'torch': (first.get('packages') or {}).get('torch'),
        'config_sha256': first.get('config_sha256'),
    }


def read_config(work_dir: Path) -> dict[str, Any]:
    """Iterations and batch size of the dumped config; None where it has none."""
    for path in list_training_configs(work_dir):
        try:
            schedule = read_assignment(path, 'train_cfg')
            loader = read_assignment(path, 'train_dataloader')
        except (OSError, ValueError, SyntaxError, RecursionError):
            continue
        if isinstance(schedule, Mapping) and isinstance(loader, Mapping):
            return {
                'iterations': schedule.get('max_iters'),
                'batch_size': loader.get('batch_size'),
            }
    return {'iterations': None, 'batch_size': None}


def count_parameters(work_dir: Path) -> int | None:
    """Trainable numbers in the last checkpoint; None if there is none.

    Running statistics of normalization are in a checkpoint too and do not count.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    note = work_dir / 'last_checkpoint'
    # The file names a path of the machine that trained; the name is enough.
    name = Path(note.read_text().strip()).name if note.is_file() else ''
    if not name or not (work_dir / name).is_file():
        return None
    state = load_checkpoint_safely(work_dir / name, map_location='cpu')['state_dict']
    return sum(
        value.numel()
        for key, value in state.items()
        if key.rpartition('.')[2] not in _STATISTICS
    )
