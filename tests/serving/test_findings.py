"""Measures of masks whose lesions are known."""

import numpy as np
import pytest

from mmmed.serving import findings
from mmmed.serving.findings import describe_mask
from mmmed.structures import Volume

SPACING = (3.0, 0.75, 1.25)
VOXEL_ML = 3.0 * 0.75 * 1.25 / 1000


def make_mask() -> Volume:
    """A C-shaped lesion of class 1, two single voxels of class 2."""
    array = np.zeros((5, 9, 7), dtype=np.uint8)
    array[2, 1:8, 1] = 1
    array[2, 1, 1:6] = 1
    array[2, 7, 1:6] = 1
    array[0, 0, 0] = array[4, 8, 6] = 2
    return Volume(array, SPACING)


def test_lesions_come_largest_first() -> None:
    facts = describe_mask(make_mask(), ('background', 'core', 'rim'))
    assert [row['voxels'] for row in facts['lesions']] == [15, 1, 1]
    assert [row['class'] for row in facts['lesions']] == ['core', 'rim', 'rim']
    assert facts['lesion_count'] == 3
    assert facts['volume_ml'] == pytest.approx(17 * VOXEL_ML, abs=1e-6)
    assert facts['lesions'][0]['volume_ml'] == pytest.approx(15 * VOXEL_ML, abs=1e-6)
    assert facts['classes']['rim']['voxels'] == 2
    assert facts['lesions_left_out'] == 0


def test_the_center_lies_inside_even_of_a_hollow_lesion() -> None:
    mask = make_mask()
    center = describe_mask(mask, ('background', 'core', 'rim'))['lesions'][0]
    z, y, x = (np.linalg.inv(mask.grid) @ [*center['center_ras_mm'], 1.0])[:3]
    index = tuple(round(v) for v in (z, y, x))
    assert mask.array[index] == 1
    # the centroid is (2, 4, 2.33), in the hollow; the next voxel is at x = 1
    assert index == (2, 4, 1)


def test_an_empty_mask_has_zeros() -> None:
    mask = Volume(np.zeros((2, 3, 4), dtype=np.uint8), SPACING)
    facts = describe_mask(mask, ('background', 'lesion'))
    assert (facts['lesions'], facts['lesion_count'], facts['volume_ml']) == ([], 0, 0)


def test_long_tables_are_cut_and_say_so(monkeypatch) -> None:
    monkeypatch.setattr(findings, 'SHOWN_LESIONS', 2)
    facts = describe_mask(make_mask(), ('background', 'core', 'rim'))
    assert [row['voxels'] for row in facts['lesions']] == [15, 1]
    assert facts['lesions_left_out'] == 1
