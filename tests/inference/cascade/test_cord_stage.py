from dataclasses import replace

import numpy as np
import pytest

from mmmed.inference.cascade import CordSegmentationSettings
from mmmed.inference.cascade.cord_stage import clean_cord, segment_cord
from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.stack import SliceStack
from mmmed.structures import Volume

SPACING = (1.0, 0.8, 2.0)
# A crop even of slices as small as those here.
CROPPED = CordSegmentationSettings(min_crop_pixels=0)


def make_grid(description, values, spacing=SPACING, plane='sagittal'):
    stack = SliceStack.from_volume(Volume(values, spacing), plane=plane)
    return FineGrid(GreyStack(stack), description)


def see_bright(img):
    """A network without context: bright is cord."""
    return 1 / (1 + np.exp(-(img - 100) / 5))


def make_leaning_cord(shape=(96, 112, 14)):
    """A cord that leans forward and to the side, about 10 pixels wide."""
    z, y, x = np.indices(shape)
    center = 30 + z / 3
    cord = (np.abs(y - center) < 5) & (np.abs(x - 5 - z / 32) < 2)
    values = np.where(cord, 1000, 100).astype(np.int16)
    return values, cord


@pytest.mark.parametrize('plane', ['sagittal', 'axial'])
def test_crop_and_whole_slices_give_the_same_cord(description, plane):
    values, _ = make_leaning_cord()
    found = {}
    for use_crop in (True, False):
        settings = replace(CROPPED, use_crop=use_crop, margin_mm=4.0)
        grid = make_grid(description, values, plane=plane)
        count = len(grid.grey.stack.img)
        found[use_crop] = segment_cord(grid, range(count), see_bright, settings)
    assert found[True].mask.any()
    np.testing.assert_array_equal(found[True].mask, found[False].mask)
    assert found[False].pixels == found[True].whole_pixels
    assert found[True].pixels < 0.6 * found[False].pixels


def test_the_mask_is_the_cord(description):
    values, cord = make_leaning_cord()
    grid = make_grid(description, values)
    found = segment_cord(grid, range(14), see_bright, CROPPED)
    truth = np.moveaxis(cord, 2, 0)
    overlap = 2 * (found.mask & truth).sum() / (found.mask.sum() + truth.sum())
    assert overlap > 0.95


def test_what_the_coarse_look_misses_is_found(description):
    values, _ = make_leaning_cord()
    calls = []

    def see_middle_only(img):
        calls.append(img.shape)
        prob = see_bright(img)
        if len(calls) == 1:  # the coarse look: one slice, a few rows
            prob[[i for i in range(len(prob)) if i != 2]] = 0
            prob[:, :20] = prob[:, 26:] = 0
        return prob

    grid = make_grid(description, values)
    settings = replace(CROPPED, margin_mm=2.0)
    found = segment_cord(grid, range(14), see_middle_only, settings, group_size=4)
    whole = segment_cord(
        make_grid(description, values),
        range(14),
        see_bright,
        CordSegmentationSettings(use_crop=False),
    )
    np.testing.assert_array_equal(found.mask, whole.mask)


def test_where_the_coarse_look_is_wrong_everything_is_looked_at(description):
    values, _ = make_leaning_cord()
    first = []

    def mistaken_at_first(img):
        first.append(img.size)
        if len(first) > 1:
            return see_bright(img)
        prob = np.zeros(img.shape, np.float32)
        prob[:, :4, :4] = 1  # the corner of every coarse slice
        return prob

    settings = replace(CROPPED, margin_mm=1.0)
    grid = make_grid(description, values)
    found = segment_cord(grid, range(14), mistaken_at_first, settings)
    everywhere = CordSegmentationSettings(use_crop=False)
    whole = segment_cord(grid, range(14), see_bright, everywhere)
    assert whole.mask.any()
    np.testing.assert_array_equal(found.mask, whole.mask)
    assert found.pixels == sum(first) > whole.pixels


def test_where_the_coarse_look_finds_nothing_everything_is_looked_at(description):
    values, _ = make_leaning_cord()
    first = []

    def blind_at_first(img):
        first.append(None)
        return see_bright(img) * (len(first) > 1)

    grid = make_grid(description, values)
    found = segment_cord(grid, range(14), blind_at_first, CROPPED)
    assert found.mask.any()
    assert found.slices == tuple(range(14))
    assert found.pixels > found.whole_pixels


def test_small_slices_are_looked_at_whole(description):
    values, _ = make_leaning_cord()
    shapes = []

    def note(img):
        shapes.append(img.shape[1:])
        return see_bright(img)

    grid = make_grid(description, values)
    size = grid.shape[0] * grid.shape[1]
    for limit in (size, size - 1):
        shapes.clear()
        settings = CordSegmentationSettings(min_crop_pixels=limit)
        found = segment_cord(grid, range(14), note, settings)
        assert (set(shapes) == {grid.shape}) == (limit == size)
        assert (found.pixels == found.whole_pixels) == (limit == size)


def test_only_kept_slices_are_looked_at(description):
    values, _ = make_leaning_cord()
    grid = make_grid(description, values)
    found = segment_cord(grid, [5, 6], see_bright, CROPPED)
    assert np.flatnonzero(found.mask.any(axis=(1, 2))).tolist() == [5, 6]


def test_cleaned_cords_are_one_piece_without_holes_and_slivers():
    mask = np.zeros((4, 32, 32), bool)
    mask[0, 4:24, 4:10] = True
    mask[0, 10:12, 6:8] = False  # a lesion that was taken for no cord
    mask[1, 4:7, 4:6] = True  # next to none
    mask[3, 20:28, 20:28] = True  # another piece
    cleaned = clean_cord(mask, 'sagittal', 0)
    expected = mask.copy()
    expected[0, 10:12, 6:8] = True
    expected[3] = False
    np.testing.assert_array_equal(cleaned, expected)
    # 1000 pixels of 320 x 320 are 10 of 32 x 32; across the cord a tenth of them.
    assert not clean_cord(mask, 'sagittal', 1000)[1].any()
    assert clean_cord(mask, 'axial', 1000)[1].any()
    assert not clean_cord(np.zeros((2, 3, 3), bool), 'axial', 5).any()
