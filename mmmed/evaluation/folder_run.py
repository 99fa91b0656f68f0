"""Many pairs in parallel: resumable, bounded in memory, one bad case never stops it.

Not here: what happens to one pair (``case_records``), tables (``score_tables``).
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from mmmed.evaluation.case_records import ScoreTask, run_task
from mmmed.progress import Progress

_DIED = (
    'its process died, most likely for want of memory; use fewer --workers, or a '
    'machine with more memory'
)


def run_tasks(
    tasks: Sequence[ScoreTask], *, workers: int = 1, quiet: bool = False
) -> dict[int, str]:
    """Score all pairs that are not scored yet; each leaves a record on disk.

    Args:
        tasks: What to do.
        workers: Processes, >= 1; one works in this process. The records are the same
            for any number.
        quiet: Show no progress.

    Returns:
        Reason by index of each task that failed.

    Raises:
        ValueError: ``workers`` < 1.
    """
    if workers < 1:
        raise ValueError(f'{workers} workers, expected at least 1')
    waiting = [index for index, task in enumerate(tasks) if not _is_finished(task)]
    failed: dict[int, str] = {}
    with Progress('Scoring', len(waiting), 'case', quiet=quiet) as progress:

        def note(index: int, reason: str | None) -> None:
            if reason is not None:
                failed[index] = reason
            progress.step()

        if min(workers, len(waiting)) <= 1:
            for index in waiting:
                note(index, run_task(tasks[index]))
        else:
            while waiting:
                suspects, waiting = _run_pool(tasks, waiting, workers, note)
                for index in suspects:
                    # One of these killed its process: each gets one of its own.
                    for again in _run_pool(tasks, [index], 1, note)[0]:
                        note(again, _DIED)
    return failed


def _is_finished(task: ScoreTask) -> bool:
    try:
        return task.read_record() is not None
    except OSError:
        return False


def _run_pool(
    tasks: Sequence[ScoreTask],
    waiting: Sequence[int],
    workers: int,
    note: Callable[[int, str | None], None],
) -> tuple[list[int], list[int]]:
    """Run tasks in processes.

    Returns:
        Indices of those that a dying process took along, and of those not begun.
    """
    # Spawned: a fork of a process with threads (torch, BLAS) may lock up.
    pool = ProcessPoolExecutor(
        min(workers, len(waiting)),
        multiprocessing.get_context('spawn'),
        initializer=_start_worker,
    )
    lost: list[int] = []
    left: Iterator[int] = iter(waiting)
    running: dict[Future[str | None], int] = {}
    try:
        for index in left:
            running[pool.submit(run_task, tasks[index])] = index
            # A bounded queue: Ctrl-C then has little to wait for.
            if len(running) >= 2 * workers:
                _collect(running, note, lost)
            if lost:
                break
        while running:
            _collect(running, note, lost)
    except BrokenProcessPool:  # while submitting
        lost.append(index)
        lost += running.values()
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True, cancel_futures=True)
    return lost, list(left)


def _start_worker() -> None:
    """Ctrl-C is for the parent to handle, and nobody outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed tells nobody, and its workers would wait forever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _collect(
    running: dict[Future[str | None], int],
    note: Callable[[int, str | None], None],
    lost: list[int],
) -> None:
    """Wait for a task to end, and take note of all that have."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        index = running.pop(future)
        try:
            note(index, future.result())
        except BrokenProcessPool:
            lost.append(index)
