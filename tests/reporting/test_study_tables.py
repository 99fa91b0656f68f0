"""Tables of a study of two subjects whose counts can be added by hand."""

import math

import pytest

from mmmed.reporting.study_spec import read_study_spec
from mmmed.reporting.study_tables import collect_study

FIRST = {'s1': [(2, 0, 2), (0, 0, 2), (0, 3, 0)], 's2': [(3, 1, 1), (0, 0, 0)]}
SECOND = {'s1': [(3, 0, 1), (2, 1, 0), (0, 0, 0)], 's2': [(4, 0, 0), (0, 0, 0)]}
# 3-D Dice of s1 and s2.
DICE = {'first': (4 / 11, 6 / 8), 'second': (10 / 12, 1.0)}


def collect(study, runs, tables):
    return collect_study(read_study_spec(study.write_spec(runs, tables)))


def collect_models(study):
    study.add_run('a', FIRST)
    study.add_run('b', SECOND)
    runs = {'a': {'model': 'A'}, 'b': {'model': 'B'}, 'c': {'model': 'C'}}
    return collect(study, runs, [{'name': 'models', 'runs': ['a', 'b', 'c']}])


def test_runs_are_compared_and_the_missing_one_is_named(study):
    result = collect_models(study)
    (table,) = result.tables
    means = {row['method']: row['dice_mean'] for row in table.rows['volumes']}
    assert means == pytest.approx({'A': sum(DICE['first']) / 2, 'B': 11 / 12})
    assert table.missing == (('c', 'c', 'there is no such folder'),)
    assert result.absent == {'c': 'there is no such folder'}
    assert table.num_subjects == 2


def test_pairs_are_first_minus_second(study):
    (row,) = collect_models(study).tables[0].rows['paired']
    expected = (4 / 11 - 10 / 12 + 6 / 8 - 1) / 2
    assert row['mean_difference'] == pytest.approx(expected, abs=1e-11)
    assert (row['n'], row['lower']) == (2, 2)


def test_sites_and_volume_bins(study):
    rows = collect_models(study).tables[0].rows
    found = {(r['group'], r['method']): r['dice_mean'] for r in rows['sites']}
    assert found == pytest.approx(
        {
            ('R001', 'A'): 4 / 11,
            ('R001', 'B'): 10 / 12,
            ('R002', 'A'): 6 / 8,
            ('R002', 'B'): 1,
        }
    )
    assert {row['group'] for row in rows['strata']} == {'≤ 5,000 mm³'}


def test_without_the_first_run_there_are_no_pairs(study):
    study.add_run('b', SECOND)
    runs = {'a': {'model': 'A'}, 'b': {'model': 'B'}}
    result = collect(study, runs, [{'name': 'models', 'runs': ['a', 'b']}])
    assert 'paired' not in result.tables[0].rows
    assert len(result.tables[0].rows['volumes']) == 1


def test_seeds_make_mean_and_spread(study):
    for seed, counts in enumerate((FIRST, SECOND)):
        study.add_run(f'm{seed}', counts, seed=seed)
        study.add_run(f'p{seed}', FIRST, seed=seed)
    runs = {
        f'{key}{seed}': {'batches': word, 'seed': seed}
        for key, word in (('m', 'matched'), ('p', 'plain'))
        for seed in (0, 1)
    }
    table = {'name': 'batches', 'kind': 'seeds', 'by': 'batches', 'runs': list(runs)}
    rows = collect(study, runs, [table]).tables[0].rows
    matched = [row for row in rows['volumes'] if row['group'] == 'matched']
    first, second = sum(DICE['first']) / 2, sum(DICE['second']) / 2
    assert [row['seed'] for row in matched] == [0, 1, 'mean', 'sd']
    assert [row['dice_mean'] for row in matched] == pytest.approx(
        [first, second, (first + second) / 2, (second - first) / math.sqrt(2)]
    )
    assert matched[2]['n_seeds'] == 2
    # Of matched, each subject has the mean over its seeds; plain seeds are equal.
    (pair,) = rows['paired']
    expected = (second - first) / 2
    assert pair['mean_difference'] == pytest.approx(expected, abs=1e-11)
    plain = [row for row in rows['volumes'] if row['group'] == 'plain']
    assert plain[3]['dice_mean'] == 0


def test_fusion_is_compared_on_identical_slices(study):
    study.add_run('a')
    study.add_fusion()
    table = {'name': 'fusion', 'kind': 'fusion', 'folder': 'work/fusion'}
    models = {'name': 'models', 'runs': ['a']}
    result = collect(study, {'a': {'model': 'A'}}, [models, table])
    rows = result.tables[1].rows
    means = {row['method']: row['dice_mean'] for row in rows['volumes']}
    assert means == pytest.approx(
        {'axial alone': sum(DICE['first']) / 2, 'fused': 11 / 12}
    )
    before, after = rows['slices']
    assert before['dice_mean'] == pytest.approx((4 / 6 + 0 + 6 / 8) / 3)
    assert after['dice_mean'] == pytest.approx((6 / 7 + 4 / 5 + 1) / 3)
    assert (before['free_marked'], after['free_marked']) == pytest.approx((1 / 3, 0))
    # Both rows are of the same slices, so nothing scores the same on them.
    assert rows['published'][0]['all_background'] == pytest.approx(
        rows['published'][1]['all_background'], rel=1e-12
    )
    (pair,) = rows['paired']
    assert (pair['first'], pair['second']) == ('fused', 'axial alone')
    assert pair['mean_difference'] == pytest.approx(
        11 / 12 - sum(DICE['first']) / 2, abs=1e-11
    )
    # The site is the manifest's, which the fusion folder does not name.
    assert {row['group'] for row in rows['sites']} == {'R001', 'R002'}
    assert result.tables[1].remarks == (
        'Rule: mean probability of the planes, lesion from 0.5 on.',
    )


def test_fusion_that_is_not_there_is_named(study):
    table = {'name': 'fusion', 'kind': 'fusion', 'folder': 'work/fusion'}
    result = collect(study, {}, [table])
    assert result.tables[0].missing == (
        ('fusion', 'fusion', 'there is no such folder'),
    )
    assert result.tables[0].rows == {}


def test_other_subjects_are_told(study):
    study.add_run('a', FIRST)
    study.add_run('b', {'s1': SECOND['s1']})
    runs = {'a': {'model': 'A'}, 'b': {'model': 'B'}}
    result = collect(study, runs, [{'name': 'models', 'runs': ['a', 'b']}])
    assert result.tables[0].num_subjects == 1
    assert any('not tested on the same subjects' in t for t in result.tables[0].remarks)


def test_runs_of_different_splits_are_refused(study):
    study.add_run('a', FIRST)
    path = study.add_run('b', SECOND) / 'evaluation/val/summary.json'
    text = path.read_text()
    start = text.index('"split_hash": "') + len('"split_hash": "')
    path.write_text(text[:start] + 'f' * 64 + text[start + 64 :])
    runs = {'a': {'model': 'A'}, 'b': {'model': 'B'}}
    with pytest.raises(ValueError, match='a and b were tested on different splits'):
        collect(study, runs, [{'name': 'models', 'runs': ['a', 'b']}])
