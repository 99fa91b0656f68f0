"""The watched folder, with tasks run in this process."""

import json
import os
import shutil

import numpy as np
import pytest
from serving_predictors import ThresholdPredictor

from mmmed.io import read_volume
from mmmed.serving.errors import ServiceError
from mmmed.serving.task import run_task
from mmmed.serving.watch import Counts, FolderWatch


@pytest.fixture
def watch(tmp_path):
    """A watch over ``data`` whose tasks are remembered."""
    (tmp_path / 'data').mkdir()
    tasks = []

    def run(task):
        tasks.append(task.case.case_id)
        try:
            return run_task(task, ThresholdPredictor(), lambda share, stage: None)
        except ValueError as error:
            raise ServiceError(422, 'bad', 'x.', why=str(error), remedy='y') from error

    def make(fingerprint='one', settle_s=0.0):
        watch = FolderWatch(
            tmp_path / 'data', tmp_path / 'results', 'm', fingerprint, run,
            voxels=1 << 20, settle_s=settle_s,
        )  # fmt: skip
        return watch, tasks

    return make


def read_report(tmp_path, case):
    return json.loads((tmp_path / 'results' / case / 'report.json').read_text())


def test_scans_are_segmented_once(watch, tmp_path, scan, scan_bytes) -> None:
    for suffix, content in scan_bytes.items():
        (tmp_path / 'data' / f's{suffix[1:].replace(".", "")}{suffix}').write_bytes(
            content
        )
    (tmp_path / 'data' / 'notes.txt').write_text('no scan')
    looker, tasks = watch()
    assert looker.look() == Counts(done=4)
    for case in tasks:
        mask = read_volume(tmp_path / 'results' / case / 'mask.nii.gz')
        assert np.array_equal(mask.array, scan.array > 100)
        assert read_report(tmp_path, case)['lesion_count'] == 2
    assert looker.look() == Counts(skipped=4)
    again, _ = watch()  # a new process remembers by what lies there
    assert again.look() == Counts(skipped=4)
    assert len(tasks) == 4


def test_one_bad_file_costs_one_report(watch, tmp_path, scan_bytes) -> None:
    (tmp_path / 'data' / 'a.nii.gz').write_bytes(scan_bytes['.nii.gz'][:-30])
    (tmp_path / 'data' / 'b.nii.gz').write_bytes(scan_bytes['.nii.gz'])
    looker, tasks = watch()
    assert looker.look() == Counts(done=1, failed=1)
    report = read_report(tmp_path, 'a')
    assert report['status'] == 'failed'
    assert 'not a readable NIfTI' in report['error']['why']
    assert not (tmp_path / 'results' / 'a' / 'mask.nii.gz').exists()
    assert looker.look() == Counts(skipped=1, failed=1)
    assert tasks == ['a', 'b']  # a failed one is not tried for ever


def test_a_new_content_is_segmented_anew(watch, tmp_path, scan_bytes, make_bytes):
    path = tmp_path / 'data' / 'a.nii.gz'
    path.write_bytes(scan_bytes['.nii.gz'])
    looker, tasks = watch()
    looker.look()
    path.write_bytes(scan_bytes['.nii.gz'][:-30])
    assert looker.look() == Counts(failed=1)
    assert not (tmp_path / 'results' / 'a' / 'mask.nii.gz').exists()
    path.write_bytes(make_bytes(200))
    assert looker.look() == Counts(done=1)
    assert read_report(tmp_path, 'a')['lesion_count'] == 1
    assert tasks == ['a', 'a', 'a']


def test_another_model_segments_anew(watch, tmp_path, make_bytes) -> None:
    (tmp_path / 'data' / 'a.nii.gz').write_bytes(make_bytes(200))
    assert watch('one')[0].look() == Counts(done=1)
    assert watch('two')[0].look() == Counts(done=1)
    assert watch('two')[0].look() == Counts(skipped=1)


def test_a_lost_mask_is_made_again(watch, tmp_path, make_bytes) -> None:
    (tmp_path / 'data' / 'a.nii.gz').write_bytes(make_bytes(200))
    watch()[0].look()
    (tmp_path / 'results' / 'a' / 'mask.nii.gz').unlink()
    assert watch()[0].look() == Counts(done=1)


def test_a_file_that_is_being_written_waits(watch, tmp_path, make_bytes) -> None:
    path = tmp_path / 'data' / 'a.nii.gz'
    path.write_bytes(make_bytes(200))
    os.utime(path, (0, 0))  # as cp -p would, before it is finished
    looker, tasks = watch(settle_s=60.0)
    assert looker.look() == Counts(unsettled=1)
    assert tasks == []


def test_results_within_the_data_are_no_scans(watch, tmp_path, make_bytes) -> None:
    (tmp_path / 'data' / 'a.nii.gz').write_bytes(make_bytes(200))
    looker, _ = watch()
    looker.results = tmp_path / 'data' / 'out'
    assert looker.look() == Counts(done=1)
    assert looker.look() == Counts(skipped=1)


def test_an_empty_folder_is_no_error_and_an_absent_one_is(watch, tmp_path) -> None:
    looker, _ = watch()
    assert looker.look() == Counts()
    shutil.rmtree(tmp_path / 'data')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        looker.look()
