import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmmed.functional import planes

SHAPE = (3, 5, 7)
# Value = 100 z + 10 y + x, so that every entry says where it comes from.
VOLUME = np.sum(
    np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, (100, 10, 1), strict=True)),
                indexing='ij'), axis=0
)  # fmt: skip


@pytest.mark.parametrize(
    ('plane', 'shape', 'number', 'corner'),
    [
        ('axial', (5, 7), 3, 100),
        ('coronal', (3, 7), 5, 10),
        ('sagittal', (3, 5), 7, 1),
    ],
)
def test_a_slice_keeps_the_order_of_the_other_axes(plane, shape, number, corner):
    part = planes.extract_slice(VOLUME, plane, 1)
    assert part.shape == shape == planes.drop_plane_axis(SHAPE, plane)
    assert part[0, 0] == corner
    assert part.base is not None
    assert planes.count_slices(SHAPE, plane) == number
    assert planes.split_slices(VOLUME, plane).shape == (number, *shape)
    np.testing.assert_array_equal(planes.split_slices(VOLUME, plane)[1], part)


@pytest.mark.parametrize('plane', planes.PLANES)
def test_slices_put_back_give_the_volume(plane):
    number = planes.count_slices(SHAPE, plane)
    slices = [planes.extract_slice(VOLUME, plane, i) for i in range(number)]
    whole = planes.assemble_volume(slices, plane)
    np.testing.assert_array_equal(whole, VOLUME)
    assert whole.flags.c_contiguous
    again = np.zeros_like(VOLUME)
    for index, part in enumerate(slices):
        planes.insert_slice(again, plane, index, part)
    np.testing.assert_array_equal(again, VOLUME)


@given(
    shape=st.tuples(*[st.integers(1, 21)] * 3),
    plane=st.sampled_from(planes.PLANES),
    multiple=st.sampled_from([1, 4, 16]),
)
def test_slice_pad_unpad_stack_is_the_identity(shape, plane, multiple):
    """Acceptance test 6 of the stroke specification."""
    volume = np.arange(np.prod(shape)).reshape(shape)
    rebuilt = []
    for index in range(planes.count_slices(shape, plane)):
        part = planes.extract_slice(volume, plane, index)
        extra = [-size % multiple for size in part.shape]
        padded = np.pad(part, [(n // 2, n - n // 2) for n in extra])
        assert all(size % multiple == 0 for size in padded.shape)
        rows, columns = (slice(n // 2, n // 2 + s)
                         for n, s in zip(extra, part.shape, strict=True))  # fmt: skip
        rebuilt.append(padded[rows, columns])
    np.testing.assert_array_equal(planes.assemble_volume(rebuilt, plane), volume)


@pytest.mark.parametrize('plane', planes.PLANES)
def test_tensors_and_leading_axes_work_alike(plane):
    tensor = torch.from_numpy(VOLUME)[None, None]
    slices = planes.split_slices(tensor, plane)
    np.testing.assert_array_equal(
        slices[0, 0].numpy(), planes.split_slices(VOLUME, plane)
    )
    assert torch.equal(planes.join_slices(slices, plane), tensor)
    assert torch.equal(planes.extract_slice(tensor, plane, 2), slices[:, :, 2])


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no plane 'oblique'"):
        planes.get_plane_axis('oblique')
    with pytest.raises(IndexError, match='axial slice 3, expected 0 to 2'):
        planes.extract_slice(VOLUME, 'axial', 3)
    with pytest.raises(IndexError, match='sagittal slice -1'):
        planes.extract_slice(VOLUME, 'sagittal', -1)
    with pytest.raises(ValueError, match='expected'):
        planes.extract_slice(VOLUME[0], 'axial', 0)
    with pytest.raises(ValueError, match='three in'):
        planes.drop_plane_axis((1, 2), 'axial')
