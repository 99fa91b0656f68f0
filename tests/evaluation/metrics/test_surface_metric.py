"""Surface metrics of test loops against numbers worked out by hand."""

import json
import math

import numpy as np
import pytest
import torch

from mmmed.registry import METRICS

META = {'classes': ('background', 'lesion')}
DIAGONAL = math.hypot(6 * 2.0, 8 * 0.5)


def build_metric(**options: object) -> object:
    options = {'type': 'mmmed.SurfaceMetric', 'num_resamples': 200} | options
    metric = METRICS.build(options)
    metric.dataset_meta = META
    return metric


def make_pixel(*place: int, shape: tuple = (6, 8)) -> np.ndarray:
    mask = np.zeros(shape, np.int64)
    if place:
        mask[place] = 1
    return mask


def make_sample(case_id: str, pred: np.ndarray, target: np.ndarray, spacing) -> dict:
    return {
        'case_id': case_id,
        'patient_id': case_id.split('_')[0],
        'slice_index': 0,
        'spacing': spacing,
        'pred_sem_seg': {'data': torch.as_tensor(pred)},
        'gt_sem_seg': {'data': torch.as_tensor(target)},
    }


# One pixel, found two pixels (1 mm) to the side: of its four corners two are 0.5 mm
# and two 1 mm from the nearest of the other pixel.
SAMPLES = [
    make_sample('a_1', make_pixel(2, 5)[None], make_pixel(2, 3)[None], (2.0, 0.5)),
    make_sample('a_2', make_pixel()[None], make_pixel()[None], (2.0, 0.5)),
    make_sample('b_1', make_pixel(), make_pixel(1, 1), (2.0, 0.5)),
    make_sample('c_1', make_pixel(1, 1), make_pixel(), (2.0, 0.5)),
]


def evaluate(samples: list, **options: object) -> tuple:
    metric = build_metric(**options)
    metric.process(None, samples)
    return metric.evaluate(len(samples)), metric


@pytest.mark.parametrize(
    ('tolerance_mm', 'expected'), [(0.4, 0.0), (0.5, 0.5), (0.9, 0.5), (1.0, 1.0)]
)
def test_surface_dice_jumps_at_the_distances(tolerance_mm, expected) -> None:
    metrics, _ = evaluate(SAMPLES[:1], tolerance_mm=tolerance_mm)
    assert metrics['surface/surface_dice_image_lesion'] == expected


def test_means_by_hand() -> None:
    metrics, metric = evaluate(SAMPLES, tolerance_mm=0.5)
    assert metrics['surface/surface_dice_image_lesion'] == pytest.approx(0.5 / 3)
    assert metrics['surface/surface_dice_positive_image_lesion'] == 0.25
    for name, found in (
        ('hausdorff_mm', 1.0),
        ('hausdorff95_mm', 1.0),
        ('average_surface_distance_mm', 0.75),
    ):
        mean = (found + 2 * DIAGONAL) / 3
        assert metrics[f'surface/{name}_image_lesion'] == pytest.approx(mean, rel=1e-12)
        mean = (found + DIAGONAL) / 2
        key = f'surface/{name}_positive_image_lesion'
        assert metrics[key] == pytest.approx(mean, rel=1e-12)
    assert metrics['surface/both_empty_image_lesion'] == 1
    entry = metric.summary['structures']['lesion']['scores']['image']['surface_dice']
    assert (entry['n'], entry['n_undefined'], entry['n_patients']) == (3, 1, 3)


@pytest.mark.parametrize('with_channel', [False, True])
@pytest.mark.parametrize('depth', [1, 5])
def test_volumes(with_channel, depth) -> None:
    """Two voxels of 1 x 2 mm, two apart along y: 1 mm and 2 mm, by halves."""
    shape = (depth, 6, 4)
    pred, target = (make_pixel(0, y, 1, shape=shape) for y in (1, 3))
    if with_channel:
        pred, target = pred[None], target[None]
    metrics, metric = evaluate([make_sample('a_1', pred, target, (3.0, 1.0, 2.0))])
    assert metrics['surface/hausdorff_mm_image_lesion'] == 2.0
    assert metrics['surface/average_surface_distance_mm_image_lesion'] == 1.5
    assert metric.tables['cases'][0]['voxel_volume_mm3'] == 6.0


