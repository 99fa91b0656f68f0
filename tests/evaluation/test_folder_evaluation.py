import csv
import gzip
import json
import shutil

import numpy as np
import pytest

import mmmed.evaluation.case_records as case_records
from mmmed.evaluation.folder_evaluation import FolderOptions, evaluate_folders
from mmmed.evaluation.score_lines import format_scores
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.functional.overlap import EmptyPolicy
from mmmed.io import read_volume, write_label, write_volume
from mmmed.structures import Volume


def evaluate(folder, out='out', scoring=None, pred='pred', **options):
    options = FolderOptions(quiet=True, **options)
    return evaluate_folders(
        folder / pred, folder / 'ref', folder / out, scoring, options
    )


def read_csv(path):
    with open(path, newline='') as stream:
        return list(csv.DictReader(stream))


def read_outputs(out):
    names = ('cases.csv', 'lesions.csv', 'slices.csv', 'comparison.csv', 'summary.json')
    return {n: (out / n).read_bytes() for n in names if (out / n).exists()}


def test_tables_and_summary_by_hand(mask_folders):
    outcome = evaluate(mask_folders)
    assert outcome.exit_code == 0
    rows = read_csv(mask_folders / 'out/cases.csv')
    assert [row['case_id'] for row in rows] == ['one', 'three', 'two']
    dice = [0.75, 128 / 136, 1.0]
    assert [float(row['dice']) for row in rows] == pytest.approx(dice)
    score = outcome.summary['structures']['1']['scores']['dice']
    assert score['mean'] == pytest.approx(np.mean(dice))
    assert score['sd'] == pytest.approx(np.std(dice, ddof=1))
    assert (score['n'], score['n_undefined'], score['n_units']) == (3, 0, 3)
    assert score['low'] < score['mean'] < score['high']
    entry = outcome.summary['structures']['1']
    assert entry['pooled']['tp'] == 48 + 64 + 64
    assert entry['pooled']['dice'] == pytest.approx(352 / (352 + 16 + 16 + 8))
    lesions = entry['lesions']
    assert lesions['pooled']['target_lesions'] == 4
    assert lesions['pooled']['found_lesions'] == 3
    assert lesions['pooled']['f1'] == pytest.approx(3 / 3.5)
    # 8 voxels of 6 mm3 and three times 64.
    strata = {row['low_mm3']: row for row in lesions['strata']}
    assert [strata[low]['lesions'] for low in (0, 100, 1000, 10000)] == [1, 3, 0, 0]
    assert [strata[low]['found'] for low in (0, 100)] == [0, 3]
    assert strata[100]['mean_dice'] == pytest.approx((0.75 + 1 + 1) / 3)
    assert (strata[10000]['high_mm3'], strata[1000]['sensitivity']) == (None, None)
    assert len(read_csv(mask_folders / 'out/lesions.csv')) == 4 + 3
    stored = json.loads((mask_folders / 'out/summary.json').read_text())
    assert stored == outcome.summary
    assert stored['inputs'] == {'pred': '../pred', 'target': '../ref', 'compare': None}
    run = json.loads((mask_folders / 'out/run.json').read_text())
    assert run['finished'] is not None


def test_how_many_were_empty_is_always_said(mask_folders):
    empty = Volume(np.zeros((12, 14, 10), np.uint8), (3.0, 1.0, 2.0))
    for side in ('pred', 'ref'):
        write_volume(empty, mask_folders / side / 'void.nii.gz')
    shutil.copy(mask_folders / 'ref/one.nii.gz', mask_folders / 'ref/lost.nii.gz')
    outcome = evaluate(mask_folders)
    entry = outcome.summary['structures']['1']
    assert entry['empty'] == {'both_empty': 1, 'pred_empty': 1, 'target_empty': 0}
    assert outcome.summary['missing_predictions'] == ['lost']
    score = entry['scores']['dice']
    assert (score['n'], score['n_undefined']) == (4, 1)
    assert score['mean'] == pytest.approx((0.75 + 1 + 128 / 136 + 0) / 4)
    diagonal = np.hypot(np.hypot(36, 14), 20)
    assert entry['scores']['hausdorff_mm']['maximum'] == pytest.approx(diagonal)
    text = '\n'.join(format_scores(outcome.summary))
    assert '1 without prediction (scored as missed)' in text
    assert 'empty: 1 on both sides (no score), 1 in the prediction (missed)' in text
    scoring = ScoreOptions(policy=EmptyPolicy(both_empty=1.0))
    outcome = evaluate(mask_folders, 'generous', scoring)
    assert outcome.summary['structures']['1']['scores']['dice']['n'] == 5
    assert 'empty: 1 on both sides (score 1)' in format_scores(outcome.summary)[1]


