"""Binary masks at the door."""

import numpy as np
import pytest
import torch
from scipy.ndimage import find_objects

from mmmed.functional.masks import (
    check_mask,
    check_mask_pair,
    check_spacing,
    find_box,
)


@pytest.mark.parametrize('dtype', ['bool', 'uint8', 'int16', 'float64'])
def test_masks_of_zeros_and_ones_become_boolean(dtype):
    mask = check_mask(np.array([[0, 1], [1, 0]], dtype), 'pred')
    assert mask.dtype == bool
    assert mask.tolist() == [[False, True], [True, False]]


def test_boolean_and_byte_masks_are_not_copied():
    for array in (np.zeros((3, 4), bool), np.zeros((3, 4), np.uint8)):
        assert np.shares_memory(check_mask(array, 'pred'), array)


def test_tensor_is_a_mask():
    assert check_mask(torch.tensor([0, 1]), 'pred').tolist() == [False, True]


@pytest.mark.parametrize(
    ('values', 'dtype'),
    [
        ([0, 2], 'uint8'),
        ([0, 255], 'uint8'),
        ([-1, 1], 'int16'),
        ([0.5, 1.0], 'float32'),
        ([np.nan, 1.0], 'float64'),
    ],
)
def test_other_values_are_refused_by_name(values, dtype):
    with pytest.raises(ValueError, match=r'target holds .*expected a binary mask'):
        check_mask_pair(np.zeros(2, bool), np.array(values, dtype))


def test_masks_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r'pred has shape \(2, 3\), target \(3, 2\)'):
        check_mask_pair(np.zeros((2, 3)), np.zeros((3, 2)))


def test_spacing_becomes_floats():
    assert check_spacing(np.array([3, 1]), 2) == (3.0, 1.0)


@pytest.mark.parametrize('spacing', [(1,), (1, -1), (1, 0), (1, np.inf), (1, np.nan)])
def test_spacing_that_does_not_fit_is_refused(spacing):
    with pytest.raises(ValueError, match='expected 2 finite lengths'):
        check_spacing(spacing, 2)


def test_box_equals_scipy(rng):
    for _ in range(100):
        shape = rng.integers(1, 9, rng.integers(1, 5))
        mask = rng.random(shape) < 0.1
        expected = find_objects(mask.astype(int))
        assert find_box(mask) == (expected[0] if expected else None)


def test_box_does_not_depend_on_memory(rng):
    mask = np.zeros((20, 30, 40), bool)
    mask[3:7, 11:12, 5:40] = True
    box = slice(3, 7), slice(11, 12), slice(5, 40)
    assert find_box(np.asfortranarray(mask)) == box
    assert find_box(mask[::-1])[0] == slice(13, 17)
    assert find_box(mask.transpose(1, 2, 0)) == (box[1], box[2], box[0])


def test_nothing_has_no_box():
    assert find_box(np.zeros((3, 4), bool)) is None
    assert find_box(np.zeros((0, 4), bool)) is None
