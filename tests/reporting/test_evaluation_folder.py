"""Evaluation folders: read as written, refused where damaged."""

import json

import pytest

from mmmed.functional.overlap import EmptyPolicy
from mmmed.reporting.evaluation_folder import read_evaluation, read_evaluations


def test_reads_what_the_metric_wrote(run) -> None:
    (train, val) = read_evaluations(run.work_dir)
    assert (train.name, val.name) == ('train', 'val')
    assert val.labels == ['hemorrhage']
    assert val.patients == ['c', 'd']
    assert val.policy == EmptyPolicy()
    assert val.confidence == 0.95
    rows, counts = val.select('hemorrhage')
    # A box of 6 x 8 moved by 2 columns: 36 pixels in common, 12 on either side.
    assert rows[0].case_id == 'c_1'
    assert counts[0].tolist() == [36, 12, 12, 48 * 64 - 60]
    assert val.manifest == run.manifest
    assert val.run['device'] == 'cpu'


def test_missing_folder_and_missing_evaluation_say_what_to_do(empty_run) -> None:
    with pytest.raises(FileNotFoundError, match='mim test'):
        read_evaluations(empty_run.work_dir)
    with pytest.raises(FileNotFoundError, match='no folder'):
        read_evaluations(empty_run.work_dir / 'nowhere')


def test_other_folders_are_not_evaluations(run) -> None:
    (run.work_dir / 'evaluation' / 'notes').mkdir()
    assert len(read_evaluations(run.work_dir)) == 2


@pytest.mark.parametrize('name', ['cases.csv', 'summary.json'])
def test_what_is_needed_is_named(run, name: str) -> None:
    folder = run.work_dir / 'evaluation' / 'val'
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        read_evaluation(folder)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('summary.json', '{', 'not readable'),
        ('summary.json', '[1]', 'expected an object'),
        ('summary.json', '{"schema_version": 99}', 'schema_version'),
        (
            'summary.json',
            '{"schema_version": 1, "summary": {"empty_policy": {"odd": 1}}}',
            'policy or bootstrap',
        ),
        ('run.json', 'x', 'run.json'),
        ('cases.csv', '', 'lacks the columns'),
        ('cases.csv', 'case_id,label\n', 'lacks the columns fn, fp'),
        ('cases.csv', 'case_id,patient_id,label,tp,fp,fn,tn\n', 'holds no case'),
        ('cases.csv', 'case_id,patient_id,label,tp,fp,fn,tn\na,b,c,1,2\n', 'line 2'),
        ('cases.csv', 'case_id,patient_id,label,tp,fp,fn,tn\na,b,c,1,2,x,4\n', 'line'),
        ('cases.csv', 'case_id,patient_id,label,tp,fp,fn,tn\na,b,c,1,-2,3,4\n', 'line'),
        (
            'cases.csv',
            'case_id,patient_id,label,tp,fp,fn,tn\na,b,c,1,2,3,4\na,b,c,1,2,3,4\n',
            'twice',
        ),
    ],
)
def test_damaged_files_are_refused_by_name(run, name, content, message) -> None:
    folder = run.work_dir / 'evaluation' / 'val'
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_evaluation(folder)
    assert name in str(caught.value)


def test_absent_manifest_and_run_record_are_no_obstacle(run) -> None:
    run.manifest_path.unlink()
    folder = run.work_dir / 'evaluation' / 'val'
    (folder / 'run.json').unlink()
    evaluation = read_evaluation(folder)
    assert evaluation.manifest is None
    assert 'manifest' in evaluation.problem
    assert evaluation.run == {}


def test_summary_without_manifest_is_no_obstacle(run) -> None:
    path = run.work_dir / 'evaluation' / 'val' / 'summary.json'
    summary = json.loads(path.read_text()) | {'manifest': None, 'data_root': None}
    path.write_text(json.dumps(summary))
    assert 'names no data_root' in read_evaluation(path.parent).problem
