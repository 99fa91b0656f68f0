"""Tables from counts that can be summed by hand."""

import json
import math

import numpy as np
import pytest

from mmmed.files import write_csv_atomic, write_json_atomic
from mmmed.reporting.fusion_report import write_fusion_report
from mmmed.reporting.fusion_tables import (
    compare_slices,
    list_subject_slices,
    list_volumes,
    read_fusion_folder,
    summarize_volumes,
)

COLUMNS = (
    'target_pixels',
    'before_pixels',
    'before_common_pixels',
    'after_pixels',
    'after_common_pixels',
)
# Two subjects: reference, before, common, after, common of each axial slice.
SLICES = {
    's1': [(4, 4, 2, 4, 4), (2, 0, 0, 2, 1), (0, 3, 0, 0, 0), (0, 0, 0, 0, 0)],
    's2': [(6, 2, 2, 6, 3), (0, 0, 0, 5, 0)],
}
COUNTS = {
    's1': {
        'axial': {'tp': 2, 'fp': 5, 'fn': 4, 'tn': 89},
        'fused': {'tp': 5, 'fp': 1, 'fn': 1, 'tn': 93},
    },
    's2': {
        'axial': {'tp': 2, 'fp': 0, 'fn': 4, 'tn': 94},
        'fused': {'tp': 3, 'fp': 8, 'fn': 3, 'tn': 86},
    },
}


@pytest.fixture
def folder(tmp_path):
    for name, slices in SLICES.items():
        rows = [
            {'plane': 'axial', 'slice': k, **dict(zip(COLUMNS, row, strict=True))}
            for k, row in enumerate(slices)
        ]
        write_csv_atomic(tmp_path / f'slices/{name}.csv', rows)
        report = {
            'case_id': name,
            'status': 'done',
            'spacing': [2.0, 1.0, 1.0],
            'counts': COUNTS[name],
        }
        write_json_atomic(tmp_path / f'cases/{name}.json', report)
    failed = {'case_id': 's3', 'status': 'failed', 'error': 'no'}
    write_json_atomic(tmp_path / 'cases/s3.json', failed)
    return tmp_path


@pytest.fixture
def cases(folder):
    return read_fusion_folder(folder)


def test_groups_are_kept_apart(cases):
    lesion, free, every = compare_slices(cases)
    assert [row['slices'] for row in (lesion, free, every)] == [
        'lesion',
        'lesion_free',
        'all',
    ]
    # Dice before: s1 (0.5, 0), s2 (0.5); after: s1 (1, 0.5), s2 (0.5).
    assert lesion['dice_before'] == pytest.approx((0.25 + 0.5) / 2)
    assert lesion['dice_after'] == pytest.approx((0.75 + 0.5) / 2)
    assert lesion['dice_change'] == pytest.approx(0.25)
    assert lesion['dice_after_sd'] == pytest.approx(np.std([0.75, 0.5], ddof=1))
    assert (lesion['subjects'], lesion['number_of_slices']) == (2, 3)
    # False alarms: s1 one of two before, s2 one of one after.
    assert free['share_marked_before'] == pytest.approx((0.5 + 0) / 2)
    assert free['share_marked_after'] == pytest.approx((0 + 1) / 2)
    assert math.isnan(free['dice_before'])
    # All: s1 (0.5, 0, 0, 1), s2 (0.5, 1).
    assert every['dice_before'] == pytest.approx((1.5 / 4 + 1.5 / 2) / 2)
    assert every['all_background_dice'] == pytest.approx((2 / 4 + 1 / 2) / 2)


def test_volumes_have_all_masks(cases):
    rows = {(row['case_id'], row['mask']): row for row in list_volumes(cases)}
    assert rows['s1', 'axial']['dice'] == pytest.approx(4 / 13)
    assert rows['s1', 'fused']['dice'] == pytest.approx(10 / 12)
    assert rows['s2', 'fused']['volume_difference_ml'] == pytest.approx(0.01)
    assert rows['s2', 'fused']['precision'] == pytest.approx(3 / 11)


def test_gain_is_paired(cases):
    axial, fused = summarize_volumes(cases)
    gains = [10 / 12 - 4 / 13, 6 / 17 - 4 / 8]
    assert axial['gain'] == pytest.approx(np.mean(gains))
    assert axial['gain_low'] <= axial['gain'] <= axial['gain_high']
    assert fused['gain'] == 0
    assert fused['subjects'] == 2


def test_subject_means_feed_the_raincloud(cases):
    values = list_subject_slices(cases, 'axial')
    assert values['before'].tolist() == [0.25, 0.5]
    assert values['after'].tolist() == [0.75, 0.5]


def test_the_report_is_written_and_repeatable(folder):
    written = write_fusion_report(folder)
    names = [path.relative_to(folder).as_posix() for path in written]
    assert names == [
        'comparison_before_after_fusion.csv',
        'volumes.csv',
        'summary_3d.csv',
        'figures/dice_3d.svg',
        'figures/dice_slices_axial.svg',
        'fusion.html',
    ]
    before = [path.read_bytes() for path in written]
    write_fusion_report(folder)
    assert before == [path.read_bytes() for path in written]
    page = (folder / 'fusion.html').read_text()
    assert '2 scans with a reference' in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_a_folder_without_references_has_no_report(tmp_path):
    assert write_fusion_report(tmp_path) == []


def test_a_damaged_report_names_itself(folder):
    (folder / 'cases/s1.json').write_text(json.dumps({'status': 'done', 'counts': {}}))
    with pytest.raises(ValueError, match=r's1\.json'):
        read_fusion_folder(folder)
