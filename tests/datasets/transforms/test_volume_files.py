"""Boxes of mapped and of chunked volumes, and where their labels lie."""

import pickle

import numpy as np
import pytest

from mmmed.datasets.transforms.volume_files import VolumeFiles
from mmmed.functional.packed_bits import pack_mask
from mmmed.io.chunked import write_chunked

SHAPE = (7, 11, 13)
BOX = ((2, 5), (0, 11), (3, 12))
PART = (slice(2, 5), slice(0, 11), slice(3, 12))


@pytest.fixture
def arrays(rng):
    return rng.integers(-900, 900, SHAPE).astype(np.int16), rng.integers(0, 3, SHAPE)


def test_chunked_values_are_read_as_they_are(tmp_path, arrays):
    img, seg = arrays
    write_chunked(img, tmp_path / 'ct.b2nd')
    write_chunked(seg.astype(np.uint8), tmp_path / 'seg.b2nd')
    files = VolumeFiles()
    part = files.read_img(str(tmp_path / 'ct.b2nd'), SHAPE, BOX)
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, img[PART])
    labels = files.read_seg(str(tmp_path / 'seg.b2nd'), SHAPE, BOX)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, seg[PART])
    again = pickle.loads(pickle.dumps(files))
    np.testing.assert_array_equal(again.read_img(str(tmp_path / 'ct.b2nd'), SHAPE), img)


def test_mapped_greys_and_packed_masks(tmp_path, arrays):
    img, seg = arrays
    np.save(tmp_path / 't1w.npy', (img + 900).astype(np.uint16))
    np.save(tmp_path / 'seg.npy', pack_mask(seg == 1))
    files = VolumeFiles()
    part = files.read_img(str(tmp_path / 't1w.npy'), SHAPE, BOX)
    np.testing.assert_allclose(part, (img[PART] + 900) / 257, rtol=1e-6)
    mask = str(tmp_path / 'seg.npy')
    np.testing.assert_array_equal(files.read_seg(mask, SHAPE, BOX), seg[PART] == 1)
    np.testing.assert_array_equal(files.read_seg(mask, SHAPE), seg == 1)


def test_foreground_is_every_voxel_of_every_label(tmp_path, arrays):
    seg = arrays[1].astype(np.uint8)
    seg[0] = 255
    write_chunked(seg, tmp_path / 'seg.b2nd')
    found = VolumeFiles().find_foreground(str(tmp_path / 'seg.b2nd'), SHAPE)
    assert found.labels == (1, 2)
    for label, positions in zip(found.labels, found.positions, strict=True):
        np.testing.assert_array_equal(positions, np.argwhere(seg == label))


def test_large_labels_are_thinned_evenly(tmp_path):
    write_chunked(np.ones((30, 30, 30), np.uint8), tmp_path / 'seg.b2nd')
    path = str(tmp_path / 'seg.b2nd')
    (positions,) = VolumeFiles().find_foreground(path, (30, 30, 30)).positions
    assert positions.shape == (4096, 3)
    np.testing.assert_allclose(positions.mean(axis=0), 14.5, atol=0.2)


def test_another_shape_than_the_manifest_says_is_refused(tmp_path, arrays):
    write_chunked(arrays[0], tmp_path / 'ct.b2nd')
    with pytest.raises(ValueError, match='prepare the data again'):
        VolumeFiles().read_img(str(tmp_path / 'ct.b2nd'), (7, 11, 12))
