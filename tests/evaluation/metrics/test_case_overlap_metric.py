"""The metric against hand-made cases, the host's metric, and two processes."""

import csv
import io
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from mmmed.evaluation.metrics import case_metric
from mmmed.registry import METRICS

META = {'classes': ('background', 'hemorrhage')}


def build_metric(**options: object) -> object:
    options = {'type': 'mmmed.CaseOverlapMetric', 'num_resamples': 200} | options
    metric = METRICS.build(options)
    metric.dataset_meta = META
    return metric


def make_sample(
    case_id: str, pred: np.ndarray, target: np.ndarray, **meta: object
) -> dict:
    return {
        'case_id': case_id,
        'patient_id': case_id.split('_')[0],
        'slice_index': int(case_id.split('_')[1]),
        'spacing': None,
        'pred_sem_seg': {'data': torch.as_tensor(pred)[None]},
        'gt_sem_seg': {'data': torch.as_tensor(target)[None]},
    } | meta


def make_rows(length: int, pred: slice, target: slice) -> tuple:
    masks = np.zeros((2, 2, length), np.int64)
    masks[0, 0, pred] = 1
    masks[1, 0, target] = 1
    return tuple(masks)


NOTHING = slice(0, 0)
SAMPLES = [
    make_sample('a_1', *make_rows(10, slice(0, 8), slice(2, 10))),  # Dice 12 / 16
    make_sample('a_2', *make_rows(10, NOTHING, NOTHING)),
    make_sample('b_1', *make_rows(10, NOTHING, slice(0, 4))),
    make_sample('c_1', *make_rows(10, slice(0, 2), NOTHING)),
]


def evaluate(samples: list, size: int | None = None, **options: object) -> tuple:
    metric = build_metric(**options)
    for sample in samples:
        metric.process(None, [sample])
    return metric.evaluate(len(samples) if size is None else size), metric


def test_scores_by_hand() -> None:
    metrics, _ = evaluate(SAMPLES)
    assert metrics['overlap/dice_image_hemorrhage'] == pytest.approx(0.25)
    assert metrics['overlap/dice_positive_image_hemorrhage'] == pytest.approx(0.375)
    assert metrics['overlap/dice_patient_hemorrhage'] == pytest.approx(0.25)
    assert metrics['overlap/dice_pooled_hemorrhage'] == pytest.approx(12 / 22)
    assert metrics['overlap/iou_pooled_hemorrhage'] == pytest.approx(6 / 16)
    assert metrics['overlap/precision_pooled_hemorrhage'] == pytest.approx(6 / 10)
    assert metrics['overlap/recall_pooled_hemorrhage'] == pytest.approx(6 / 12)
    assert metrics['overlap/missed_image_hemorrhage'] == 1
    assert metrics['overlap/false_alarm_image_hemorrhage'] == 1
    assert metrics['overlap/both_empty_image_hemorrhage'] == 1
    assert metrics['overlap/both_empty_patient_hemorrhage'] == 0
    assert metrics['overlap/detection_sensitivity_image'] == 0.5
    assert metrics['overlap/detection_specificity_image'] == 0.5
    assert metrics['overlap/num_patients'] == 3


def test_slices_of_a_patient_are_summed_before_dice() -> None:
    samples = [
        make_sample('a_1', *make_rows(10, slice(0, 10), slice(0, 10))),
        make_sample('a_2', *make_rows(10, slice(0, 1), slice(1, 2))),
    ]
    metrics, _ = evaluate(samples)
    assert metrics['overlap/dice_patient_hemorrhage'] == pytest.approx(20 / 22)
    assert metrics['overlap/dice_image_hemorrhage'] == pytest.approx(0.5)
    assert metrics['overlap/disjoint_image_hemorrhage'] == 1


