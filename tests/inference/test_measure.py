"""Volumes and components by hand."""

import numpy as np
import pytest

from mmmed.inference.measure import measure_labels


@pytest.mark.parametrize('tilt_deg', [0.0, 30.0])
def test_boxes_of_known_size(make_volume, tilt_deg) -> None:
    mask = np.zeros((6, 10, 12), np.uint8)
    mask[0:2, 0:2, 0:3] = 1  # 12 voxels at the border
    mask[2, 2, 3] = 1  # touches the box with a corner: the same component
    mask[5, 9, 11] = 1  # alone
    mask[4, 4:8, 5] = 3
    facts = measure_labels(
        make_volume(mask, 'PSR', tilt_deg), ('background', 'a', 'b', 'c')
    )
    voxel_ml = 3.0 * 0.75 * 1.25 / 1000
    rows = facts['classes']
    assert [rows[n]['voxels'] for n in 'abc'] == [14, 0, 4]
    assert [rows[n]['components'] for n in 'abc'] == [2, 0, 1]
    assert [rows[n]['label'] for n in 'abc'] == [1, 2, 3]
    assert rows['a']['volume_ml'] == pytest.approx(14 * voxel_ml, abs=1e-6)
    assert facts['lesion_count'] == 3
    assert facts['connectivity'] == 26


def test_an_empty_mask_has_zeros(make_volume) -> None:
    facts = measure_labels(make_volume(np.zeros((2, 3, 4), np.uint8)), ('no', 'yes'))
    assert facts['lesion_count'] == 0
    assert facts['classes']['yes'] == {
        'label': 1,
        'voxels': 0,
        'volume_ml': 0.0,
        'components': 0,
    }