def test_a_comparison_by_hand(mask_folders):
    outcome = evaluate(mask_folders, compare=mask_folders / 'other')
    rows = read_csv(mask_folders / 'out/comparison.csv')
    differences = [float(r['difference']) for r in rows if r['metric'] == 'dice']
    expected = [0.75 - 0.5, 128 / 136, 0.25]
    assert differences == pytest.approx(expected)
    entry = outcome.summary['comparison']['structures']['1']['dice']
    assert entry['mean_difference'] == pytest.approx(np.mean(expected))
    assert (entry['n'], entry['wins'], entry['ties'], entry['losses']) == (3, 3, 0, 0)
    # Two of the three sizes are tied, so the normal distribution: 3 / sqrt(3.5 - 6/48).
    assert entry['method'] == 'normal'
    assert entry['p_value'] == pytest.approx(2 * 0.05125, abs=2e-4)
    shorter = outcome.summary['comparison']['structures']['1']['hausdorff_mm']
    assert shorter['mean_difference'] < 0
    assert shorter['wins'] == 3


def test_patients_and_sites(mask_folders):
    table = mask_folders / 'groups.csv'
    table.write_text(
        'case_id,patient_id,site\none,p,X\ntwo,p,Y\nthree,q,X\nunused,r,Z\n'
    )
    outcome = evaluate(mask_folders, groups=table)
    summary = outcome.summary
    assert (summary['num_cases'], summary['num_patients']) == (3, 2)
    assert summary['bootstrap']['unit'] == 'patient'
    sites = summary['groups']['site']
    assert list(sites) == ['X', 'Y']
    assert sites['X']['1']['scores']['dice']['mean'] == pytest.approx(
        (0.75 + 128 / 136) / 2
    )
    assert sites['Y']['1']['num_cases'] == 1
    assert sites['Y']['1']['scores']['dice']['low'] is None
    rows = read_csv(mask_folders / 'out/cases.csv')
    assert [(r['patient_id'], r['site']) for r in rows] == [
        ('p', 'X'), ('q', 'X'), ('p', 'Y'),
    ]  # fmt: skip
    # Patients p (mean 0.875) and q: the interval lies between their means.
    score = summary['structures']['1']['scores']['dice']
    assert (score['low'], score['high']) == pytest.approx((0.875, 128 / 136))


def test_lesion_slices_and_free_slices_are_apart(mask_folders):
    outcome = evaluate(mask_folders, scoring=ScoreOptions(plane='axial'))
    entry = outcome.summary['structures']['1']['slices']
    # Four slices with a cube in each case, two more with the small lesion.
    assert entry['lesion']['num_slices'] == 14
    assert entry['lesion_free']['num_slices'] == 3 * 12 - 14
    assert entry['lesion']['num_missed'] == 1 + 2
    assert entry['lesion_free']['num_false_alarms'] == 1
    share = entry['lesion_free']['false_alarm_share']
    assert share['mean'] == pytest.approx(1 / 22)
    assert entry['lesion']['scores']['dice']['mean'] == pytest.approx(11 / 14)
    assert len(read_csv(mask_folders / 'out/slices.csv')) == 36


def test_labels_that_some_cases_lack_have_a_row_everywhere(mask_folders):
    volume = read_volume(mask_folders / 'ref/two.nii.gz')
    array = volume.array.copy()
    array[0, 0, 0] = 10
    write_volume(volume.replace_array(array), mask_folders / 'ref/two.nii.gz')
    outcome = evaluate(mask_folders, scoring=ScoreOptions(plane='coronal'))
    assert outcome.summary['labels'] == ['1', '10']
    assert outcome.summary['structures']['10']['outcomes']['both_empty'] == 2
    rows = read_csv(mask_folders / 'out/cases.csv')
    assert [(r['case_id'], r['label']) for r in rows] == [
        (c, label) for c in ('one', 'three', 'two') for label in ('1', '10')
    ]
    assert len(read_csv(mask_folders / 'out/slices.csv')) == 3 * 2 * 14


