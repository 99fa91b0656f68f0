"""Counts of slices and volumes, by hand and turned."""

import numpy as np
import pytest

from mmmed.inference.fusion_scores import count_slices, count_volumes

SHAPE = (3, 4, 5)


@pytest.fixture
def masks(make_volume):
    """Reference of 2 x 2 x 2 voxels; axial misses half, the fusion adds a voxel."""
    target = np.zeros(SHAPE, np.uint8)
    target[0:2, 1:3, 2:4] = 1
    axial = target.copy()
    axial[1] = 0
    fused = target.copy()
    fused[2, 3, 4] = 1
    volumes = [make_volume(array) for array in (target, axial, fused)]
    return volumes[0], {'axial': volumes[1], 'fused': volumes[2]}


def test_slices_are_counted(masks):
    target, predictions = masks
    rows = count_slices(predictions, target)
    assert [tuple(row.values()) for row in rows] == [
        ('axial', 0, 4, 4, 4, 4, 4),
        ('axial', 1, 4, 0, 0, 4, 4),
        ('axial', 2, 0, 0, 0, 1, 0),
    ]


@pytest.mark.parametrize('plane', ['coronal', 'sagittal'])
def test_sums_over_slices_are_the_volume(masks, plane):
    target, predictions = masks
    rows = count_slices({plane: predictions['axial'], 'fused': target}, target)
    assert len(rows) == {'coronal': 4, 'sagittal': 5}[plane]
    assert sum(row['before_common_pixels'] for row in rows) == 4
    assert sum(row['target_pixels'] for row in rows) == 8


def test_slices_are_counted_in_canonical_order(masks):
    target, predictions = masks
    turned = {name: mask.reorient('PIL') for name, mask in predictions.items()}
    assert count_slices(turned, target.reorient('PIL')) == count_slices(
        predictions, target
    )


def test_volumes_are_counted(masks):
    target, predictions = masks
    assert count_volumes(predictions, target) == {
        'axial': {'tp': 4, 'fp': 0, 'fn': 4, 'tn': 52},
        'fused': {'tp': 8, 'fp': 1, 'fn': 0, 'tn': 51},
    }
