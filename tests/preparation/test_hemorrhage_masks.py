import io

import numpy as np
import pytest
from PIL import Image

from mmmed.io import read_image
from mmmed.preparation.hemorrhage_masks import binarize_mask


def make_disc(radius, size=96):
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - size / 2, x - size / 2) < radius


def compress(mask, quality):
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, 'JPEG', quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize('quality', [75, 90, 95, 100])
def test_a_disc_of_radius_40_survives_every_quality(quality):
    """The count of the host's data set report: 5013 pixels, all recovered."""
    disc = make_disc(40)
    binary = binarize_mask(compress(disc, quality))
    assert disc.sum() == 5013
    np.testing.assert_array_equal(binary.label, disc)
    if quality < 100:
        assert binary.full < 5013  # what a rule "== 255" would keep


@pytest.mark.parametrize('quality', [20, 50, 75, 95])
@pytest.mark.parametrize('radius', [0.5, 1.5, 3, 8, 20])
def test_no_softened_lesion_is_taken_for_another_picture(quality, radius):
    binary = binarize_mask(np.maximum(compress(make_disc(radius), quality), 0))
    assert binary.label.sum() > 0


def test_counts_by_hand():
    mask = np.array([[0, 1, 127, 128], [254, 255, 255, 0]], np.uint8)
    binary = binarize_mask(mask)
    assert binary.label.tolist() == [[0, 0, 0, 1], [1, 1, 1, 0]]
    assert binary.label.dtype == np.uint8
    assert (binary.in_between, binary.full) == (4, 2)


def test_a_black_mask_has_no_lesion():
    binary = binarize_mask(np.zeros((3, 4), np.uint8))
    assert (binary.label.sum(), binary.in_between, binary.full) == (0, 0, 0)


def test_masks_of_0_and_1_and_rounding_of_scaled_files():
    mask = np.array([[0, 0.999, 1.0, 1e-7]], np.float32)
    assert binarize_mask(mask, white=1).label.tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (np.array([[0, 1]]), 'brightest mask value is 1'),
        (np.array([[0, 127]]), 'brightest mask value is 127'),
        (np.array([[0, 300]]), 'reach from 0 to 300'),
        (np.array([[-1024, 3000]]), 'reach from -1024 to 3000'),
        (np.array([[0, np.nan]]), 'reach from nan'),
    ],
)
def test_other_values_are_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        binarize_mask(mask)


def test_grey_areas_are_refused():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:15, 5:15] = 255
    mask[20:30, 20:30] = 150
    with pytest.raises(ValueError, match='64 of 200 visible pixels lie in grey areas'):
        binarize_mask(mask)


def test_grey_areas_are_looked_for_within_each_slice():
    """Soft edges that lie on top of each other in a volume are no grey area."""
    disc = compress(make_disc(20), 50)
    binarize_mask(np.stack([disc] * 9))


@pytest.mark.data
def test_real_masks_pass_and_real_slices_do_not(sample_data):
    folder = sample_data / 'head_ct_ich' / 'Patients_CT'
    masks = sorted(folder.rglob('*_HGE_Seg.jpg'))
    assert len(masks) == 28
    for path in masks:
        assert binarize_mask(read_image(path)).label.sum() > 200
        slice_ = read_image(path.with_name(path.name.replace('_HGE_Seg', '')))
        with pytest.raises(ValueError, match='not binary'):
            binarize_mask(slice_[..., 0])
