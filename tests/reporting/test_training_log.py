"""Curves of interrupted trainings are those of an uninterrupted one."""

import math

from mmmed.reporting.training_log import read_training_log


def train(*steps: int, shift: float = 0.0) -> list:
    return [{'loss': 1 / s + shift, 'lr': 0.1, 'time': 9.0, 'step': s} for s in steps]


def val(*steps: int) -> list:
    return [{'overlap/dice_patient_x': s / 10, 'step': s} for s in steps]


def test_one_run(empty_run) -> None:
    empty_run.log('20240101_000000', train(1, 2) + val(2))
    log = read_training_log(empty_run.work_dir)
    assert log.get_series('train', 'loss') == ([1, 2], [1.0, 0.5])
    assert log.get_series('val', 'overlap/dice_patient_x') == ([2], [0.2])
    assert log.list_names('train') == ['loss', 'lr']
    assert log.resumed_at == []


def test_resumed_run_replaces_what_it_repeated(empty_run) -> None:
    empty_run.log('20240101_000000', train(1, 2, 3, 4, shift=5) + val(2, 4))
    empty_run.log('20240101_010000', train(3, 4, 5) + val(4, 6))
    empty_run.log('20240101_020000', train(5, 6, shift=1) + val(6))
    log = read_training_log(empty_run.work_dir)
    steps, losses = log.get_series('train', 'loss')
    assert steps == [1, 2, 3, 4, 5, 6]
    assert losses == [6, 5.5, 1 / 3, 1 / 4, 1.2, 1 / 6 + 1]
    assert log.get_series('val', 'overlap/dice_patient_x')[0] == [2, 4, 6]
    assert log.resumed_at == [3, 5]


def test_new_training_in_the_same_folder_replaces_the_old_one(empty_run) -> None:
    empty_run.log('20240101_000000', train(1, 2, 3) + val(2))
    empty_run.log('20240101_010000', train(1, 2, shift=1))
    log = read_training_log(empty_run.work_dir)
    assert log.get_series('train', 'loss')[1] == [2, 1.5]
    assert log.val == []
    assert log.resumed_at == []


def test_test_runs_leave_no_curve(empty_run) -> None:
    empty_run.log('20240101_000000', train(1) + val(1))
    empty_run.log('20240101_010000', [{'overlap/dice_patient_x': 0.9, 'step': 0}])
    log = read_training_log(empty_run.work_dir)
    assert log.get_series('val', 'overlap/dice_patient_x') == ([1], [0.1])
    assert len(log.files) == 1


def test_line_cut_by_a_kill_and_nonsense_are_counted(empty_run) -> None:
    folder = empty_run.log('20240101_000000', train(1, 2))
    with open(folder / 'scalars.json', 'a') as stream:
        stream.write('[]\n{"loss": 0.1}\n\n{"loss": 0.2, "st')
    log = read_training_log(empty_run.work_dir)
    assert log.damaged_lines == 3
    assert log.get_series('train', 'loss')[0] == [1, 2]


def test_nan_and_text_values(empty_run) -> None:
    folder = empty_run.log('20240101_000000', train(1))
    with open(folder / 'scalars.json', 'a') as stream:
        stream.write('{"loss": NaN, "note": "x", "lr": 0.1, "step": 2}\n')
    log = read_training_log(empty_run.work_dir)
    assert math.isnan(log.get_series('train', 'loss')[1][1])
    assert 'note' not in log.list_names('train')


def test_scalars_logged_one_by_one_are_one_record(empty_run) -> None:
    records = [*train(1), {'a': 1.0, 'step': 1}, {'b': 2.0, 'step': 1}]
    empty_run.log('20240101_000000', records)
    assert read_training_log(empty_run.work_dir).val == [{'a': 1, 'b': 2, 'step': 1}]


def test_epochs_are_recognised(empty_run) -> None:
    records = [record | {'epoch': 1} for record in train(1, 2)]
    empty_run.log('20240101_000000', records + val(1))
    assert read_training_log(empty_run.work_dir).by_epoch


def test_no_log_at_all(empty_run) -> None:
    log = read_training_log(empty_run.work_dir)
    assert log.files == []
    assert log.list_names('train') == []
