"""Folds together: numbers by hand."""

import json

import pytest

from mmmed.engine.cross_validation import Grid
from mmmed.engine.fold_summary import (
    format_fold_summary,
    summarize_folds,
    write_fold_summary,
)

HEADER = 'patient_id,label,dice,iou,precision,recall\n'


@pytest.fixture
def make_grid(tmp_path):
    recipe = tmp_path / 'recipe.py'
    recipe.write_text('')

    def make(folds):
        for fold, (metrics, patients, split_hash) in enumerate(folds):
            out = tmp_path / f'fold{fold}/evaluation/val-fold{fold}'
            out.mkdir(parents=True)
            summary = {'metrics': metrics, 'split_hash': split_hash}
            (out / 'summary.json').write_text(json.dumps(summary))
            rows = [f'{name},lesion,{dice},,1,\n' for name, dice in patients.items()]
            (out / 'patients.csv').write_text(HEADER + ''.join(rows))
        return Grid(recipe, tmp_path, 3)

    return make


KEY = 'overlap/dice_patient_lesion'


def test_mean_and_sd_over_folds_and_over_patients(make_grid, tmp_path):
    grid = make_grid(
        [
            ({KEY: 0.5, 'nan': None}, {'a': 0.4, 'b': 0.6}, 'h'),
            ({KEY: 0.8, 'nan': None}, {'c': 0.8, 'd': ''}, 'h'),
        ]
    )
    summary = summarize_folds(grid.runs)
    assert summary['missing'] == ['fold 2']
    folds = {entry['metric']: entry for entry in summary['folds']}
    assert folds[KEY]['values'] == {0: 0.5, 1: 0.8}
    assert folds[KEY]['mean'] == pytest.approx(0.65)
    assert folds[KEY]['sd'] == pytest.approx(0.15 * 2**0.5)  # of a sample
    assert folds['nan']['n'] == 0
    assert folds['nan']['mean'] is None
    scores = {entry['score']: entry for entry in summary['patients']}
    # Over patients, not over folds: (0.4 + 0.6 + 0.8) / 3.
    assert scores['dice']['mean'] == pytest.approx(0.6)
    assert scores['dice']['n'] == 3
    assert scores['dice']['n_undefined'] == 1
    assert 0.399 < scores['dice']['low'] < scores['dice']['high'] < 0.801
    assert scores['iou']['mean'] is None
    lines = format_fold_summary(summary)
    assert lines[0] == 'not tested yet: fold 2'
    assert '0.650 ± 0.212 over 2 folds' in lines[1]
    assert '0.600 ± 0.200 over 3 patients' in lines[1]
    write_fold_summary(summary, tmp_path)
    table = (tmp_path / 'folds.csv').read_text().splitlines()
    assert table[0] == 'plane,metric,fold,value'
    assert table[1] == f',{KEY},0,0.5'
    stored = json.loads((tmp_path / 'cross_validation.json').read_text())
    assert stored['split_hash'] == 'h'


def test_targets_of_classifiers_have_a_line_each(make_grid):
    key = 'cls/type_auc_macro'
    grid = make_grid(
        [({key: 0.7, 'cls/type_ece': 0.1}, {}, 'h'), ({key: 0.8}, {}, 'h')]
    )
    lines = format_fold_summary(summarize_folds(grid.runs))
    assert lines[1:] == ['all: cls/type_auc_macro 0.750 ± 0.071 over 2 folds']


def test_patient_in_two_folds_is_refused(make_grid):
    grid = make_grid([({}, {'a': 1}, 'h'), ({}, {'a': 1}, 'h')])
    with pytest.raises(ValueError, match="patient 'a' was tested in"):
        summarize_folds(grid.runs)


def test_folds_of_two_splits_are_refused(make_grid):
    grid = make_grid([({}, {'a': 1}, 'h'), ({}, {'b': 1}, 'other')])
    with pytest.raises(ValueError, match='different splits'):
        summarize_folds(grid.runs)


def test_nothing_tested_yet(make_grid):
    summary = summarize_folds(make_grid([]).runs)
    assert summary['missing'] == ['fold 0', 'fold 1', 'fold 2']
    assert summary['folds'] == summary['patients'] == []
