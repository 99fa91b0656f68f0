"""Desk: takes jobs, keeps a bounded queue, has workers run them, forgets old ones.

Not here: HTTP (``app``), the process of a worker (``worker``).
"""

import dataclasses
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmmed.inference.discovery import DICOM, ScanCase
from mmmed.serving.errors import ServiceError
from mmmed.serving.jobs import ACTIVE, Job, JobStore, unknown_job
from mmmed.serving.limits import MIB, Limits
from mmmed.serving.task import Task
from mmmed.serving.worker import BrokenModelError, Build, Worker

# A job that took the service along once may be innocent; twice it is not.
_MOST_ATTEMPTS = 2
_TIDY_S = 60.0
_log = logging.getLogger(__name__)


class Desk:
    """All jobs of a service.

    Args:
        store: Where they live.
        build: Loads the models; see :class:`Worker`.
        models: Names of the models; the first is the default.
        limits: Bounds.
        num_workers: Processes; each holds all models.
    """

    def __init__(
        self,
        store: JobStore,
        build: Build,
        models: tuple[str, ...],
        limits: Limits,
        num_workers: int = 1,
    ) -> None:
        self.store = store
        self.models = models
        self.limits = limits
        self.broken = ''
        self._workers = [Worker(build, limits.job_s) for _ in range(num_workers)]
        self._ready = 0
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._urgent: deque[Callable[[Worker], None]] = deque()
        self._cancelled: dict[str, threading.Event] = {}
        self._uploads: dict[str, int] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._restore()

    def start(self) -> None:
        """Start the workers; returns at once."""
        for number, worker in enumerate(self._workers):
            self._spawn(f'mmmed-desk-{number}', self._work, worker)
        self._spawn('mmmed-tidy', self._tidy_often)

    def stop(self) -> None:
        """Stop at once; what runs is taken up again at the next start."""
        self._stopping.set()
        with self._changed:
            for event in self._cancelled.values():
                event.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(10)
        for worker in self._workers:
            worker.stop()

    @property
    def state(self) -> str:
        """``'loading'``, ``'ready'`` or ``'broken'``."""
        if self.broken:
            return 'broken'
        return 'ready' if self._ready else 'loading'

    @property
    def queue_length(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @contextmanager
    def admit(self, announced: int | None) -> Iterator[str]:
        """A place in the queue for an upload; its job's folder is there.

        Unless :meth:`submit` is called within, the folder is removed at the end.

        Args:
            announced: Size of the upload, if the client says.

        Yields:
            Id of the job.

        Raises:
            ServiceError: The queue or the disk is full.
        """
        size = min(announced or self.limits.upload_bytes, self.limits.upload_bytes)
        used = self.store.measure()
        with self._changed:
            if len(self._waiting) + len(self._uploads) >= self.limits.queue:
                raise ServiceError(
                    429,
                    'queue_full',
                    'The service is busy.',
                    why=f'{self.limits.queue} scans wait already.',
                    remedy='Try again in a minute.',
                    headers={'Retry-After': '60'},
                )
            if used + size + sum(self._uploads.values()) > self.limits.disk_bytes:
                raise ServiceError(
                    507,
                    'disk_full',
                    'There is no room for another scan.',
                    why=f'All jobs together may take {self.limits.disk_bytes // MIB} '
                    'MiB.',
                    remedy='Delete finished jobs, or try again when they expire.',
                )
            job_id = self.store.make_id()
            self._uploads[job_id] = size
        try:
            yield job_id
        finally:
            with self._changed:
                self._uploads.pop(job_id, None)
                if job_id not in self._jobs:
                    self.store.remove(job_id)

    def submit(self, job: Job) -> None:
        """Queue a job whose scan lies in its folder."""
        with self._changed:
            self.store.write(job)
            self._jobs[job.job_id] = job
            self._waiting.append(job)
            self._changed.notify()

    def get(self, job_id: str) -> Job:
        """A copy of a job as it is now.

        Raises:
            ServiceError: There is none.
        """
        with self._changed:
            if job_id not in self._jobs:
                raise unknown_job()
            return dataclasses.replace(self._jobs[job_id])

    def find_place(self, job_id: str) -> int | None:
        """How many jobs are before a waiting one; None if it does not wait."""
        with self._changed:
            for place, job in enumerate(self._waiting):
                if job.job_id == job_id:
                    return place
        return None

    def delete(self, job_id: str) -> None:
        """Forget a job and remove its files; stops it if it runs.

        Raises:
            ServiceError: There is none.
        """
        with self._changed:
            job = self._jobs.pop(job_id, None)
            if job is None:
                raise unknown_job()
            if job in self._waiting:
                self._waiting.remove(job)
            if job_id in self._cancelled:
                self._cancelled[job_id].set()
            # With the lock: no worker begins to write meanwhile.
            self.store.remove(job_id)

    def run(self, task: Task) -> dict[str, Any]:
        """Run a task of the service's own, between jobs; waits for it.

        Raises:
            ServiceError: It failed.
        """
        finished = threading.Event()
        outcome: list[Any] = []

        def attempt(worker: Worker) -> None:
            try:
                outcome.append(worker.run(task, ignore, self._stopping))
            except Exception as error:
                outcome.append(error)
            finished.set()

        with self._changed:
            self._urgent.append(attempt)
            self._changed.notify()
        while not finished.wait(0.2):
            if self._stopping.is_set() or self.broken:
                raise ServiceError(
                    503,
                    'stopped',
                    'The scan was not segmented.',
                    why=self.broken or 'The service stops.',
                    remedy='Start it again.',
                )
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def tidy(self) -> None:
        """Forget finished jobs that are older than they may become."""
        now = time.time()
        with self._changed:
            old = [
                job.job_id
                for job in self._jobs.values()
                if job.finished is not None and now - job.finished > self.limits.keep_s
            ]
        for job_id in old:
            try:
                self.delete(job_id)
            except ServiceError:  # a client was faster
                continue

    def _restore(self) -> None:
        for job in self.store.load():
            self._jobs[job.job_id] = job
            if job.state not in ACTIVE:
                continue
            if job.attempts >= _MOST_ATTEMPTS:
                self._close(
                    job,
                    {
                        'code': 'crashed',
                        'what': 'The scan could not be segmented.',
                        'why': f'The service stopped {job.attempts} times while it '
                        'worked on it.',
                        'remedy': 'Upload it again when the service is stable.',
                    },
                )
                continue
            job.state, job.progress, job.stage = 'queued', 0.0, 'waiting'
            self.store.write(job)
            self._waiting.append(job)

    def _spawn(self, name: str, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self, worker: Worker) -> None:
        try:
            worker.start()
        except BrokenModelError as error:
            self.broken = str(error)
            _log.error('the models cannot be loaded: %s', error)
            return
        self._ready += 1
        while not self._stopping.is_set():
            with self._changed:
                while not (self._waiting or self._urgent or self._stopping.is_set()):
                    self._changed.wait()
                if self._stopping.is_set():
                    return
                job = self._waiting.popleft() if self._waiting else None
                attempt = None if job else self._urgent.popleft()
                if job is not None:
                    self._open(job)
            try:
                if job is not None:
                    self._run_job(worker, job)
                elif attempt is not None:
                    attempt(worker)
            except Exception:  # a full disk, say: the next job has its chance
                _log.exception('the desk failed')

    def _open(self, job: Job) -> None:
        job.state, job.attempts = 'running', job.attempts + 1
        job.started = job.started or time.time()
        job.stage = 'starting'
        self._cancelled[job.job_id] = threading.Event()
        self.store.write(job)

    def _run_job(self, worker: Worker, job: Job) -> None:
        def tell(share: float, stage: str) -> None:
            job.progress, job.stage = round(share, 4), stage

        folder = self.store.locate(job.job_id)
        error: dict[str, str] | None = None
        try:
            worker.run(self._make_task(job, folder), tell, self._cancelled[job.job_id])
        except ServiceError as problem:
            error = problem.to_dict()
        finally:
            with self._changed:
                del self._cancelled[job.job_id]
        if self._stopping.is_set() and error is not None:
            # Stopped by us: not the job's fault, so the attempt does not count.
            job.attempts -= 1
            self.store.write(job)
            return
        with self._changed:
            if job.job_id in self._jobs:
                self._close(job, error)
            else:  # deleted while it ran; the worker may have written since
                self.store.remove(job.job_id)

    def _make_task(self, job: Job, folder: Path) -> Task:
        kind = DICOM if job.scan == 'dicom' else job.kind
        case = ScanCase(job.job_id, folder / job.scan, kind)
        facts = {'job_id': job.job_id, 'input': job.label, 'format': job.kind}
        return Task(case, folder, job.model, facts, self.limits.voxels)

    def _close(self, job: Job, error: dict[str, str] | None) -> None:
        job.state = 'done' if error is None else 'failed'
        job.stage, job.error, job.finished = job.state, error, time.time()
        if error is None:
            job.progress = 1.0
        else:
            _log.warning('job %s failed: %s', job.job_id, error['why'])
        self.store.write(job)

    def _tidy_often(self) -> None:
        while not self._stopping.wait(_TIDY_S):
            self.tidy()


def ignore(share: float, stage: str) -> None:
    """Nobody watches."""
