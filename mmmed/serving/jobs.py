"""Jobs and the folder in which they survive a restart; not here: running them.

``JOBS/<id>/job.json`` is the truth; beside it lie ``scan.*`` or ``dicom/``,
``image.nii.gz``, ``mask.nii.gz`` and ``report.json``.
"""

import dataclasses
import json
import logging
import re
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.serving.errors import ServiceError

SCHEMA_VERSION = 1
JOB_ID = re.compile(r'[0-9a-f]{32}')
ACTIVE = ('queued', 'running')
STATES = (*ACTIVE, 'done', 'failed')
_log = logging.getLogger(__name__)


@dataclass
class Job:
    """One scan on its way to a mask.

    Args:
        job_id: 128 random bits in hexadecimal: who knows it may read the job.
        model: Name of the model.
        scan: Name of the scan within the job's folder.
        kind: What was uploaded, as :func:`identify_upload` says.
        label: What the client called the file, for display only.
        upload_bytes: Size of the upload.
        state: ``'queued'``, ``'running'``, ``'done'`` or ``'failed'``.
        progress: Share that is done, in [0, 1].
        stage: What is being done, in words.
        error: ``what``, ``why`` and ``remedy`` of a failed job.
        attempts: How often it was started.
        created: Seconds since 1970; likewise the next two, None until then.
        started: When it ran first.
        finished: When it was done or failed.
    """

    job_id: str
    model: str
    scan: str
    kind: str
    label: str = ''
    upload_bytes: int = 0
    state: str = 'queued'
    progress: float = 0.0
    stage: str = 'waiting'
    error: dict[str, str] | None = None
    attempts: int = 0
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None

    def __post_init__(self) -> None:
        if not JOB_ID.fullmatch(self.job_id) or self.state not in STATES:
            raise ValueError(
                f'job {self.job_id!r} in state {self.state!r}, expected 32 hexadecimal '
                f'digits and one of {STATES}'
            )
        if self.scan not in ('dicom', f'scan{self.kind}'):
            raise ValueError(f'scan {self.scan!r} is no file of a job')

    def to_dict(self) -> dict[str, Any]:
        """Values as JSON holds them."""
        return {'schema_version': SCHEMA_VERSION, **dataclasses.asdict(self)}


class JobStore:
    """The folder of all jobs.

    Args:
        folder: Created if absent. Nothing else may lie in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def make_id(self) -> str:
        """A new id, with its folder."""
        job_id = secrets.token_hex(16)
        (self.folder / job_id).mkdir(mode=0o700)
        return job_id

    def locate(self, job_id: str) -> Path:
        """Folder of a job.

        Raises:
            ServiceError: It is no id; nothing else ever becomes a path.
        """
        if not JOB_ID.fullmatch(job_id):
            raise unknown_job()
        return self.folder / job_id

    def write(self, job: Job) -> None:
        """Store a job, atomically; nothing if it was deleted meanwhile."""
        folder = self.locate(job.job_id)
        if folder.is_dir():
            write_json_atomic(folder / 'job.json', job.to_dict())

    def remove(self, job_id: str) -> None:
        """Remove everything of a job; fine if it is not there."""
        shutil.rmtree(self.locate(job_id), ignore_errors=True)

    def load(self) -> list[Job]:
        """Every job that was stored, oldest first; removes what is none.

        Uploads that were cut off by a restart have no ``job.json``.
        """
        jobs = []
        for folder in self.folder.iterdir():
            if not JOB_ID.fullmatch(folder.name) or not folder.is_dir():
                continue
            try:
                values = json.loads((folder / 'job.json').read_text())
                values.pop('schema_version')
                job = Job(**values)
                if job.job_id != folder.name:
                    raise ValueError('another job')
                jobs.append(job)
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                _log.warning('job %s was never complete; removed', folder.name)
                shutil.rmtree(folder, ignore_errors=True)
        return sorted(jobs, key=lambda job: job.created)

    def measure(self) -> int:
        """Bytes of all jobs together."""
        total = 0
        for path in self.folder.rglob('*'):
            try:
                total += path.lstat().st_size
            except OSError:  # removed meanwhile
                continue
        return total


def unknown_job() -> ServiceError:
    """The error of an id that names no job."""
    return ServiceError(
        404,
        'unknown_job',
        'There is no such job.',
        why='The id is wrong, or the job was deleted or has expired.',
        remedy='Upload the scan again.',
    )
