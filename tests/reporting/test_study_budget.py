"""What a run says about its cost."""

from mmmed.reporting.study_budget import count_parameters, describe_budget
from mmmed.reporting.study_runs import read_study_run
from mmmed.reporting.study_spec import RunSpec


def read(study, name):
    spec = RunSpec(name, study.root / 'work' / name, name)
    return read_study_run(spec, 'lesion', 'Net')


def test_budget_of_a_finished_training(study):
    study.add_training(study.add_run('net'))
    row = describe_budget(read(study, 'net'))
    assert row['iterations'] == row['planned_iterations'] == 2
    assert row['batch_size'] == 16
    # 2 x 3 weights; running statistics are not trained.
    assert row['parameters'] == 6
    assert (row['seed'], row['device'], row['seconds']) == (0, 'cpu', 100.0)
    assert row['resumed'] is False


def test_training_that_stopped_early_says_so(study):
    study.add_training(study.add_run('net'), steps=(1,))
    row = describe_budget(read(study, 'net'))
    assert (row['iterations'], row['planned_iterations']) == (1, 2)


def test_nothing_is_made_up_for_a_run_without_training_folder(study):
    study.add_run('net')
    row = describe_budget(read(study, 'net'))
    names = ('iterations', 'batch_size', 'parameters', 'seconds', 'device')
    assert [row[name] for name in names] == [None] * 5


def test_seconds_of_folds_are_added(study):
    for fold, subject in enumerate(('s1', 's2')):
        run = study.add_run(
            f'grid/fold{fold}', {subject: [(1, 0, 0)]}, evaluation=f'fold{fold}-val'
        )
        study.add_training(run, seconds=10.0 * (fold + 1))
    row = describe_budget(read(study, 'grid'))
    assert (row['trainings'], row['seconds']) == (2, 30.0)


def test_checkpoint_outside_the_folder_is_not_opened(study, tmp_path):
    folder = study.add_run('net')
    (folder / 'last_checkpoint').write_text('../../../etc/passwd')
    assert count_parameters(folder) is None
