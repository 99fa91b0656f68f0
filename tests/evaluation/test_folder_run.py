import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mmmed.evaluation.case_records as case_records
import mmmed.evaluation.folder_run as folder_run
from mmmed.evaluation.case_records import ScoreTask
from mmmed.evaluation.folder_evaluation import FolderOptions, evaluate_folders
from mmmed.evaluation.folder_pairs import find_pairs
from mmmed.evaluation.folder_run import run_tasks
from mmmed.evaluation.score_options import ScoreOptions

# Slow scoring, so that a run can be stopped in the middle.
SLOW = """
import sys, time
import mmmed.evaluation.case_records as records
from mmmed.evaluation.folder_evaluation import FolderOptions, evaluate_folders
score = records.score_case
records.score_case = lambda *a: (time.sleep(0.05), score(*a))[1]
if __name__ == '__main__':
    options = FolderOptions(workers=int(sys.argv[4]))
    evaluate_folders(*sys.argv[1:4], None, options)
"""


@pytest.fixture
def tasks(mask_folders):
    pairing = find_pairs(mask_folders / 'pred', mask_folders / 'ref')
    folder = mask_folders / 'records'
    return [ScoreTask(pair, 'a', ScoreOptions(), folder) for pair in pairing.pairs]


def test_every_task_leaves_a_record(tasks):
    assert run_tasks(tasks, quiet=True) == {}
    dice = [task.read_record()['cases'][0]['dice'] for task in tasks]
    assert dice == pytest.approx([0.75, 128 / 136, 1.0])


def test_a_record_is_of_its_files_and_options(tasks):
    task = tasks[0]
    assert task.read_record() is None
    run_tasks([task], quiet=True)
    other = ScoreTask(task.pair, 'a', ScoreOptions(connectivity=26), task.folder)
    assert other.record_path == task.record_path
    assert other.read_record() is None
    os.utime(task.pair.target, ns=(0, 0))
    assert task.read_record() is None
    task.pair.target.unlink()
    assert 'No such file' in run_tasks([task], quiet=True)[0]


def test_a_record_of_the_past_is_removed(tasks):
    run_tasks(tasks, quiet=True)
    (tasks[0].folder / '.half.json.x1.tmp').touch()
    case_records.remove_unused(tasks[0].folder, tasks[:1])
    assert [p.name for p in tasks[0].folder.iterdir()] == [tasks[0].record_path.name]


def test_workers_must_be_some(tasks):
    with pytest.raises(ValueError, match='0 workers, expected at least 1'):
        run_tasks(tasks, workers=0)


def _die_on_one(task):
    if task.pair.case_id == 'one':
        os.kill(os.getpid(), signal.SIGKILL)
    return case_records.run_task(task)


def test_a_process_that_dies_takes_no_other_case_along(tasks, monkeypatch):
    here = Path(__file__)
    monkeypatch.setattr(folder_run, 'run_task', _die_on_one)
    # A spawned process has to find the function above by its name.
    monkeypatch.syspath_prepend(here.parent)
    monkeypatch.setattr(_die_on_one, '__module__', here.stem)
    monkeypatch.setitem(sys.modules, here.stem, sys.modules[__name__])
    failed = run_tasks(tasks, workers=2, quiet=True)
    assert list(failed) == [0]
    assert 'its process died, most likely for want of memory' in failed[0]
    assert all(task.read_record() for task in tasks[1:])


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(mask_folders, workers):
    for number in range(60):
        for side in ('pred', 'ref'):
            source = mask_folders / side / 'one.nii.gz'
            shutil.copy(source, mask_folders / side / f'n{number:02d}.nii.gz')
    script = mask_folders / 'slow.py'
    script.write_text(SLOW)
    places = [str(mask_folders / name) for name in ('pred', 'ref', 'cut')]
    process = subprocess.Popen(
        [sys.executable, script, *places, str(workers)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    records = mask_folders / 'cut/.cases'
    wait_until(lambda: len(list(records.glob('*.json'))) >= 5)
    process.kill()
    process.wait()
    wait_until(lambda: not is_group_alive(process.pid))
    done = {p.name: p.stat().st_mtime_ns for p in records.glob('*.json')}
    assert 5 <= len(done) < 63
    assert not (mask_folders / 'cut/summary.json').exists()
    options = FolderOptions(quiet=True)
    for out in ('cut', 'whole'):
        folders = [mask_folders / name for name in ('pred', 'ref', out)]
        evaluate_folders(*folders, None, options)
    kept = {p.name: p.stat().st_mtime_ns for p in records.glob('*.json')}
    assert done.items() <= kept.items()
    assert len(kept) == 63
    assert not list(records.glob('.*'))
    for name in ('cases.csv', 'lesions.csv', 'summary.json'):
        cut, whole = (mask_folders / out / name for out in ('cut', 'whole'))
        assert cut.read_bytes() == whole.read_bytes()
    assert json.loads((mask_folders / 'cut/summary.json').read_text())['failed'] == []


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
