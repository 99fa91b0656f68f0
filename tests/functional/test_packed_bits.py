import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmmed.functional.packed_bits import (
    extract_packed_slice,
    get_packed_shape,
    pack_mask,
    unpack_mask,
)
from mmmed.functional.planes import PLANES, count_slices, extract_slice


def test_the_first_voxel_is_the_highest_bit():
    mask = np.zeros((1, 1, 10), np.uint8)
    mask[0, 0, [0, 9]] = (7, 1)
    np.testing.assert_array_equal(pack_mask(mask), [[[0b10000000, 0b01000000]]])


@given(mask=st.tuples(*[st.integers(1, 18)] * 3).flatmap(lambda s: arrays(np.bool_, s)))
def test_every_slice_is_that_of_the_whole_mask(mask):
    packed = pack_mask(mask)
    assert packed.shape == get_packed_shape(mask.shape)
    np.testing.assert_array_equal(unpack_mask(packed, mask.shape), mask)
    for plane in PLANES:
        for index in range(count_slices(mask.shape, plane)):
            part = extract_packed_slice(packed, mask.shape, plane, index)
            assert part.dtype == bool
            np.testing.assert_array_equal(part, extract_slice(mask, plane, index))


def test_a_memory_map_is_enough(tmp_path, rng):
    mask = rng.random((4, 3, 13)) > 0.5
    np.save(tmp_path / 'seg.npy', pack_mask(mask))
    packed = np.load(tmp_path / 'seg.npy', mmap_mode='r', allow_pickle=False)
    part = extract_packed_slice(packed, mask.shape, 'sagittal', 12)
    np.testing.assert_array_equal(part, mask[:, :, 12])


def test_a_wrong_shape_is_refused(rng):
    packed = pack_mask(rng.random((4, 3, 13)) > 0.5)
    with pytest.raises(ValueError, match='expected uint8 of'):
        unpack_mask(packed, (4, 3, 17))
    with pytest.raises(ValueError, match='expected uint8 of'):
        extract_packed_slice(packed.astype(np.int16), (4, 3, 13), 'axial', 0)
    with pytest.raises(IndexError, match='sagittal slice 13'):
        extract_packed_slice(packed, (4, 3, 13), 'sagittal', 13)
    with pytest.raises(ValueError, match='expected'):
        pack_mask(np.zeros((3, 4)))
