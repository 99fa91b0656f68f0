import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.phantoms.stroke_masks import list_masks, place_mask, read_mask
from mmmed.structures import Volume


@pytest.fixture
def path(tmp_path):
    array = np.zeros((10, 12, 14), np.float32)
    array[2:5, 3:7, 1:6] = 1
    affine = np.array([[0, 0, 2, -20], [0, 3, 0, 5], [4, 0, 0, 0], [0, 0, 0, 1.0]])
    write_volume(Volume(array, (4, 3, 2), affine), tmp_path / 'lesion.nii.gz')
    return tmp_path / 'lesion.nii.gz'


def test_a_mask_is_cut_out_with_its_place(path):
    mask = read_mask(path)
    assert mask.mask.shape == (3, 4, 5)
    assert mask.volume_mm3 == 60 * 24
    np.testing.assert_allclose(mask.center_mm, [-20 + 2 * 3, 5 + 3 * 4.5, 4 * 3])


def test_a_mask_placed_on_its_own_grid_is_itself(path):
    mask = read_mask(path)
    affine = np.array([[0, 0, 2, -20], [0, 3, 0, 5], [4, 0, 0, 0], [0, 0, 0, 1.0]])
    placed = place_mask(mask, np.eye(4), affine, (10, 12, 14))
    assert placed.sum() == 60
    assert placed[2:5, 3:7, 1:6].all()
    shift = np.eye(4)
    shift[:3, 3] = (4, -3, 8)  # x, y, z in mm: 2, -1 and 2 voxels
    placed = place_mask(mask, shift, affine, (10, 12, 14))
    assert placed[4:7, 2:6, 3:8].all()
    mirrored = place_mask(mask, np.diag([-1.0, 1, 1, 1]), affine, (10, 12, 30))
    # x = -18 .. -10 becomes 10 .. 18, which are columns 15 to 19
    assert mirrored[2:5, 3:7, 15:20].all()
    assert mirrored.sum() == 60
    far = np.eye(4)
    far[0, 3] = 1000
    assert not place_mask(mask, far, affine, (10, 12, 14)).any()


def test_images_and_empty_masks_are_no_raw_material(tmp_path, rng):
    image = rng.random((4, 5, 6)).astype(np.float32) * 100
    write_volume(Volume(image, (1, 1, 1)), tmp_path / 'template.nii.gz')
    write_volume(Volume(image * 0, (1, 1, 1)), tmp_path / 'empty.nii.gz')
    assert [read_mask(path) for path in list_masks(tmp_path)] == [None, None]
    with pytest.raises(ValueError, match='holds no lesion masks'):
        list_masks(tmp_path / 'nowhere')