def test_distance_follows_the_axis() -> None:
    shape = (5, 6, 4)
    pred, target = (make_pixel(z, 2, 1, shape=shape) for z in (1, 3))
    metrics, _ = evaluate([make_sample('a_1', pred, target, (3.0, 1.0, 2.0))])
    assert metrics['surface/hausdorff_mm_image_lesion'] == 6.0
    assert metrics['surface/average_surface_distance_mm_image_lesion'] == 4.5


def test_missing_spacing_names_case_and_remedy() -> None:
    with pytest.raises(ValueError, match=r"case 'a_1': .* no spacing.*default_spacing"):
        evaluate([SAMPLES[0] | {'spacing': None}])


def test_default_spacing_is_for_data_without_one() -> None:
    sample = SAMPLES[0] | {'spacing': None}
    metrics, metric = evaluate([sample], default_spacing=(1, 1))
    assert metrics['surface/hausdorff_mm_image_lesion'] == 2.0
    assert metric.summary['default_spacing'] == [1.0, 1.0]
    metrics, _ = evaluate(SAMPLES[:1], default_spacing=(1, 1))
    assert metrics['surface/hausdorff_mm_image_lesion'] == 1.0


def test_spacing_of_another_dimension_names_the_case() -> None:
    with pytest.raises(ValueError, match="case 'b_1'"):
        evaluate([SAMPLES[2] | {'spacing': (1.0, 1.0, 1.0)}])


def test_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match='tolerance_mm'):
        build_metric(tolerance_mm=-1)


def test_empty_policy_of_the_config_is_used() -> None:
    policy = {'both_empty': 1.0, 'pred_empty': 0.5}
    metrics, _ = evaluate(SAMPLES, tolerance_mm=0.5, empty_policy=policy)
    assert metrics['surface/surface_dice_image_lesion'] == 0.5
    distances = (1 + 0 + DIAGONAL / 2 + DIAGONAL) / 4
    key = 'surface/hausdorff_mm_image_lesion'
    assert metrics[key] == pytest.approx(distances, rel=1e-12)


def test_ignored_pixels_hold_nothing() -> None:
    target = make_pixel(2, 3)
    target[2, 5] = 255
    both = make_pixel(2, 3) | make_pixel(2, 5)
    metrics, _ = evaluate([make_sample('a_1', both, target, (2.0, 0.5))])
    assert metrics['surface/hausdorff_mm_image_lesion'] == 0


def test_every_structure_is_measured_on_its_own() -> None:
    metric = build_metric()
    metric.dataset_meta = {'classes': ('background', 'one', 'the other')}
    target = make_pixel(2, 3) + 2 * make_pixel(4, 4)
    pred = make_pixel(2, 3) + 2 * make_pixel(4, 6)
    metric.process(None, [make_sample('a_1', pred, target, (2.0, 0.5))])
    metrics = metric.evaluate(1)
    assert metrics['surface/hausdorff_mm_image_one'] == 0
    assert metrics['surface/hausdorff_mm_image_the_other'] == 1
    assert [row['label'] for row in metric.tables['cases']] == ['one', 'the other']


def test_table_and_summary_are_plain() -> None:
    _, metric = evaluate(SAMPLES, tolerance_mm=0.5)
    assert metric.tables['cases'][0] == {
        'case_id': 'a_1',
        'patient_id': 'a',
        'slice_index': 0,
        'pixel_area_mm2': 1.0,
        'label': 'lesion',
        'outcome': 'disjoint',
        'target_pixels': 1,
        'pred_pixels': 1,
        'tp': 0,
        'fp': 1,
        'fn': 1,
        'tn': 46,
        'surface_dice': 0.5,
        'hausdorff_mm': 1.0,
        'hausdorff95_mm': 1.0,
        'average_surface_distance_mm': 0.75,
    }
    assert metric.tables['cases'][1]['hausdorff_mm'] is None
    summary = json.loads(json.dumps(metric.summary, allow_nan=False))
    assert summary['tolerance_mm'] == 0.5
    outcomes = summary['structures']['lesion']['outcomes']['image']
    assert outcomes == {
        'hit': 0, 'disjoint': 1, 'missed': 1, 'false_alarm': 1, 'both_empty': 1,
    }  # fmt: skip
