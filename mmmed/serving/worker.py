"""Worker: a process that holds the models, so that no scan can take the service along.

A scan that crashes it, fills its memory or never ends costs one job; the process is
started anew for the next one. Not here: what a task is (``task``), queues (``desk``).
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from mmmed.serving.errors import ServiceError
from mmmed.serving.predictor import Predictor
from mmmed.serving.task import Task, Tell, run_task

Build = Callable[[], Mapping[str, Predictor]]
_TICK_S = 0.1
_QUIET_S = 0.1
_log = logging.getLogger(__name__)


class BrokenModelError(ValueError):
    """The models cannot be loaded: nothing can be served."""


class Worker:
    """A process that runs one task at a time.

    Args:
        build: Loads the models, in the process; importable from there.
        job_s: Longest time of a task, in seconds.
    """

    def __init__(self, build: Build, job_s: float) -> None:
        self._build = build
        self._job_s = job_s
        self._process: Any = None
        self._connection: Connection | None = None
        self.facts: dict[str, Any] = {}

    def start(self) -> None:
        """Start the process if it does not run, and wait until the models are loaded.

        Raises:
            BrokenModelError: They cannot be loaded; the message says why.
        """
        if self._process is not None and self._process.is_alive():
            return
        self.stop()
        context = multiprocessing.get_context('spawn')
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._build), name='mmmed-worker', daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            kind, value = self._connection.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise BrokenModelError(
                'the process that loads the models died; is there enough memory?'
            ) from error
        if kind != 'ready':
            self.stop()
            raise BrokenModelError(value)
        self.facts = value

    def run(
        self, task: Task, tell: Tell, cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Run a task.

        Args:
            task: See :class:`Task`.
            tell: Given the share that is done and what is being done.
            cancelled: Ends the task when it is set.

        Returns:
            The report.

        Raises:
            ServiceError: The task failed, took too long, was cancelled or killed the
                process.
        """
        try:
            self.start()
            assert self._connection is not None
            self._connection.send(task)
            return self._follow(tell, cancelled)
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self._process.join(1)
            code = self._process.exitcode
            self.stop()
            raise _fail(
                'crashed',
                f'The process that worked on the scan died (exit code {code}).',
                'The scan may need more memory than there is; try a smaller one.',
            ) from error
        except BrokenModelError as error:
            raise _fail('no_model', f'{error}.', 'Ask whoever runs it.') from error

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _follow(self, tell: Tell, cancelled: threading.Event | None) -> dict[str, Any]:
        assert self._connection is not None
        deadline = time.monotonic() + self._job_s
        while True:
            if cancelled is not None and cancelled.is_set():
                self.stop()
                raise _fail('cancelled', 'It was deleted or stopped.', 'Start it anew.')
            if time.monotonic() > deadline:
                self.stop()
                raise _fail(
                    'too_slow',
                    f'It took longer than {self._job_s:g} s.',
                    'Upload a smaller field of view or a coarser grid.',
                )
            if not self._connection.poll(_TICK_S):
                continue
            kind, value = self._connection.recv()
            if kind == 'progress':
                tell(*value)
            elif kind == 'done':
                return value
            else:
                raise ServiceError(422, **value)


def _serve(connection: Connection, build: Build) -> None:
    """The process: models once, then one task after another."""
    # Ctrl-C goes to the whole group; the parent decides what ends when.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    try:
        predictors = dict(build())
        facts = {name: list(one.classes) for name, one in predictors.items()}
    except Exception as error:  # a config is a program: anything can happen
        connection.send(('broken', _describe(error)))
        return
    connection.send(('ready', facts))
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            task = connection.recv()
            connection.send(_run(task, predictors, _Teller(connection)))


def _run(
    task: Task, predictors: Mapping[str, Predictor], tell: '_Teller'
) -> tuple[str, dict[str, Any]]:
    try:
        return 'done', run_task(task, predictors[task.model], tell)
    except ServiceError as error:
        return 'failed', error.to_dict()
    except (BrokenPipeError, ConnectionResetError):
        raise  # the parent is gone
    except Exception as error:  # whatever a scan provokes is the job's own error
        is_known = isinstance(error, ValueError | OSError | MemoryError | ImportError)
        if not is_known:
            _log.exception('unexpected error')
        reason = _describe(error)
        for folder in {task.case.path, task.case.path.parent, task.out}:
            reason = reason.replace(f'{folder}{os.sep}', '').replace(str(folder), '')
        return 'failed', {
            'code': 'bad_scan' if is_known else 'internal',
            'what': 'The scan could not be segmented.',
            'why': reason.strip(': ') or type(error).__name__,
            'remedy': 'Check the scan in a viewer, or export it again.'
            if is_known
            else 'Report this to whoever runs the service.',
        }


class _Teller:
    """Progress to the parent, not more often than anybody looks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: tuple[float, str] = (-1.0, '')

    def __call__(self, share: float, stage: str) -> None:
        now = time.monotonic()
        if stage == self._last[1] and now - self._last[0] < _QUIET_S:
            return
        self._last = now, stage
        self._connection.send(('progress', (share, stage)))


def _describe(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    if isinstance(error, ValueError | OSError | MemoryError | ImportError):
        return reason
    return f'{type(error).__name__}: {reason}'


def _fail(code: str, why: str, remedy: str) -> ServiceError:
    return ServiceError(
        500, code, 'The scan could not be segmented.', why=why, remedy=remedy
    )
