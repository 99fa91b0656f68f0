"""ClassificationMetric."""

import math

import pytest
import torch
from mmengine.logging import MessageHub

from mmmed.registry import METRICS
from mmmed.structures.roi_sample import ROISample

META = {'targets': {'type': ['HCC', 'ICC', 'cyst'], 'mvi': ['no', 'yes']}}
# Truth and probabilities: type 2 of 3 right; mvi 1 of 2 right, one not labelled.
CASES = [
    ('a', 'p', {'type': 0, 'mvi': 0}, [0.6, 0.3, 0.1], [0.8, 0.2]),
    ('b', 'p', {'type': 2, 'mvi': 1}, [0.2, 0.2, 0.6], [0.7, 0.3]),
    ('c', 'q', {'type': 1, 'mvi': -1}, [0.5, 0.4, 0.1], [0.1, 0.9]),
]


def make_sample(case):
    name, patient, truth, kind, mvi = case
    return ROISample(
        metainfo={'case_id': name, 'patient_id': patient, 'size_mm': 12.0},
        available=torch.tensor([True, False]),
        gt_targets=truth,
        pred_logits={
            'type': torch.tensor(kind).log(),
            'mvi': torch.tensor(mvi).log(),
        },
    ).to_dict()


def evaluate(cases=CASES, size=None, calibration=None, **options):
    metric = METRICS.build(
        {'type': 'mmmed.ClassificationMetric', 'num_resamples': 0} | options
    )
    metric.dataset_meta = META
    metric.calibration = calibration or {}
    metric.process({}, [make_sample(case) for case in cases])
    return metric, metric.evaluate(len(cases) if size is None else size)


def test_numbers_by_hand():
    metric, found = evaluate()
    assert found['cls/type_accuracy'] == pytest.approx(2 / 3)
    assert found['cls/type_balanced_accuracy'] == pytest.approx(2 / 3)
    assert found['cls/mvi_accuracy'] == 0.5
    assert found['cls/mvi_auc_yes'] == 1
    assert found['cls/mvi_sensitivity_yes'] == 0
    assert found['cls/type_log_loss'] == pytest.approx(-math.log(0.6 * 0.6 * 0.4) / 3)
    assert found['cls/accuracy_mean'] == pytest.approx((2 / 3 + 0.5) / 2)
    # (3 * 2 + 2 * 1) / (3 * 3 + 2 * 2): missing labels do not count.
    assert found['cls/composite'] == pytest.approx(8 / 13)
    assert found['cls/num_patients'] == 2
    assert not any('_no' in name for name in found)
    rows = metric.tables['cases']
    assert len(rows) == 6
    assert rows[0]['sequences'] == 1
    assert rows[5]['truth'] is None
    assert metric.summary['targets']['mvi']['n_missing'] == 1


def test_a_case_that_the_sampler_repeats_counts_once():
    _, found = evaluate([*CASES, CASES[0], CASES[1]], size=3)
    assert found == evaluate()[1]
    with pytest.raises(ValueError, match='expected 4'):
        evaluate(size=4)
    other = ('a', 'q', *CASES[0][2:])
    with pytest.raises(ValueError, match='two different cases'):
        evaluate([*CASES, other])


def test_calibration_of_other_cases_is_used():
    calibration = {'mvi': {'temperature': 2.0, 'thresholds': [None, 0.35]}}
    _, found = evaluate(calibration=calibration)
    # Scaled by 2 the odds 1/4 and 3/7 become 1/2 and 0.655: 0.333 and 0.396.
    assert found['cls/mvi_sensitivity_youden_yes'] == 1
    assert found['cls/mvi_specificity_youden_yes'] == 1
    assert found['cls/mvi_log_loss_raw'] == evaluate()[1]['cls/mvi_log_loss']
    assert found['cls/mvi_log_loss'] != found['cls/mvi_log_loss_raw']


def test_early_epochs_are_held_back():
    hub = MessageHub.get_instance('test_classification_metric')
    hub.update_info('epoch', 60)
    _, found = evaluate(warmup_epochs=120)
    hub.pop_info('epoch')
    assert found['cls/composite'] == pytest.approx(0.95 * 8 / 13)


def test_intervals_and_targets_without_labels():
    metric, _ = evaluate(num_resamples=50)
    entry = metric.summary['targets']['type']['scores']['accuracy']
    assert entry['low'] <= entry['value'] <= entry['high']
    nobody = [(n, p, {'type': -1}, a, b) for n, p, _, a, b in CASES]
    _, found = evaluate(nobody)
    assert math.isnan(found['cls/composite'])
    assert math.isnan(found['cls/accuracy_mean'])


def test_a_target_without_names_is_refused():
    metric = METRICS.build({'type': 'mmmed.ClassificationMetric'})
    metric.dataset_meta = {'targets': {'type': ['a', 'b', 'c']}}
    metric.process({}, [make_sample(CASES[0])])
    with pytest.raises(ValueError, match="predicts 'mvi'"):
        metric.evaluate(1)
