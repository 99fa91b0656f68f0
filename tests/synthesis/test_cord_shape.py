import dataclasses
import math

import numpy as np
import pytest

from mmmed.synthesis import CordLesionRecord
from mmmed.synthesis.cord_drawing import build_rotation
from mmmed.synthesis.cord_shape import clip_box, measure_coverage


def make_record(**changes):
    direction = np.array([1.0, 0.3, -0.2]) / math.sqrt(1.13)
    values = {
        'sequence': 'T2w', 'center_mm': (12.3, 8.1, 9.4), 'radii_mm': (8.0, 2.5, 1.6),
        'rotation': build_rotation(direction, 0.7), 'ratio': 1.5, 'cord_grey': 100.0,
        'cord_spread': 5.0, 'edge_mm': 0.6, 'texture_seed': 9,
    }  # fmt: skip
    return CordLesionRecord(**{**values, **changes})


def fill(lesion, shape, spacing):
    """Coverage of the whole grid."""
    box = clip_box(lesion, spacing, [slice(0, n) for n in shape])
    whole = np.zeros(shape)
    whole[box], noise = measure_coverage(lesion, spacing, box)
    return whole, noise


GRIDS = [
    ((40, 34, 36), (0.6, 0.5, 0.5)),
    ((5, 40, 40), (5.0, 0.5, 0.5)),
    ((25, 21, 7), (1.0, 0.8, 3.0)),
]


@pytest.mark.parametrize(('shape', 'spacing'), GRIDS)
def test_volume_and_centroid_are_those_of_the_ellipsoid(shape, spacing):
    lesion = make_record(edge_mm=0.3)
    share, _ = fill(lesion, shape, spacing)
    volume = share.sum() * math.prod(spacing)
    assert volume == pytest.approx(lesion.nominal_volume_mm3, rel=0.03)
    places = np.indices(shape).reshape(3, -1) @ share.reshape(-1) / share.sum()
    expected = np.array(lesion.center_mm) / spacing
    assert np.abs(places - expected).max() < 0.05


def test_the_label_of_fine_voxels_has_the_volume_of_the_ellipsoid():
    lesion = make_record()
    share, _ = fill(lesion, (84, 68, 72), (0.3, 0.25, 0.25))
    volume = np.count_nonzero(share >= 0.5) * 0.3 * 0.25**2
    assert volume == pytest.approx(lesion.nominal_volume_mm3, rel=0.02)


# Not the third: in voxels as thick as a leaning lesion is wide, half a voxel more on
# one side moves the label along it. What is seen (above) lies right there, too.
@pytest.mark.parametrize(('shape', 'spacing'), GRIDS[:2])
def test_the_label_lies_where_the_lesion_was_drawn(shape, spacing):
    # Dents are another shape: they may move the middle of it.
    lesion = make_record()
    share, _ = fill(lesion, shape, spacing)
    centroid = np.argwhere(share >= 0.5).mean(axis=0)
    assert np.abs(centroid - np.array(lesion.center_mm) / spacing).max() < 0.5


def test_a_thick_slice_shows_the_share_that_it_holds():
    flat = make_record(
        center_mm=(10.0, 8.0, 9.0), radii_mm=(1.0, 3.0, 3.0),
        rotation=(1.0, 0, 0, 0, 1, 0, 0, 0, 1), edge_mm=0.2,
    )  # fmt: skip
    share, _ = fill(flat, (5, 40, 40), (5.0, 0.5, 0.5))
    # 2 of 5 mm in the middle, where the ellipsoid is as thick as its axis is long.
    assert share[2, 16, 18] == pytest.approx(2 / 5, abs=0.03)
    assert share[[0, 1, 3, 4]].max() == 0


@pytest.mark.parametrize(('shape', 'spacing'), GRIDS)
def test_any_box_has_the_bits_of_the_whole(shape, spacing):
    lesion = make_record(dents_mm=0.4, texture=0.3)
    whole, noise = fill(lesion, shape, spacing)
    box = clip_box(lesion, spacing, [slice(0, n) for n in shape])
    for axis in range(3):
        for index in range(box[axis].start, box[axis].stop, 3):
            part = list(box)
            part[axis] = slice(index, index + 1)
            found, found_noise = measure_coverage(lesion, spacing, tuple(part))
            np.testing.assert_array_equal(found, whole[tuple(part)])
            at = index - box[axis].start
            np.testing.assert_array_equal(found_noise, noise.take([at], axis=axis))


def test_the_noise_has_deviation_one_and_another_seed_another_noise():
    lesion = make_record(texture=0.2, texture_mm=1.5, radii_mm=(9.0, 9.0, 9.0))
    _, noise = fill(lesion, (24, 24, 24), (1.0, 0.8, 0.8))
    assert noise.std() == pytest.approx(1, abs=0.12)
    assert abs(noise.mean()) < 0.2
    other = dataclasses.replace(lesion, texture_seed=10)
    _, second = fill(other, (24, 24, 24), (1.0, 0.8, 0.8))
    assert abs(np.corrcoef(noise.ravel(), second.ravel())[0, 1]) < 0.2


def test_dents_move_the_border_by_their_size():
    smooth, dented = make_record(), make_record(dents_mm=0.4, texture_mm=1.5)
    (first, _), (second, _) = (fill(one, *GRIDS[0]) for one in (smooth, dented))
    changed = np.abs(first - second) > 0.05
    assert changed.any()
    # Deep inside (1.6 - 2 * 0.4 mm) nothing changes.
    assert not changed[20, 16, 19]
    assert second.sum() == pytest.approx(first.sum(), rel=0.2)


def test_a_box_beside_the_lesion_has_none_of_it():
    assert (
        clip_box(make_record(), (1, 1, 1), [slice(0, 40)] * 2 + [slice(30, 40)]) is None
    )
