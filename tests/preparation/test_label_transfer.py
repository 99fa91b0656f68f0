import numpy as np
import pytest

from mmmed.preparation.label_transfer import compact_values, transfer_labels


def test_numbers_become_classes_and_other_structures_background():
    labels = np.array([[[0, 1, 6], [11, 6, 2]]], np.int16)
    result = transfer_labels(labels, {6: 1}, ignored=frozenset((1, 2, 11)))
    assert result.dtype == np.uint8
    assert result.tolist() == [[[0, 0, 1], [0, 1, 0]]]


def test_two_numbers_may_be_one_class_and_a_cyst_is_organ():
    labels = np.array([[[0, 1, 2, 3]]], np.uint8)
    assert transfer_labels(labels, {1: 1, 2: 2, 3: 1}).tolist() == [[[0, 1, 2, 1]]]


@pytest.mark.parametrize('dtype', ['uint8', 'int32', 'float32', 'float64', 'int64'])
def test_any_type_of_whole_numbers_will_do(dtype):
    labels = np.array([[[0, 2]]], dtype)
    assert transfer_labels(labels, {2: 1}).tolist() == [[[0, 1]]]


@pytest.mark.parametrize(
    ('labels', 'reason'),
    [
        ([0, 0.5, 1], r'no integers: 1 voxels, first 0\.5'),
        ([0, 1, 7, 7], r'not known: 7 \(2 voxels\); expected \[0, 1\]'),
        ([-1, 0, 1], r'not known: -1 \(1 voxels\)'),
        ([0, 1, 1e12], 'labels up to 1e'),
        (np.array([0, 1 << 40]), 'not known: 1099511627776'),
    ],
)
def test_unknown_numbers_are_refused(labels, reason):
    with pytest.raises(ValueError, match=reason):
        transfer_labels(np.asarray(labels)[None, None], {1: 1})


@pytest.mark.parametrize(
    ('values', 'dtype'),
    [
        (np.array([0, 255]), 'uint8'),
        (np.array([-1024, 3071], np.float64), 'int16'),
        (np.array([0, 65535], np.int32), 'uint16'),
        (np.array([-1, 65535], np.int32), 'float32'),
        (np.array([0, 0.5], np.float64), 'float32'),
        (np.array([True, False]), 'uint8'),
    ],
)
def test_the_smallest_type_that_keeps_the_values(values, dtype):
    result = compact_values(values)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, values)


def test_interpolated_ct_numbers_are_rounded():
    result = compact_values(np.float32([-999.6, 40.4]), is_rounded=True)
    assert result.dtype == np.int16
    assert result.tolist() == [-1000, 40]


@pytest.mark.parametrize('values', [np.array([0, 1 << 30]), np.array([0, 1e300])])
def test_what_no_type_keeps_is_refused(values):
    with pytest.raises(ValueError, match='too large'):
        compact_values(values)
