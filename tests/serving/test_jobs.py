"""The folder of jobs."""

import json

import pytest

from mmmed.serving.errors import ServiceError
from mmmed.serving.jobs import JOB_ID, Job, JobStore


def make_job(job_id: str, **values) -> Job:
    return Job(job_id, 'm', 'scan.nii', '.nii', **values)


def test_what_is_written_is_read(tmp_path) -> None:
    store = JobStore(tmp_path / 'jobs')
    jobs = [make_job(store.make_id(), created=float(age)) for age in (3, 1, 2)]
    for job in jobs:
        store.write(job)
    assert store.load() == sorted(jobs, key=lambda job: job.created)
    assert len({job.job_id for job in jobs}) == 3
    assert all(JOB_ID.fullmatch(job.job_id) for job in jobs)


@pytest.mark.parametrize(
    'job_id', ['', '..', 'a' * 31, 'a' * 33, 'A' * 32, 'a' * 31 + '/', 'a' * 32 + '\n']
)
def test_only_ids_become_paths(tmp_path, job_id) -> None:
    with pytest.raises(ServiceError, match='no such job'):
        JobStore(tmp_path).locate(job_id)
    with pytest.raises(ValueError, match='hexadecimal'):
        make_job(job_id)


@pytest.mark.parametrize(
    'change',
    [
        {'scan': '../../etc/passwd'},
        {'state': 'ready'},
        {'job_id': 'b' * 32},
        {'surprise': 1},
        {'schema_version': None},
    ],
)
def test_a_file_that_was_tampered_with_is_no_job(tmp_path, change) -> None:
    store = JobStore(tmp_path)
    job = make_job(store.make_id())
    store.write(job)
    path = tmp_path / job.job_id / 'job.json'
    facts = {**job.to_dict(), **change}
    if change == {'schema_version': None}:
        del facts['schema_version']
    path.write_text(json.dumps(facts))
    assert store.load() == []
    assert not path.parent.exists()


def test_other_things_in_the_folder_stay(tmp_path) -> None:
    (tmp_path / 'notes.txt').write_text('mine')
    assert JobStore(tmp_path).load() == []
    assert (tmp_path / 'notes.txt').read_text() == 'mine'


def test_a_deleted_job_is_not_written_again(tmp_path) -> None:
    store = JobStore(tmp_path)
    job = make_job(store.make_id())
    store.remove(job.job_id)
    store.write(job)
    assert list(tmp_path.iterdir()) == []


def test_the_size_counts_every_file(tmp_path) -> None:
    store = JobStore(tmp_path)
    before = store.measure()
    folder = store.locate(store.make_id())
    empty = store.measure()
    (folder / 'scan.nii').write_bytes(bytes(1234))
    assert before == 0
    assert store.measure() - empty == 1234
