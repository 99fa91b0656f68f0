"""A window of all sequences at one random place."""

import numpy as np
import pytest

from mmmed.datasets import JointSequences, RandomCropVolume


def test_the_same_window_of_every_sequence():
    # The value of a voxel is its place.
    place = np.arange(4 * 6 * 7, dtype=np.float32).reshape(1, 4, 6, 7)
    sample = {
        'img': np.stack([place, place + 1000, 0 * place]),
        'available': np.array([True, True, False]),
        'sequences': ('a', 'b', 'c'), 'img_spacing': (1.0, 1.0, 1.0),
        'rng': np.random.default_rng(3),
    }  # fmt: skip
    step = JointSequences([{'type': 'mmmed.RandomCropVolume', 'size': (3, 2, 5)}])
    moved = step(sample)
    z, y, x = moved['applied'][0]['start']
    expected = place[:, z : z + 3, y : y + 2, x : x + 5]
    np.testing.assert_array_equal(moved['img'][0], expected)
    np.testing.assert_array_equal(moved['img'][1], expected + 1000)
    assert not moved['img'][2].any()
    assert moved['img_shape'] == (3, 2, 5)


def test_every_place_is_possible_and_none_beyond():
    step = RandomCropVolume((2, 3, 1))
    rng = np.random.default_rng(0)
    img = np.zeros((1, 3, 4, 2), np.float32)
    drawn = {tuple(step.draw({'img': img}, rng)['start']) for _ in range(100)}
    assert drawn == {(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)}
    with pytest.raises(ValueError, match=r'\(3, 4, 2\) voxels, expected \(4, 1, 1\)'):
        RandomCropVolume((4, 1, 1))({'img': img, 'rng': rng})
    with pytest.raises(ValueError, match='expected'):
        RandomCropVolume((2, 0, 2))


def test_labels_are_cut_with_their_image(rng):
    seg = rng.integers(0, 3, (4, 6, 7)).astype(np.uint8)
    sample = {'img': seg[None].astype(np.float32), 'gt_seg_map': seg, 'rng': rng}
    moved = RandomCropVolume((2, 5, 3))(sample)
    assert moved['gt_seg_map'].shape == (2, 5, 3)
    np.testing.assert_array_equal(moved['img'][0], moved['gt_seg_map'])
