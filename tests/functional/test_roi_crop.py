import numpy as np
import pytest

from mmmed.functional.roi_crop import (
    crop_padded,
    make_box_mask,
    plan_roi_box,
    select_slices,
)


def measure(box):
    return tuple(end - first for first, end in box)


@pytest.mark.parametrize(
    ('size_mm', 'spacing', 'shape'),
    [
        (16.7, (2, 0.7, 0.7), (9, 72, 72)),
        (16.7, (3, 1, 1), (9, 50, 50)),
        (45.0, (2, 0.7, 0.7), (9, 128, 128)),
        (45.0, (3, 1, 1), (9, 90, 90)),
        (16.7, (3, 0.5, 1), (9, 100, 50)),
        (3.0, (5, 1, 1), (1, 50, 50)),
    ],
)
def test_golden_sizes_of_crops(size_mm, spacing, shape):
    box = plan_roi_box((30, 100, 90), size_mm, spacing)
    assert measure(box) == shape
    middle = [(first + end) // 2 for first, end in box]
    assert middle == [30, 100, 90]


def test_slices_without_a_limit_and_what_is_refused():
    assert measure(plan_roi_box((0, 0, 0), 30, (3, 1, 1), most_slices=None))[0] == 17
    with pytest.raises(ValueError, match='size_mm is 0'):
        plan_roi_box((0, 0, 0), 0, (1, 1, 1))
    with pytest.raises(ValueError, match='expected an odd number'):
        plan_roi_box((0, 0, 0), 5, (1, 1, 1), most_slices=8)


def test_a_box_at_the_border_keeps_its_size_and_its_middle():
    array = np.arange(10 * 30 * 40, dtype=np.int16).reshape(10, 30, 40)
    box = plan_roi_box((1, 5, 35), 45.0, (3, 1, 1))
    crop, inside = crop_padded(array, box, fill=-7)
    assert crop.shape == (9, 90, 90)
    assert crop[4, 45, 45] == array[1, 5, 35]
    assert inside == ((3, 9), (40, 70), (10, 50))
    assert (crop == -7).sum() == 9 * 90 * 90 - 6 * 30 * 40
    with pytest.raises(ValueError, match='outside the image'):
        crop_padded(array, ((10, 12), (0, 5), (0, 5)))


@pytest.mark.parametrize(
    ('length', 'count', 'expected'),
    [
        (9, 5, [2, 3, 4, 5, 6]),
        (8, 5, [1, 2, 3, 4, 5]),
        (3, 5, [0, 0, 1, 2, 2]),
        (2, 5, [0, 0, 0, 1, 1]),
        (4, 5, [0, 1, 2, 2, 3]),
        (1, 3, [0, 0, 0]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_golden_slices(length, count, expected):
    assert select_slices(length, count) == expected


def test_a_drawn_window_reaches_every_place(rng):
    starts = {select_slices(9, 5, rng)[0] for _ in range(200)}
    assert starts == {0, 1, 2, 3, 4}


def test_the_box_is_as_wide_as_the_lesion():
    mask = make_box_mask((9, 72, 72), 16.7, (2, 0.7, 0.7), is_flat=True)
    assert mask.sum() == 9 * 22**2
    mask = make_box_mask((9, 72, 72), 16.7, (2, 0.7, 0.7))
    assert mask.sum(axis=(1, 2)).tolist() == [22**2] * 9  # 16.7 mm are 4 + 1 + 4
    mask = make_box_mask((9, 50, 72), 16.7, (5, 1, 0.7))
    assert mask.sum(axis=(1, 2)).tolist() == [0] * 3 + [16 * 22] * 3 + [0] * 3
    # Never beyond two voxels from the border.
    assert make_box_mask((1, 20, 20), 99, (1, 1, 1)).sum() == 16**2
