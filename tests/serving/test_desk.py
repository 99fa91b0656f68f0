"""Queue, restart, expiry, cancelling; with processes where they matter."""

import json
import threading
import time

import pytest
import serving_predictors as predictors

from mmmed.inference.discovery import ScanCase
from mmmed.serving.desk import Desk
from mmmed.serving.errors import ServiceError
from mmmed.serving.jobs import Job, JobStore
from mmmed.serving.limits import Limits
from mmmed.serving.task import Task
from mmmed.serving.worker import Worker


def make_desk(folder, limits: Limits | None = None, build=predictors.build) -> Desk:
    return Desk(JobStore(folder), build, ('threshold',), limits or Limits())


def submit(desk: Desk, content: bytes) -> str:
    with desk.admit(len(content)) as job_id:
        (desk.store.locate(job_id) / 'scan.nii.gz').write_bytes(content)
        desk.submit(Job(job_id, 'threshold', 'scan.nii.gz', '.nii.gz'))
    return job_id


def wait_for(is_true, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_jobs_survive_a_restart(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path)
    waiting = submit(desk, make_bytes(200))
    states = {}
    for attempts in (1, 2):  # was running when the power went
        job_id = submit(desk, make_bytes(200))
        path = tmp_path / job_id / 'job.json'
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({**facts, 'state': 'running', 'attempts': attempts}))
        states[attempts] = job_id
    (tmp_path / ('f' * 32)).mkdir()  # an upload that was cut off
    again = make_desk(tmp_path)
    assert again.get(waiting).state == 'queued'
    assert again.get(states[1]).state == 'queued'
    failed = again.get(states[2])
    assert failed.state == 'failed'
    assert failed.error is not None
    assert 'stopped 2 times' in failed.error['why']
    assert again.queue_length == 2
    assert not (tmp_path / ('f' * 32)).exists()


def test_finished_jobs_expire(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path, Limits(keep_s=100))
    old, new = submit(desk, make_bytes(1)), submit(desk, make_bytes(1))
    for job_id, age_s in ((old, 101), (new, 99)):
        desk._jobs[job_id].finished = time.time() - age_s
    desk.tidy()
    assert desk.get(new).job_id == new
    with pytest.raises(ServiceError, match='expired'):
        desk.get(old)
    assert not (tmp_path / old).exists()


def test_the_disk_has_a_quota(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path, Limits(disk_bytes=1000, upload_bytes=900))
    with (
        desk.admit(500),
        pytest.raises(ServiceError, match='no room') as info,
        desk.admit(501),
    ):
        pass
    assert info.value.status == 507
    with desk.admit(900):  # the other upload gave its place back
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_running_job_can_be_deleted(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path)
    stuck, next_one = submit(desk, make_bytes(88)), submit(desk, make_bytes(200))
    desk.start()
    try:
        wait_for(lambda: desk.get(stuck).stage == 'segmenting')
        desk.delete(stuck)
        wait_for(lambda: desk.get(next_one).state == 'done')
        assert not (tmp_path / stuck).exists()
    finally:
        desk.stop()


@pytest.mark.slow
def test_a_stopped_service_takes_its_job_up_again(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path)
    job_id = submit(desk, make_bytes(88))
    desk.start()
    wait_for(lambda: desk.get(job_id).stage == 'segmenting')
    desk.stop()
    again = make_desk(tmp_path)
    assert again.get(job_id).state == 'queued'
    assert again.get(job_id).attempts == 0


@pytest.mark.slow
def test_a_task_has_a_longest_time(tmp_path, make_bytes) -> None:
    (tmp_path / 'scan.nii.gz').write_bytes(make_bytes(88))
    case = ScanCase('scan', tmp_path / 'scan.nii.gz', '.nii.gz')
    task = Task(case, tmp_path / 'out', 'threshold', {}, 1 << 20)
    worker = Worker(predictors.build, job_s=1.0)
    try:
        worker.start()
        stages: list[str] = []
        with pytest.raises(ServiceError, match='longer than 1 s'):
            worker.run(task, lambda share, stage: stages.append(stage))
        assert stages[0] == 'reading the scan'
    finally:
        worker.stop()


@pytest.mark.slow
def test_a_broken_model_is_told(tmp_path) -> None:
    desk = make_desk(tmp_path, build=predictors.build_broken)
    desk.start()
    wait_for(lambda: desk.state == 'broken')
    assert desk.broken == 'weights.pth is damaged'
    desk.stop()


@pytest.mark.slow
def test_progress_only_grows(tmp_path, make_bytes) -> None:
    desk = make_desk(tmp_path, build=predictors.build_slow)
    job_id = submit(desk, make_bytes(200))
    seen: list[float] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(desk.get(job_id).progress)
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    desk.start()
    wait_for(lambda: desk.get(job_id).state == 'done')
    stop.set()
    thread.join()
    desk.stop()
    assert seen == sorted(seen)
    assert len({share for share in seen if 0 < share < 1}) >= 3
