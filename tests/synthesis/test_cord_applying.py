import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from mmmed.functional.planes import PLANE_AXES
from mmmed.io import read_volume
from mmmed.synthesis import (
    CordLesionRecipe,
    CordLesionRecord,
    apply_cord_lesions,
    draw_cord_lesions,
    measure_cord,
)

SHAPE, SPACING = (40, 26, 30), (1.2, 0.8, 0.7)


def make_scan(dtype=np.float32, noise=12.0):
    """A cord of 300 in water of 900, with noise."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    cord = ((y - 12 - 0.08 * z) / 6) ** 2 + ((x - 14) / 8) ** 2 <= 1
    image = np.where(cord, 300.0, 900.0)
    image += noise * np.random.default_rng(1).standard_normal(SHAPE)
    return image.astype(dtype), cord


@pytest.fixture(scope='module')
def scan():
    image, cord = make_scan()
    geometry = measure_cord(cord, image, SPACING)
    recipe = CordLesionRecipe(negative=0, count=(3, 3))
    rng = np.random.default_rng(4)
    return image, cord, draw_cord_lesions(geometry, 'T2w', rng, recipe=recipe)


def make_ball(**changes):
    values = {
        'sequence': 'T2w', 'center_mm': (24.3, 11.1, 9.9), 'radii_mm': (4.0, 2.5, 2.0),
        'rotation': (1.0, 0, 0, 0, 1, 0, 0, 0, 1), 'ratio': 1.5, 'cord_grey': 300.0,
        'cord_spread': 12.0, 'edge_mm': 0.7,
    }  # fmt: skip
    return CordLesionRecord(**{**values, **changes})


def test_the_label_is_the_union_of_all_lesions(scan):
    image, cord, lesions = scan
    together = apply_cord_lesions(image, cord, lesions, SPACING)
    alone = [apply_cord_lesions(image, cord, [one], SPACING) for one in lesions]
    union = np.any([one.label for one in alone], axis=0)
    np.testing.assert_array_equal(together.label, union)
    assert together.voxels == tuple(one.voxels[0] for one in alone)
    assert min(together.voxels) > 0
    assert not together.label[~cord].any()
    # In any order.
    back = apply_cord_lesions(image, cord, lesions[::-1], SPACING)
    np.testing.assert_array_equal(back.label, together.label)
    np.testing.assert_array_equal(back.image, together.image)


@pytest.mark.parametrize('dtype', ['float32', 'uint8', 'uint16', 'int16'])
def test_slices_of_any_plane_have_the_bits_of_the_volume(scan, dtype):
    _, cord, lesions = scan
    image = make_scan(np.float64)[0]
    if dtype == 'uint8':
        image = image / 4
        lesions = [dataclasses.replace(one, cord_grey=75.0, cord_spread=3.0)
                   for one in lesions]  # fmt: skip
    image = image.astype(dtype)
    whole = apply_cord_lesions(image, cord, lesions, SPACING)
    assert whole.image.dtype == dtype
    for axis in PLANE_AXES.values():
        for index in range(0, SHAPE[axis], 2):
            part = [slice(None)] * 3
            part[axis] = slice(index, index + 1)
            origin = [0, 0, 0]
            origin[axis] = index
            box = tuple(part)
            found = apply_cord_lesions(
                image[box], cord[box], lesions, SPACING, origin=origin
            )
            np.testing.assert_array_equal(found.image, whole.image[box])
            np.testing.assert_array_equal(found.label, whole.label[box])


def test_only_the_soft_rim_changes_outside_the_label(scan):
    image, cord, lesions = scan
    made = apply_cord_lesions(image, cord, lesions, SPACING)
    changed = made.image != image
    assert not changed[~cord].any()
    rim = changed & (made.label == 0)
    reach = ndimage.binary_dilation(made.label, iterations=3)
    assert np.count_nonzero(rim & ~reach) < 0.01 * np.count_nonzero(changed)
    # A rim voxel holds less than half of a lesion, so changes by less than half.
    strongest = max(one.ratio - 1 for one in lesions) * 300 * 1.6
    assert np.abs(made.image - image)[rim].max() < strongest / 2 + 1
    assert made.label[~changed].sum() == 0


def test_a_lesion_has_its_ratio_and_the_grain_of_the_cord():
    image, cord = make_scan()
    made = apply_cord_lesions(image, cord, [make_ball()], SPACING)
    core = ndimage.binary_erosion(made.label, iterations=2)
    assert core.sum() >= 5
    assert made.image[core].mean() == pytest.approx(450, abs=6)
    change = made.image[core] - image[core]
    np.testing.assert_allclose(change, 150, rtol=1e-4)


def test_where_lesions_overlap_the_stronger_one_shows():
    image, cord = make_scan(noise=0)
    balls = [make_ball(), make_ball(ratio=1.3, center_mm=(25.0, 12.0, 11.0))]
    both = apply_cord_lesions(image, cord, balls, SPACING).image
    single = [apply_cord_lesions(image, cord, [one], SPACING).image for one in balls]
    np.testing.assert_array_equal(both, np.maximum(*single))


@pytest.mark.parametrize(('sequence', 'sign'), [('T2w', 1), ('T1w', -1)])
def test_water_in_the_mask_stays_and_no_change_has_the_wrong_sign(sequence, sign):
    image, cord = make_scan(noise=0)
    image[:, :, 15:] = np.where(cord[:, :, 15:], 900, image[:, :, 15:])
    ball = make_ball(sequence=sequence, ratio=1 + 0.4 * sign)
    made = apply_cord_lesions(image, cord, [ball], SPACING)
    change = sign * (made.image - image)
    assert change.min() == 0
    assert change[:, :, 15:].max() == 0
    assert change.max() == pytest.approx(120, abs=1)


def test_another_grey_scale_gives_the_same_in_its_units():
    image, cord = make_scan()
    first = apply_cord_lesions(image, cord, [make_ball()], SPACING)
    second = apply_cord_lesions(
        image / np.float32(4), cord, [make_ball()], SPACING, grey_scale=0.25
    )
    np.testing.assert_array_equal(second.label, first.label)
    np.testing.assert_allclose(second.image * 4, first.image, rtol=1e-5)


def test_integers_stay_in_their_limits_and_the_input_as_it_was():
    cord = np.ones(SHAPE, bool)
    image = np.full(SHAPE, 200, np.uint8)
    bright = make_ball(ratio=2.0, cord_grey=200.0)
    made = apply_cord_lesions(image, cord, [bright], SPACING)
    assert made.image.max() == 255
    assert made.image.min() == 200
    assert image.max() == 200


def test_nothing_comes_of_no_lesions_and_no_cord():
    image, cord = make_scan()
    for mask, lesions in ((cord, []), (np.zeros_like(cord), [make_ball()])):
        made = apply_cord_lesions(image, mask, lesions, SPACING)
        np.testing.assert_array_equal(made.image, image)
        assert not made.label.any()
        assert sum(made.voxels) == 0


@pytest.mark.parametrize(
    'options', [{'origin': (0, 0)}, {'grey_scale': 0}, {'spacing': (1, 1)}]
)
def test_wrong_calls_are_refused(options):
    image, cord = make_scan()
    with pytest.raises(ValueError, match='expected'):
        apply_cord_lesions(image, cord, [], **{'spacing': SPACING, **options})


@pytest.mark.data
def test_lesions_on_a_real_cord(sample_data):
    folder = sample_data / 'spinal_cord' / 't2'
    volume = read_volume(folder / 't2.nii.gz').reorient()
    cord = read_volume(folder / 't2_seg-manual.nii.gz').reorient().array > 0
    geometry = measure_cord(cord, volume.array, volume.spacing)
    assert geometry.greys == pytest.approx(288, abs=30)
    recipe = CordLesionRecipe(negative=0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        lesions = draw_cord_lesions(geometry, 'T2w', rng, recipe=recipe)
        made = apply_cord_lesions(volume.array, cord, lesions, volume.spacing)
        label = made.label > 0
        assert label.any()
        assert not (label & ~cord).any()
        change = made.image.astype(int) - volume.array
        assert change.min() >= 0
        assert np.median(change[label]) > 0.05 * 288
