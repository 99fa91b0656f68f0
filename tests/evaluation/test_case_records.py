import shutil

import pytest

from mmmed.evaluation.case_records import ScoreRecord, ScoreTask, run_task
from mmmed.evaluation.folder_pairs import MaskPair
from mmmed.evaluation.score_options import ScoreOptions


def test_a_record_comes_back_as_it_was(mask_folders):
    pair = MaskPair('c/1', None, mask_folders / 'ref/three.nii.gz')
    task = ScoreTask(pair, 'a', ScoreOptions(plane='axial'), mask_folders / 'records')
    assert run_task(task) is None
    record = ScoreRecord.from_dict(task.read_record())
    assert record.case_id == 'c/1'
    assert record.scores.grid.shape == (12, 14, 10)
    assert record.scores.grid.is_pred_missing
    assert record.scores.cases[0]['missed_lesions'] == 2
    assert len(record.scores.slices) == 12
    # The id is not a file name: it may hold a slash.
    assert task.record_path.parent == mask_folders / 'records'


def test_whatever_a_file_provokes_is_a_reason(mask_folders, monkeypatch):
    def explode(*_):
        raise RuntimeError('boom')

    monkeypatch.setattr('mmmed.evaluation.case_records.score_case', explode)
    pair = MaskPair('x', None, mask_folders / 'ref/one.nii.gz')
    task = ScoreTask(pair, 'a', ScoreOptions(), mask_folders / 'records')
    assert run_task(task) == 'RuntimeError: boom'
    assert task.read_record() is None


@pytest.mark.data
@pytest.mark.parametrize('swapped', [False, True])
def test_a_dicom_seg_is_the_mask_beside_it(sample_data, tmp_path, swapped):
    folder = sample_data / 'abdomen/dcmqi_ct3slice'
    seg = shutil.copy(folder / 'liver.dcm', tmp_path / 'liver.dcm')
    mask = folder / 'liver_seg.nrrd'
    pair = MaskPair('liver', seg, mask) if swapped else MaskPair('liver', mask, seg)
    task = ScoreTask(pair, 'a', ScoreOptions(), tmp_path / 'records')
    assert run_task(task) is None
    (row,) = task.read_record()['cases']
    assert (row['label'], row['dice'], row['hausdorff_mm']) == ('1', 1.0, 0.0)
    assert row['tp'] > 1000
