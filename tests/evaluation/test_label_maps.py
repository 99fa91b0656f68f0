import numpy as np
import pytest

from mmmed.evaluation.label_maps import LabelMap, unite_boxes
from mmmed.io.dicom_seg import Segment, SegmentationHeader
from mmmed.structures import Volume
from mmmed.structures.volume import VolumeSource


def make_volume(array, header=None):
    source = VolumeSource('file', 'nifti', array.dtype, header=header)
    return Volume(array, (1.0, 1.0, 1.0), None, source)


def test_values_boxes_and_masks():
    array = np.zeros((4, 5, 6), np.int16)
    array[1:3, 2, 3:5] = 7
    array[0, 4, 0] = 300
    labels = LabelMap(make_volume(array))
    assert labels.values == (7, 300)
    seven, other = labels.find_boxes([7, 1, 300])
    assert seven == (slice(1, 3), slice(2, 3), slice(3, 5))
    box = unite_boxes([seven, other])
    assert box == (slice(0, 3), slice(2, 5), slice(0, 5))
    assert labels.crop_mask([7], box).sum() == 4
    np.testing.assert_array_equal(labels.crop_mask([7, 300], box), (array > 0)[box])


def test_overlapping_segments_are_channels():
    array = np.zeros((2, 3, 4, 5), np.uint8)
    array[0, 0, 0, :3], array[1, 0, 0, 2:] = 1, 1
    header = SegmentationHeader((Segment(1, 'a'), Segment(4, 'b')))
    labels = LabelMap(make_volume(array, header))
    assert labels.values == (1, 4)
    box = unite_boxes(labels.find_boxes([1, 4]))
    assert labels.crop_mask([1], box).sum() == 3
    assert labels.crop_mask([4], box).sum() == 3
    assert labels.crop_mask([1, 4], box).sum() == 5


def test_grey_stored_as_colours_is_one_channel():
    array = np.stack([np.eye(4, dtype=np.uint8)[None]] * 3)
    assert LabelMap(make_volume(array)).values == (1,)
    array[1, 0, 0, 0] = 2
    with pytest.raises(ValueError, match='3 channels of different values'):
        LabelMap(make_volume(array))


def test_nothing_is_an_empty_box():
    labels = LabelMap(make_volume(np.zeros((2, 2, 2), np.uint8)))
    assert labels.values == ()
    box = unite_boxes(labels.find_boxes([1]))
    assert labels.crop_mask([1], box).shape == (0, 0, 0)
