import numpy as np
import pytest

from mmmed.inference.cascade import LesionSegmentationSettings
from mmmed.inference.cascade.fine_grid import FineGrid
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.lesion_stage import segment_lesions, widen_mask
from mmmed.inference.cascade.stack import SliceStack


def see_bright(img):
    return np.where(img > 200, 0.8, 0.1).astype(np.float32)


@pytest.fixture
def scene(description):
    """A cord of 10 columns in slices 1 and 2, and five bright spots."""
    cord = np.zeros((4, 40, 64), bool)
    cord[1:3, :, 20:30] = True
    spots = np.zeros_like(cord)
    spots[1, 5:8, 22:26] = True  # 12 voxels in the cord
    spots[2, 20:24, 28:33] = True  # half in, half out
    spots[1, 30:35, 36:40] = True  # beside the cord
    spots[2, 35, 25] = True  # one voxel
    spots[0, 30:35, 22:26] = True  # in a slice without cord
    values = np.where(spots, 900, 100).astype(np.int16)
    stack = SliceStack(values.astype(np.float32), (3.0, 0.8, 0.8), 'sagittal', 'RSA')
    return FineGrid(GreyStack(stack), description), cord, spots


def test_lesions_outside_the_cord_and_small_ones_go_and_are_counted(scene):
    grid, cord, spots = scene
    settings = LesionSegmentationSettings(min_lesion_size=2, cord_margin_mm=0.8)
    found = segment_lesions(grid, cord, see_bright, settings, margin_mm=10.0)
    expected = spots.copy()
    expected[2, 20:24, 31:] = expected[1, 30:35] = expected[2, 35] = expected[0] = False
    np.testing.assert_array_equal(found.mask, expected)
    # 8 voxels of the second and 20 of the third; slices without cord are not seen.
    assert found.outside_voxels == 8 + 20
    assert found.outside_components == 1
    assert found.small_voxels == 1
    assert found.prob.dtype == np.float32
    assert found.prob[spots & (np.arange(4) > 0)[:, None, None]].min() > 0.5
    assert found.prob[[0, 3]].max() == 0
    assert found.pixels < cord[1:3].size


def test_without_post_processing_everything_stays(scene):
    grid, cord, spots = scene
    settings = LesionSegmentationSettings(post_process=False)
    found = segment_lesions(grid, cord, see_bright, settings, slices=range(4))
    np.testing.assert_array_equal(found.mask, spots)
    none = segment_lesions(grid, cord, see_bright, settings, threshold=0.9)
    assert not none.mask.any()
    empty = segment_lesions(grid, cord & False, see_bright, settings)
    assert not empty.mask.any()
    assert empty.pixels == 0


def test_margins_are_in_mm():
    mask = np.zeros((5, 9, 9), bool)
    mask[2, 4, 4] = True
    wide = widen_mask(mask, (3.0, 1.0, 0.5), 1.0)
    assert wide[2, 3:6, 4].all()
    assert wide[2, 4, 2:7].all()
    assert wide.sum() == 7  # nothing in the neighbouring slices, no corner
    assert widen_mask(mask, (3.0, 1.0, 0.5), 3.0)[1:4, 4, 4].all()
    np.testing.assert_array_equal(widen_mask(mask, (1, 1, 1), 0), mask)
    assert not widen_mask(mask & False, (1, 1, 1), 2).any()