def test_pooled_means_equal_the_host(rng: np.random.Generator) -> None:
    meta = {'classes': ('background', 'a', 'b', 'c')}
    ours = build_metric()
    host = IoUMetric(iou_metrics=['mIoU', 'mDice'])
    ours.dataset_meta = host.dataset_meta = meta
    for index in range(7):
        target = rng.choice(5, (13, 17), p=[0.6, 0.2, 0.1, 0.05, 0.05])
        target[target == 4] = 255
        noise = rng.integers(0, 4, (13, 17))
        pred = np.where((rng.random((13, 17)) < 0.3) | (target == 255), noise, target)
        sample = make_sample(f'p_{index}', pred, target)
        ours.process(None, [sample])
        host.process(None, [sample])
    expected, metrics = host.evaluate(7), ours.evaluate(7)
    for name in ('mIoU', 'mDice'):
        # The host rounds to two decimals, in float32.
        assert round(metrics[f'overlap/{name}'], 2) == round(float(expected[name]), 2)


def test_pooled_means_equal_the_host_when_a_class_is_absent() -> None:
    empty = make_rows(10, NOTHING, NOTHING)
    metrics, metric = evaluate([make_sample('a_1', *empty)])
    assert metrics['overlap/mDice'] == 100
    assert metric.summary['host']['mDice_num_classes'] == 1
    assert math.isnan(metrics['overlap/dice_image_hemorrhage'])
    assert metrics['overlap/both_empty_image_hemorrhage'] == 1


def test_ignored_pixels_do_not_count() -> None:
    pred, target = make_rows(10, slice(0, 10), slice(0, 5))
    target[0, 5:] = 255
    metrics, _ = evaluate([make_sample('a_1', pred, target)])
    assert metrics['overlap/dice_pooled_hemorrhage'] == 1


def test_empty_policy_of_the_config_is_used() -> None:
    metrics, metric = evaluate(SAMPLES, empty_policy={'both_empty': 1.0})
    assert metrics['overlap/dice_image_hemorrhage'] == pytest.approx(1.75 / 4)
    assert metric.summary['empty_policy']['both_empty'] == 1.0


def test_two_processes_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 0 and rank 1 take turns; the sampler pads with the first case."""
    alone, metric_alone = evaluate(SAMPLES)
    ranks = [build_metric(), build_metric()]
    padded = [*SAMPLES[:3], SAMPLES[3], SAMPLES[0], SAMPLES[1]]
    for index, sample in enumerate(padded):
        ranks[index % 2].process(None, [sample])
    gathered = [list(rank.results) for rank in ranks]
    monkeypatch.setattr(case_metric, 'all_gather_object', lambda results: gathered)
    for rank in ranks:
        assert rank.evaluate(4) == alone
        assert rank.tables == metric_alone.tables
        assert rank.summary == metric_alone.summary


def test_ranks_of_unequal_length_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, _ = evaluate(SAMPLES)
    metric = build_metric()
    for sample in SAMPLES:
        metric.process(None, [sample])
    gathered = [metric.results[:3], metric.results[3:]]
    monkeypatch.setattr(case_metric, 'all_gather_object', lambda results: gathered)
    assert metric.evaluate(4) == alone


@pytest.mark.slow
def test_two_real_processes(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path)]
    ranks = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    alone, metric = evaluate(SAMPLES)
    for rank in range(2):
        found = json.loads((tmp_path / f'{rank}.json').read_text())
        assert found == json.loads(json.dumps([alone, metric.tables]))


def evaluate_rank(folder: str, rank: int) -> None:
    """Body of one process of the test above."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    metric = build_metric()
    for sample in SAMPLES[rank::2]:
        metric.process(None, [sample])
    found = [metric.evaluate(4), metric.tables]
    Path(folder, f'{rank}.json').write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def test_lost_case_is_an_error() -> None:
    with pytest.raises(ValueError, match='expected 5'):
        evaluate(SAMPLES, size=5)


def test_two_images_of_one_name_are_an_error() -> None:
    other = make_sample('a_1', *make_rows(10, NOTHING, slice(0, 3)))
    with pytest.raises(ValueError, match="'a_1' names two"):
        evaluate([*SAMPLES, other])


@pytest.mark.parametrize('key', ['case_id', 'patient_id'])
def test_sample_without_identity_is_an_error(key: str) -> None:
    with pytest.raises(ValueError, match='PackMedInputs'):
        evaluate([SAMPLES[0] | {key: None}])


