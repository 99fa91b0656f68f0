import numpy as np
import pytest
from scipy import ndimage

from mmmed.functional.planes import PLANES
from mmmed.preparation.lesion_rows import list_columns, measure_slices, measure_volume


def make_mask() -> np.ndarray:
    """Three lesions (Z, Y, X) = (4, 5, 6), counted by hand below."""
    mask = np.zeros((4, 5, 6), bool)
    mask[0, 0, 4:6] = True  # two voxels at the right
    mask[1:4, 3, 1] = True  # a column of three
    mask[3, 4, 2] = True  # touches the column by an edge
    mask[2, 0, 0] = True  # one voxel at the left
    return mask


def get_sizes(row) -> list[int]:
    sizes = [row[f'lesion_size_{k}'] for k in range(1, 11)]
    return [size for size in sizes if size is not None]


def test_volume_by_hand():
    row = measure_volume(make_mask(), 'sub')
    assert list(row) == list_columns(per_slice=False)
    assert (row['subject_name'], row['number_of_lesion']) == ('sub', 3)
    assert (row['sum_voxel'], row['max_size']) == (7, 4)
    # From left to right: x = 0, then x = 1 (with its neighbour), then x = 4.
    assert get_sizes(row) == [1, 4, 2]
    assert row['lesion_size_4'] is None


@pytest.mark.parametrize(
    ('plane', 'expected'),
    [
        # Slice, sizes in order of x, then y (axial): z = 3 joins by the corner.
        ('axial', [(0, [2]), (1, [1]), (2, [1, 1]), (3, [2])]),
        # y = 0 has x = 0 before x = 4, 5; y = 3 the column, y = 4 one voxel.
        ('coronal', [(0, [1, 2]), (3, [3]), (4, [1])]),
        ('sagittal', [(0, [1]), (1, [3]), (2, [1]), (4, [1]), (5, [1])]),
    ],
)
def test_slices_by_hand(plane, expected):
    rows = measure_slices(make_mask(), 'sub', plane)
    assert [(row['slice'], get_sizes(row)) for row in rows] == expected
    assert list(rows[0]) == list_columns(per_slice=True)
    assert [row['sum_voxel'] for row in rows] == [sum(sizes) for _, sizes in expected]
    assert [row['max_size'] for row in rows] == [max(sizes) for _, sizes in expected]


@pytest.mark.parametrize('density', [0.02, 0.1, 0.4])
def test_slices_equal_those_of_scipy_in_the_order_of_the_file(rng, density):
    mask = rng.random((9, 14, 11)) < density
    mask[:, :2] = mask[4] = mask[..., -1] = False
    for plane, axis in zip(PLANES, (0, 1, 2), strict=True):
        expected = []
        for number, image in enumerate(np.moveaxis(mask, axis, 0)):
            # The file counts (x, y), (x, z) and (y, z).
            labels, count = ndimage.label(image.T, np.ones((3, 3)))
            if count:
                expected.append((number, np.bincount(labels.ravel())[1:].tolist()))
        rows = measure_slices(mask, 'sub', plane)
        assert [row['slice'] for row in rows] == [number for number, _ in expected]
        for row, (_, sizes) in zip(rows, expected, strict=True):
            assert row['number_of_lesion'] == len(sizes)
            assert get_sizes(row) == sizes[:10]
    labels, count = ndimage.label(mask.transpose(2, 1, 0), np.ones((3, 3, 3)))
    row = measure_volume(mask, 'sub')
    assert row['number_of_lesion'] == count
    assert get_sizes(row) == np.bincount(labels.ravel())[1:11].tolist()


def test_more_than_ten_are_counted_but_not_listed():
    mask = np.zeros((1, 1, 30), bool)
    mask[..., ::2] = True
    row = measure_slices(mask, 'sub', 'axial')[0]
    assert (row['number_of_lesion'], row['sum_voxel']) == (15, 15)
    assert get_sizes(row) == [1] * 10


def test_no_lesion_gives_a_row_of_zeros_in_3d_only():
    mask = np.zeros((3, 4, 5), bool)
    row = measure_volume(mask, 'sub')
    assert (row['number_of_lesion'], row['sum_voxel'], row['max_size']) == (0, 0, 0)
    assert get_sizes(row) == []
    assert all(measure_slices(mask, 'sub', plane) == [] for plane in PLANES)
