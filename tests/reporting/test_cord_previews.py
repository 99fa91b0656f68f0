"""Which slices of a spine are shown, under which numbers, in any orientation."""

import json

import numpy as np
import pytest

from mmmed.reporting.cord_previews import make_scene, write_previews
from mmmed.reporting.cord_slices import choose_indices, convert_index, find_plane
from mmmed.structures import Volume

SHAPE = (24, 30, 9)
SPACING = (1.0, 1.0, 3.0)


def make_spine(orientation):
    """Sagittal: nine slices of 3 mm; the lesion lies in slices 3 and 4 of them."""
    cord, lesion = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    cord[2:22, 10:18, 3:6] = 1
    lesion[8:13, 12:15, 3:5] = 1
    lesion[8, 12, 3] = 0
    image = 100.0 + 80 * cord + 120 * lesion
    volume = Volume(image, SPACING).reorient(orientation)
    return [
        Volume(image, SPACING).replace_array(array).reorient(orientation).array
        for array in (cord, lesion)
    ], Volume(volume.array, volume.spacing, volume.affine)


@pytest.mark.parametrize('orientation', ['SAR', 'LPI'])
def test_slices_and_numbers_are_those_of_the_file(orientation, tmp_path):
    (cord, lesion), volume = make_spine(orientation)
    assert find_plane(volume) == 'sagittal'
    (tmp_path / 'slice_077_overlay.png').write_bytes(b'old')
    files = write_previews(tmp_path, volume, cord, lesion, slices=[8, 4, 10, 20])
    assert {f.name for f in files} == {f.name for f in tmp_path.iterdir()} == {
        'slice_004_overlay.png', 'slice_008_overlay.png', 'previews.json',
        'mosaic_sagittal_image.jpg', 'mosaic_sagittal_overlay.jpg',
        'mosaic_axial_image.jpg', 'mosaic_axial_overlay.jpg',
    }  # fmt: skip
    index = json.loads((tmp_path / 'previews.json').read_text())
    assert index['absent_slices'] == [10, 20]
    row = index['slices'][0]
    axis = volume.orientation.find('R' if orientation == 'SAR' else 'L')
    assert row['lesion_pixels'] == np.take(lesion, 4, axis).sum() == 15
    assert row['cord_pixels'] == 160
    # The first voxel of the canonical grid lies at the origin, 3 mm a slice.
    assert row['position_mm'] == 12


def test_the_largest_lesions_come_first_then_the_rest_of_the_cord():
    (cord, lesion), volume = make_spine('SAR')
    scene = make_scene(volume, cord, lesion)
    assert choose_indices(scene, 2, 2) == [3, 4]
    assert choose_indices(scene, 2, 6) == [3, 4, 5]
    axial = choose_indices(scene, 0, 6)
    assert {9, 10, 2, 21} < set(axial)
    assert len(axial) == 6
    plain = make_scene(volume, None, None)
    assert choose_indices(plain, 0, 3) == [2, 12, 21]
    flipped = volume.reorient('LPI')
    assert convert_index(flipped, 'sagittal', 3) == 5
    assert convert_index(volume, 'sagittal', 3) == 3


def test_without_masks_and_with_odd_values(tmp_path):
    image = np.full((5, 8, 9), np.nan, np.float32)
    volume = Volume(image, (5.0, 1.0, 1.0))
    assert find_plane(volume) == 'axial'
    files = write_previews(tmp_path, volume, None, None, slices=[])
    # No masks, no overlays.
    assert [f.name for f in files] == [
        'mosaic_sagittal_image.jpg', 'mosaic_axial_image.jpg', 'previews.json'
    ]  # fmt: skip
    assert not json.loads(files[-1].read_text())['has_cord']


def test_masks_of_another_grid_are_refused(tmp_path):
    (cord, lesion), volume = make_spine('SAR')
    with pytest.raises(ValueError, match='lesion_mask has shape'):
        write_previews(tmp_path, volume, cord, lesion[1:])
    with pytest.raises(ValueError, match='choose a channel'):
        write_previews(tmp_path, Volume(np.zeros((2, *SHAPE)), SPACING), None, None)
