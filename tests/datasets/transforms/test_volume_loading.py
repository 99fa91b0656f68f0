"""What is read of a volume, where, and how little of it."""

import numpy as np
import pytest

from mmmed.datasets import (
    LoadVolume,
    LoadVolumePatch,
    RandomAffineVolume,
    RandomFlipVolume,
    VolumeDataset,
    WarpVolume,
)


@pytest.fixture
def get_item(make_volumes):
    root = str(make_volumes())
    datasets = {}

    def get(index: int = 0, seed: int = 0, split: str = 'train') -> dict:
        if split not in datasets:
            datasets[split] = VolumeDataset(root, split=split)
        item = datasets[split].get_data_info(index)
        return {**item, 'rng': np.random.default_rng(seed)}

    return get


def test_whole_volumes_are_what_was_prepared(get_item, read_subject):
    item = LoadVolume()(get_item())
    img, mask = read_subject('sub-r001s001')
    assert item['img'].dtype == np.float32
    np.testing.assert_array_equal(item['img'][0], img)
    np.testing.assert_array_equal(item['gt_seg_map'], mask)
    assert item['ori_shape'] == item['img_shape'] == (6, 11, 9)
    assert item['inside'] == ((0, 6), (0, 11), (0, 9))


def test_a_volume_without_labels_has_none(get_item):
    item = LoadVolume()(get_item(split='test'))
    assert 'gt_seg_map' not in item
    patch = LoadVolumePatch((4, 4, 4))(get_item(split='test'))
    assert 'gt_seg_map' not in patch


def test_another_spacing_resamples_the_image_only(get_item):
    item = LoadVolume(spacing=(1.5, 2.0, 1.0))(get_item())
    assert item['img'].shape == (1, 12, 11, 9)
    assert item['gt_seg_map'].shape == item['ori_shape'] == (6, 11, 9)
    assert item['img_spacing'] == [1.5, 2.0, 1.0]


def test_patches_are_cut_from_the_volume(get_item, read_subject):
    img, mask = read_subject('sub-r001s001')
    for seed in range(20):
        item = LoadVolumePatch((3, 5, 4), foreground_share=0.0)(get_item(seed=seed))
        center = item['applied'][0]['center']
        first = [int(c - (n - 1) / 2) for c, n in zip(center, (3, 5, 4), strict=True)]
        part = tuple(slice(f, f + n) for f, n in zip(first, (3, 5, 4), strict=True))
        np.testing.assert_array_equal(item['img'][0], img[part])
        np.testing.assert_array_equal(item['gt_seg_map'], mask[part])
        assert 'pending_warp' not in item


def test_patches_of_foreground_show_it(get_item):
    load = LoadVolumePatch((3, 3, 3), foreground_share=1.0)
    for seed in range(20):
        item = load(get_item(index=1, seed=seed))
        # One voxel at (4, 9, 8), the last along X: the patch is moved inside.
        assert item['gt_seg_map'][1, 1, 2] == 1
    apart = LoadVolumePatch((3, 3, 3), foreground_share=1.0, classes=(2,))
    assert 'center' in apart(get_item(index=1))['applied'][0]


def test_small_volumes_lie_in_the_middle_of_ignored_voxels(get_item, read_subject):
    item = LoadVolumePatch((8, 13, 12))(get_item())
    img, _ = read_subject('sub-r001s001')
    assert item['inside'] == ((1, 7), (1, 12), (2, 11))
    np.testing.assert_array_equal(item['img'][0, 1:7, 1:12, 2:11], img)
    assert item['img'].astype(bool).sum() == img.astype(bool).sum()
    assert (item['gt_seg_map'] == 255).sum() == 8 * 13 * 12 - 6 * 11 * 9


def test_a_warped_patch_reads_its_box_and_no_more(get_item):
    affine = RandomAffineVolume(angle_deg=(30, 0, 0), scale=(1, 1), rotate_prob=1.0)
    item = affine(get_item(seed=4))
    assert 'img' not in item
    item = LoadVolumePatch((2, 4, 4), foreground_share=0.0)(item)
    angle = np.radians(item['applied'][0]['angles_deg'][0])
    # A square of 4 x 4 voxels of 2 x 1 mm, between its outer voxel centres.
    y = (2 * 3 * abs(np.cos(angle)) + 3 * abs(np.sin(angle))) / 2
    assert item['img'].shape[1] == 2
    assert y + 1 <= item['img'].shape[2] <= y + 3.01
    item = WarpVolume()(item)
    assert item['img'].shape == (1, 2, 4, 4)
    assert item['gt_seg_map'].shape == (2, 4, 4)
    assert 'pending_warp' not in item


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_warped_patches_equal_those_of_the_whole_volume(get_item, share):
    """The same numbers, whether the box was read or the whole volume warped."""
    affine = RandomAffineVolume(rotate_prob=1, scale_prob=1, elastic_prob=1)
    item = affine(get_item(seed=9))
    drawn = item['drawn_warp']
    item = LoadVolumePatch((4, 5, 4), foreground_share=share)(item)
    center = item['applied'][1]['center']
    patch = WarpVolume()(item)
    from mmmed.datasets.transforms.volume_pending import PendingWarp
    from mmmed.datasets.transforms.volume_spatial import apply_warp

    whole = LoadVolume()(get_item())
    spacing = whole['spacing']
    warp = drawn.build((4, 5, 4), spacing, spacing, center)
    other = apply_warp(whole, PendingWarp(warp, (4, 5, 4)))
    np.testing.assert_allclose(patch['img'], other['img'], atol=2e-2)  # of 255
    assert (patch['gt_seg_map'] == other['gt_seg_map']).mean() > 0.98


def test_a_patch_of_another_spacing_waits_for_its_resampling(get_item):
    item = LoadVolumePatch((4, 4, 4), spacing=(1.0, 1.0, 1.0))(get_item())
    assert item['img'].shape[1:] != (4, 4, 4)
    item = WarpVolume()(RandomFlipVolume(axis_prob=1.0)(item))
    assert item['img'].shape == (1, 4, 4, 4)
    assert item['img_spacing'] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    'options',
    [
        {'size': (4, 4)},
        {'size': (4, 4, 0)},
        {'size': (4, 4, 4), 'foreground_share': 1.5},
        {'size': (4, 4, 4), 'spacing': (1, 0, 1)},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match='expected'):
        LoadVolumePatch(**options)
