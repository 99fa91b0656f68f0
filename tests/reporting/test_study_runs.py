"""Runs of a study: found, checked, or named with the reason why not."""

import numpy as np
import pytest

from mmmed.reporting.study_runs import find_evaluations, read_study_run
from mmmed.reporting.study_spec import RunSpec


def make_spec(study, name='net', **others):
    return RunSpec(name, study.root / 'work' / name, name, **others)


def read(study, name='net', **others):
    return read_study_run(make_spec(study, name, **others), 'lesion', name)


def test_counts_become_whole_volumes(study):
    study.add_run('net')
    run = read(study)
    assert run.subjects.subjects == ('s1', 's2')
    assert run.subjects.counts.tolist() == [[2, 3, 4, 51], [3, 1, 1, 55]]
    # 3 false and 4 missed voxels of 0.004 ml.
    assert run.subjects.scores['volume_difference_ml'] == pytest.approx([-0.004, 0])
    assert run.slices.counts.sum(axis=1).tolist() == [20] * 6
    assert run.facts['s1'].site == 'R001'
    assert run.facts['s1'].reference_ml == pytest.approx(0.024)
    assert run.semi_synthetic is True
    assert run.is_held_out
    assert run.split_hash


@pytest.mark.parametrize(
    ('make', 'reason'),
    [
        (lambda folder: None, 'there is no such folder'),
        (lambda folder: folder.mkdir(parents=True), 'not tested yet'),
        (lambda folder: (folder / 'fold0').mkdir(parents=True), 'fold0 not tested yet'),
    ],
)
def test_run_that_is_not_there_has_a_reason(study, make, reason):
    make(study.root / 'work/net')
    assert read(study) == reason


def test_hold_out_is_taken_among_several_evaluations(study):
    study.add_run('net')
    study.add_run('net', {'t1': [(1, 0, 0)]}, evaluation='train')
    assert [path.name for path in find_evaluations(make_spec(study))] == ['val']
    chosen = read(study, evaluation='train')
    assert chosen.subjects.subjects == ('t1',)
    assert not chosen.is_held_out
    assert 'seen in training' in chosen.warnings[0]


def test_several_evaluations_without_a_choice_are_refused(study):
    for name in ('a', 'b'):
        study.add_run('net', evaluation=name)
    with pytest.raises(ValueError, match='has a, b; name one'):
        read(study)


def test_folds_are_pooled(study):
    study.add_run('grid/fold0', {'s1': [(2, 3, 4)]}, evaluation='fold0-val')
    study.add_run('grid/fold1', {'s2': [(3, 1, 1)]}, evaluation='fold1-val')
    run = read(study, 'grid')
    assert run.subjects.scores['dice'] == pytest.approx([4 / 11, 6 / 8])
    assert len(run.parts) == 2
    assert run.parts[1].name == 'fold1'


def test_subject_of_two_folds_is_refused(study):
    for fold in (0, 1):
        study.add_run(f'grid/fold{fold}', evaluation=f'fold{fold}-val')
    with pytest.raises(ValueError, match='subject s1 was tested in two folds'):
        read(study, 'grid')


def test_slices_of_another_plane_are_refused(study):
    study.add_run('net', plane='coronal')
    with pytest.raises(ValueError, match=r'tested on coronal slices.* says axial'):
        read(study, roles={'plane': 'axial'})


def test_another_seed_is_refused(study):
    study.add_run('net', seed=3)
    with pytest.raises(ValueError, match='has seed 3, the study file says 1'):
        read(study, roles={'seed': 1})


def test_thinned_volume_is_told(study):
    study.add_run('net', {'s1': [(2, 3, 4)], 's2': [(0, 0, 0)] * 3})
    (warning,) = read(study).warnings
    assert 'not all slices of 1 of 2 subjects' in warning
    assert '(s1' in warning


def test_another_label_is_refused(study):
    study.add_run('net')
    with pytest.raises(ValueError, match="nothing was tested of 'tumor'"):
        read_study_run(make_spec(study), 'tumor', 'net')


def test_without_manifest_scores_stay_and_facts_are_unknown(study):
    study.add_run('net')
    (study.root / 'data/manifest.json').unlink()
    run = read(study)
    assert run.subjects.scores['dice'] == pytest.approx([4 / 11, 6 / 8])
    assert np.isnan(run.subjects.scores['volume_difference_ml']).all()
    assert run.semi_synthetic is None
    assert not run.is_held_out