def test_wrong_size_names_the_case() -> None:
    sample = make_sample('a_1', np.zeros((3, 4), int), np.zeros((4, 3), int))
    with pytest.raises(ValueError, match="case 'a_1': pred has shape"):
        evaluate([sample])


def test_classes_are_needed() -> None:
    metric = build_metric()
    metric.dataset_meta = {'classes': ['lesion']}
    with pytest.raises(ValueError, match='background'):
        metric.process(None, [SAMPLES[0]])


def test_results_are_plain_and_small() -> None:
    metric = build_metric()
    metric.process(None, SAMPLES)
    (first, *_) = metric.results
    assert pickle.loads(pickle.dumps(first)) == json.loads(json.dumps(first))
    assert type(first['counts'][0][0]) is int


def test_tables_are_tidy() -> None:
    _, metric = evaluate([SAMPLES[3] | {'spacing': (0.5, 0.4)}, *SAMPLES[:3]])
    cases = metric.tables['cases']
    assert [row['case_id'] for row in cases] == ['a_1', 'a_2', 'b_1', 'c_1']
    assert {
        'patient_id': 'a',
        'slice_index': 1,
        'label': 'hemorrhage',
        'outcome': 'hit',
        'target_pixels': 8,
        'pred_pixels': 8,
        'tp': 6,
        'fp': 2,
        'fn': 2,
        'tn': 10,
        'dice': 0.75,
    }.items() <= cases[0].items()
    assert cases[1]['dice'] is None
    assert cases[2]['dice'] == 0
    assert cases[3]['pixel_area_mm2'] == pytest.approx(0.2)
    patients = metric.tables['patients']
    assert [row['patient_id'] for row in patients] == ['a', 'b', 'c']
    assert [row['num_images'] for row in patients] == [2, 1, 1]
    assert patients[0]['dice'] == 0.75
    assert patients[0]['tn'] == 30
    stream = io.StringIO()
    writer = csv.DictWriter(stream, cases[0].keys())
    writer.writerows(cases)


def test_summary_is_json() -> None:
    _, metric = evaluate(SAMPLES[:2])
    summary = json.loads(json.dumps(metric.summary, allow_nan=False))
    assert summary['bootstrap']['unit'] == 'patient'
    pooled = summary['pooled_counts']['hemorrhage']
    assert pooled == {'tp': 6, 'fp': 2, 'fn': 2, 'tn': 30}
    scores = summary['structures']['hemorrhage']['scores']
    assert scores['patient']['dice']['low'] is None  # one patient


def test_any_foreground_ignores_which_structure() -> None:
    pred, target = make_rows(10, slice(0, 4), slice(0, 4))
    metric = build_metric()
    metric.dataset_meta = {'classes': ('background', 'one', 'other side')}
    metric.process(None, [make_sample('a_1', pred * 2, target)])
    metrics = metric.evaluate(1)
    assert metrics['overlap/detection_sensitivity_image'] == 1
    assert metrics['overlap/missed_image_one'] == 1
    assert metrics['overlap/false_alarm_image_other_side'] == 1


def test_runs_in_the_evaluator_of_the_host() -> None:
    """Data samples as the loop gives them, and the key that save_best watches."""
    pred, target = make_rows(10, slice(0, 8), slice(2, 10))
    sample = SegDataSample(
        metainfo={'case_id': 'a_1', 'patient_id': 'a', 'slice_index': 1},
        pred_sem_seg=PixelData(data=torch.as_tensor(pred)[None]),
        gt_sem_seg=PixelData(data=torch.as_tensor(target.astype(np.uint8))[None]),
    )
    evaluator = Evaluator([build_metric()])
    evaluator.dataset_meta = META
    evaluator.process(data_samples=[sample])
    metrics = evaluator.evaluate(1)
    assert metrics['overlap/dice_patient_hemorrhage'] == 0.75


if __name__ == '__main__':
    evaluate_rank(sys.argv[1], int(sys.argv[2]))
