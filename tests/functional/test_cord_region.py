import numpy as np
import pytest

from mmmed.functional.cord_region import (
    find_slice_box,
    grow_box,
    join_boxes,
    keep_longest,
    scale_box,
    widen_box,
)


def test_the_box_holds_the_mask_of_every_slice():
    mask = np.zeros((3, 9, 7), bool)
    assert find_slice_box(mask) is None
    mask[0, 2, 5] = mask[2, 7, 1] = True
    assert find_slice_box(mask) == (2, 8, 1, 6)
    assert find_slice_box(mask[0]) == (2, 3, 5, 6)
    assert join_boxes([(2, 3, 5, 6), (1, 2, 6, 7)]) == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ('box', 'shape', 'margin', 'divisor', 'expected'),
    [
        ((10, 20, 40, 44), (64, 64), (4, 4), 16, (0, 32, 32, 48)),
        # The last part of a slice may be shorter than a part of the grid.
        ((40, 50, 0, 10), (50, 20), (0, 0), 16, (32, 50, 0, 16)),
        ((10, 20, 5, 9), (40, 30), (3, 1), 1, (7, 23, 4, 10)),
    ],
)
def test_widened_boxes(box, shape, margin, divisor, expected):
    assert widen_box(box, shape, margin=margin, divisor=divisor) == expected


def test_boxes_of_another_grid_hold_the_same_part():
    assert scale_box((1, 2, 0, 3), (4, 4), (10, 4)) == (2, 5, 0, 3)
    assert scale_box((0, 4, 0, 4), (4, 4), (10, 3)) == (0, 10, 0, 3)


def test_a_box_grows_where_the_mask_touches_it():
    shape, box = (64, 48), (16, 32, 16, 32)
    mask = np.zeros((2, 16, 16), bool)
    mask[1, 5:9, 5:9] = True
    grow = {'margin': (4, 4), 'divisor': 8}
    assert grow_box(mask, box, shape, **grow) == box
    mask[0, 0, 5] = True
    assert grow_box(mask, box, shape, **grow) == (8, 32, 16, 32)
    mask[0, 3, 15] = True
    assert grow_box(mask, box, shape, **grow) == (8, 32, 16, 40)
    # At the ends of the slice there is nothing more to see.
    whole = np.ones((1, 64, 48), bool)
    assert grow_box(whole, (0, 64, 0, 48), shape, **grow) == (0, 64, 0, 48)


def test_the_component_along_the_body_stays():
    mask = np.zeros((3, 5, 6), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    mask[0, 3:5, 3:6] = True  # larger, in one slice
    kept = keep_longest(mask, 0)
    assert kept.sum() == 3
    assert kept[1, 1, 1]
    across = keep_longest(mask, 2)
    assert across.sum() == 6  # both three columns long: the larger one
    assert across[0, 3, 3]
    assert not keep_longest(np.zeros((2, 2, 2), bool), 1).any()