def test_255_beside_other_labels_is_doubted(mask_folders, caplog):
    volume = read_volume(mask_folders / 'ref/two.nii.gz')
    array = volume.array.copy()
    array[0] = 255
    write_volume(volume.replace_array(array), mask_folders / 'ref/two.nii.gz')
    assert evaluate(mask_folders).summary['labels'] == ['1', '255']
    assert 'value 255 is scored as a structure' in caplog.text
    caplog.clear()
    outcome = evaluate(mask_folders, 'ignored', ScoreOptions(ignore_label=255))
    assert outcome.summary['labels'] == ['1']
    assert caplog.text == ''


def test_one_and_two_workers_write_the_same_bytes(mask_folders):
    scoring = ScoreOptions(plane='axial')
    options = {'scoring': scoring, 'compare': mask_folders / 'other'}
    evaluate(mask_folders, 'a', **options)
    evaluate(mask_folders, 'b', **options, workers=2)
    assert len(read_outputs(mask_folders / 'a')) == 5
    assert read_outputs(mask_folders / 'a') == read_outputs(mask_folders / 'b')


def test_finished_cases_are_not_scored_again(mask_folders, monkeypatch):
    scored = []
    original = case_records.score_case

    def count(case_id, *rest):
        scored.append(case_id)
        return original(case_id, *rest)

    monkeypatch.setattr(case_records, 'score_case', count)
    evaluate(mask_folders)
    first = read_outputs(mask_folders / 'out')
    evaluate(mask_folders)
    assert scored == ['one', 'three', 'two']
    # A comparison joins; only its own cases are new.
    evaluate(mask_folders, compare=mask_folders / 'other')
    assert scored[3:] == ['one', 'three', 'two']
    path = mask_folders / 'pred/one.nii.gz'
    shutil.copy(mask_folders / 'ref/one.nii.gz', path)
    outcome = evaluate(mask_folders)
    assert scored[6:] == ['one']
    assert outcome.summary['structures']['1']['scores']['dice']['minimum'] > 0.9
    assert read_outputs(mask_folders / 'out').keys() == first.keys()
    (damaged, *_) = (mask_folders / 'out/.cases').glob('*.json')
    damaged.write_text('{"key": ')
    evaluate(mask_folders)
    assert len(scored) == 8
    evaluate(mask_folders, overwrite=True)
    assert len(scored) == 11


def test_results_of_others_are_not_replaced(mask_folders):
    evaluate(mask_folders)
    with pytest.raises(ValueError, match='scores of other folders or options'):
        evaluate(mask_folders, scoring=ScoreOptions(tolerance_mm=3))
    with pytest.raises(ValueError, match='scores of other folders or options'):
        evaluate(mask_folders, pred='other')
    evaluate(mask_folders, scoring=ScoreOptions(tolerance_mm=3), overwrite=True)
    (mask_folders / 'foreign').mkdir()
    (mask_folders / 'foreign/cases.csv').write_text('mine')
    with pytest.raises(ValueError, match='none of ours'):
        evaluate(mask_folders, 'foreign')
    for out in ('pred', 'ref', 'pred/one.nii.gz'):
        with pytest.raises(ValueError, match='results need another folder'):
            evaluate(mask_folders, out)


@pytest.mark.parametrize('workers', [1, 2])
def test_bad_files_are_named_and_the_others_go_on(mask_folders, workers):
    folder = mask_folders / 'pred'
    (folder / 'one.nii.gz').write_bytes(gzip.compress(b'x' * 400)[:40])
    moved = read_volume(folder / 'two.nii.gz')
    affine = np.array(moved.grid)
    affine[1, 3] += 4
    write_volume(Volume(moved.array, moved.spacing, affine), folder / 'two.nii.gz')
    outcome = evaluate(mask_folders, workers=workers)
    assert outcome.exit_code == 3
    failed = {one['case_id']: one['error'] for one in outcome.summary['failed']}
    assert 'one.nii.gz: not a readable NIfTI image' in failed['one']
    assert 'two.nii.gz' in failed['two']
    assert 'largest affine difference 4' in failed['two']
    assert outcome.summary['num_cases'] == 1
    assert 'failed: one: ' in '\n'.join(format_scores(outcome.summary))
    (folder / 'three.nii.gz').write_bytes(b'')
    with pytest.raises(ValueError, match='not one case could be scored; the first: '):
        evaluate(mask_folders)


