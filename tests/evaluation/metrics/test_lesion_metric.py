"""Lesion metrics of test loops against numbers worked out by hand."""

import json
import math

import numpy as np
import pytest
import torch

from mmmed.registry import METRICS

META = {'classes': ('background', 'lesion')}


def build_metric(**options: object) -> object:
    options = {'type': 'mmmed.LesionMetric', 'num_resamples': 200} | options
    metric = METRICS.build(options)
    metric.dataset_meta = META
    return metric


def make_row(text: str) -> np.ndarray:
    """Label map (3, n) whose middle row is ``text``; dots are background."""
    row = [0 if sign == '.' else int(sign) for sign in text]
    return np.array([[0] * len(row), row, [0] * len(row)])


def make_sample(case_id: str, pred: str, target: str, **meta: object) -> dict:
    return {
        'case_id': case_id,
        'patient_id': case_id.split('_')[0],
        'slice_index': int(case_id.split('_')[1]),
        'spacing': (2.0, 0.5),
        'pred_sem_seg': {'data': torch.as_tensor(make_row(pred))[None]},
        'gt_sem_seg': {'data': torch.as_tensor(make_row(target))[None]},
    } | meta


SAMPLES = [
    # Two of three lesions found, one false alarm: F1 = 2 / (2 + (1 + 1) / 2).
    make_sample('a_1', '11..1.....1.', '.1..1..11...'),
    make_sample('a_2', '............', '............'),
    make_sample('b_1', '............', '1...........'),
    make_sample('c_1', '.1..1.......', '............'),
]


def evaluate(samples: list, **options: object) -> tuple:
    metric = build_metric(**options)
    metric.process(None, samples)
    return metric.evaluate(len(samples)), metric


def test_scores_by_hand() -> None:
    metrics, metric = evaluate(SAMPLES)
    expected = {
        'f1_image': (2 / 3) / 3,
        'f1_positive_image': (2 / 3) / 2,
        'f1_patient': (2 / 3) / 3,
        'f1_pooled': 2 / (2 + (3 + 2) / 2),
        'sensitivity_image': (2 / 3) / 3,
        'sensitivity_pooled': 2 / 4,
        'precision_image': (2 / 3) / 3,
        'precision_pooled': 2 / 5,
        'false_alarms_per_image': 3 / 4,
        'count_difference': (0 + 0 + 1 + 2) / 4,
        'num_lesions': 4,
        'num_found': 2,
        'num_missed': 2,
        'num_false_alarms': 3,
    }
    for name, value in expected.items():
        assert metrics[f'lesion/{name}_lesion'] == pytest.approx(value, rel=1e-12)
    lesions = metric.summary['structures']['lesion']['lesions']
    assert lesions['scores']['image']['f1']['n_undefined'] == 1


def test_empty_policy_of_the_config_is_used() -> None:
    """As the scorer of the ATLAS challenge: nothing to find and nothing found is 1."""
    metrics, _ = evaluate(SAMPLES, empty_policy={'both_empty': 1.0})
    assert metrics['lesion/f1_image_lesion'] == pytest.approx((2 / 3 + 1) / 4)


def test_images_of_a_patient_are_summed() -> None:
    samples = [make_sample('a_1', '1.1', '1.1'), make_sample('a_2', '...', '1.1')]
    metrics, _ = evaluate(samples)
    assert metrics['lesion/f1_patient_lesion'] == pytest.approx(2 / 3)
    assert metrics['lesion/f1_image_lesion'] == 0.5


@pytest.mark.parametrize(('min_iou', 'found'), [(0.5, 2), (0.6, 1)])
def test_options_of_the_matching_are_used(min_iou, found) -> None:
    options = {'criterion': 'optimal', 'min_iou': min_iou}
    metrics, metric = evaluate(SAMPLES[:1], **options)
    assert metrics['lesion/num_found_lesion'] == found
    assert metric.summary['lesion_matching']['min_iou'] == min_iou


@pytest.mark.parametrize(('connectivity', 'lesions'), [(6, 2), (26, 1)])
def test_volumes_and_connectivity(connectivity, lesions) -> None:
    target = np.zeros((2, 3, 4), np.int64)
    target[0, 1, 1] = target[1, 2, 2] = 1
    sample = make_sample('a_1', '.', '.', spacing=(3.0, 1.0, 2.0)) | {
        'pred_sem_seg': {'data': torch.as_tensor(target)},
        'gt_sem_seg': {'data': torch.as_tensor(target)},
    }
    metrics, metric = evaluate([sample], connectivity=connectivity)
    assert metrics['lesion/num_found_lesion'] == lesions
    rows = metric.tables['lesions']
    assert sum(row['volume_mm3'] for row in rows) == 12.0


def test_tables_are_tidy() -> None:
    _, metric = evaluate(SAMPLES)
    first, second, *_ = metric.tables['cases']
    assert {
        'target_lesions': 3,
        'pred_lesions': 3,
        'found_lesions': 2,
        'missed_lesions': 1,
        'false_positive_lesions': 1,
    }.items() <= first.items()
    assert first['lesion_f1'] == pytest.approx(2 / 3)
    assert 'lesions' not in first
    assert second['lesion_f1'] is None
    rows = metric.tables['lesions']
    assert [row['outcome'] for row in rows] == [
        'found', 'found', 'missed', 'false_alarm', 'missed', 'false_alarm',
        'false_alarm',
    ]  # fmt: skip
    assert rows[0]['dice'] == pytest.approx(2 / 3)
    assert {
        'case_id': 'a_1',
        'patient_id': 'a',
        'label': 'lesion',
        'lesion': 3,
        'voxels': 2,
        'area_mm2': 2.0,
        'outcome': 'missed',
        'centroid_y_mm': 2.0,
        'centroid_x_mm': 3.75,
    }.items() <= rows[2].items()
    json.dumps([metric.tables, metric.summary], allow_nan=False)


def test_without_spacing_lesions_have_sizes_in_voxels() -> None:
    _, metric = evaluate([SAMPLES[0] | {'spacing': None}])
    row = metric.tables['lesions'][2]
    assert (row['voxels'], row['area_mm2'], row['centroid_x_mm']) == (2, None, None)
    sample = SAMPLES[0] | {'spacing': None}
    _, metric = evaluate([sample], default_spacing=(1, 1))
    assert metric.tables['lesions'][2]['area_mm2'] == 2.0


def test_wrong_criterion_names_the_case() -> None:
    with pytest.raises(ValueError, match="case 'a_1': criterion"):
        evaluate(SAMPLES[:1], criterion='closest')


def test_data_without_a_lesion() -> None:
    metrics, _ = evaluate([SAMPLES[1]])
    assert math.isnan(metrics['lesion/f1_image_lesion'])
    assert metrics['lesion/num_lesions_lesion'] == 0
    assert metrics['lesion/false_alarms_per_image_lesion'] == 0