def test_formats_may_differ_and_pictures_are_scored(tmp_path, mask_folders):
    for path in sorted((mask_folders / 'pred').iterdir()):
        volume = read_volume(path)
        name = path.name.replace('.nii.gz', '.nrrd')
        write_volume(volume, tmp_path / 'nrrd' / name)
    outcome = evaluate(mask_folders, pred='nrrd')
    assert outcome.exit_code == 0
    pred, target = np.zeros((2, 20, 20), np.uint8)
    pred[5:9, 2:6], target[4:8, 2:6] = 255, 255
    write_label(tmp_path / 'a/x.png', pred)
    write_label(tmp_path / 'b/x.png', target)
    outcome = evaluate_folders(tmp_path / 'a', tmp_path / 'b', tmp_path / 'c')
    entry = outcome.summary['structures']['255']
    assert entry['scores']['dice']['mean'] == 0.75
    assert next(iter(outcome.summary['notes'])).startswith('PNG masks have no geometry')
    (tmp_path / 'a/x.jpg').write_bytes((tmp_path / 'a/x.png').read_bytes())
    (tmp_path / 'a/x.png').unlink()
    with pytest.raises(ValueError, match='JPEG changes values'):
        evaluate_folders(tmp_path / 'a', tmp_path / 'b', tmp_path / 'd')


def test_empty_folders_of_masks_need_named_labels(mask_folders):
    empty = Volume(np.zeros((3, 4, 5), np.uint8), (1.0, 1.0, 1.0))
    for side in ('p', 'r'):
        write_volume(empty, mask_folders / side / 'x.nii.gz')
    folders = mask_folders / 'p', mask_folders / 'r'
    with pytest.raises(ValueError, match='holds a label; name the labels'):
        evaluate_folders(*folders, mask_folders / 'out')
    scoring = ScoreOptions({'lesion': (1,)})
    summary = evaluate_folders(*folders, mask_folders / 'named', scoring).summary
    score = summary['structures']['lesion']['scores']['dice']
    assert (score['mean'], score['n'], score['n_undefined']) == (None, 0, 1)
    assert summary['structures']['lesion']['lesions']['pooled']['f1'] is None
    assert (mask_folders / 'named/lesions.csv').read_text() == ''


@pytest.mark.data
def test_real_hippocampi_shifted_by_one_voxel(sample_data, tmp_path):
    expected = {}
    for path in sorted((sample_data / 'hippocampus/labels').iterdir())[:6]:
        volume = read_volume(path)
        pred = np.zeros_like(volume.array)
        pred[1:] = volume.array[:-1]
        write_volume(volume.replace_array(pred), tmp_path / 'p' / path.name)
        write_volume(volume, tmp_path / 'r' / path.name)
        for label, value in (('anterior', 1), ('posterior', 2)):
            here, there = pred == value, volume.array == value
            dice = 2 * np.sum(here & there) / (np.sum(here) + np.sum(there))
            expected[path.name[:-7], label] = dice
    scoring = ScoreOptions({'anterior': (1,), 'posterior': (2,)})
    outcome = evaluate_folders(tmp_path / 'p', tmp_path / 'r', tmp_path / 'o', scoring)
    rows = read_csv(tmp_path / 'o/cases.csv')
    found = {(row['case_id'], row['label']): float(row['dice']) for row in rows}
    assert found == pytest.approx(expected, abs=1e-15)
    assert [float(row['hausdorff_mm']) for row in rows] == [1.0] * 12
    entry = outcome.summary['structures']['anterior']['scores']['dice']
    anterior = [dice for (_, label), dice in expected.items() if label == 'anterior']
    assert entry['mean'] == pytest.approx(np.mean(anterior), abs=1e-15)
