"""Components of phantoms by hand, and against SciPy and scikit-image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import generate_binary_structure, label
from skimage.measure import regionprops
from skimage.morphology import remove_small_objects

from mmmed.functional.components import (
    CONNECTIVITIES,
    compute_equivalent_radius,
    label_components,
    measure_components,
    remove_small,
)

SPACING = (3.0, 0.5, 2.0)


@pytest.fixture
def two_boxes():
    """A box of 2 x 3 x 4 voxels at the border, and a single voxel in the corner."""
    mask = np.zeros((5, 7, 9), bool)
    mask[0:2, 1:4, 2:6] = True
    mask[4, 6, 8] = True
    return mask


def test_boxes_by_hand(two_boxes):
    found = measure_components(two_boxes, SPACING)
    assert len(found) == 2
    assert found.sizes.tolist() == [24, 1]
    assert found.volumes.tolist() == [72.0, 3.0]
    assert found.centroids.tolist() == [[0.5, 2, 3.5], [4, 6, 8]]
    assert found.centroids_mm.tolist() == [[1.5, 1, 7], [12, 3, 16]]
    assert found.boxes.tolist() == [[[0, 2], [1, 4], [2, 6]], [[4, 5], [6, 7], [8, 9]]]
    radius = (72 * 3 / (4 * math.pi)) ** (1 / 3)
    assert found.radii_mm[0] == pytest.approx(radius, rel=1e-12)
    assert found.labels.tolist() == [1] * 24 + [2]


def test_centroid_through_an_affine_that_swaps_and_shifts(two_boxes):
    affine = np.array([[0, 0, -2, 10], [0, 0.5, 0, 20], [3, 0, 0, 30], [0, 0, 0, 1]])
    found = measure_components(two_boxes, SPACING, affine=affine)
    assert found.centroids_mm.tolist() == [[3, 21, 31.5], [-6, 23, 42]]
    assert found.centroids.tolist() == [[0.5, 2, 3.5], [4, 6, 8]]


def test_two_dimensions_measure_areas():
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:6] = 1
    found = measure_components(mask, (0.5, 2))
    assert found.volumes.tolist() == [8.0]
    assert found.radii_mm[0] == pytest.approx(math.sqrt(8 / math.pi), rel=1e-12)
    assert found.centroids_mm.tolist() == [[0.75, 7.0]]


@pytest.mark.parametrize(
    ('dimensions', 'volume', 'radius'),
    [(1, 6, 3), (2, 4 * math.pi, 2), (3, 36 * math.pi, 3)],
)
def test_radius_of_ball_disc_and_stretch(dimensions, volume, radius):
    found = compute_equivalent_radius([volume, 0], dimensions)
    assert found.tolist() == pytest.approx([radius, 0], rel=1e-12)


def test_ball_has_its_radius():
    grid = np.ogrid[-24:25, -24:25, -24:25]
    ball = sum(axis**2 for axis in grid) <= 20.25**2
    found = measure_components(ball, (0.5, 0.5, 0.5))
    assert found.radii_mm[0] == pytest.approx(10.125, rel=0.002)


def test_empty_and_full():
    for mask in (np.zeros((3, 4)), np.zeros((0, 4)), np.zeros((2, 0, 3))):
        found = measure_components(mask, (1.0,) * mask.ndim)
        assert len(found) == 0
        assert found.centroids.shape == (0, mask.ndim)
        assert found.boxes.shape == (0, mask.ndim, 2)
        assert label_components(mask)[1] == 0
        assert not remove_small(mask, min_elements=1).any()
    full = measure_components(np.ones((3, 4, 5)), SPACING)
    assert full.sizes.tolist() == [60]
    assert full.centroids.tolist() == [[1, 1.5, 2]]


@pytest.mark.parametrize(
    ('step', 'counts'),
    [
        ((0, 0, 1), {6: 1, 18: 1, 26: 1}),
        ((0, 1, -1), {6: 2, 18: 1, 26: 1}),
        ((1, -1, 1), {6: 2, 18: 2, 26: 1}),
        ((0, 0, 2), {6: 2, 18: 2, 26: 2}),
    ],
)
def test_neighbours_by_connectivity(step, counts):
    mask = np.zeros((4, 4, 5), bool)
    mask[1, 1, 1] = mask[tuple(np.add(1, step))] = True
    for connectivity, count in counts.items():
        assert label_components(mask, connectivity=connectivity)[1] == count
    assert label_components(mask)[1] == counts[6]


def test_borders_do_not_touch_each_other():
    # Ends of rows and planes are neighbours in memory only.
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 2] = mask[0, 1, 0] = mask[0, 2, 2] = mask[1, 0, 0] = True
    assert label_components(mask, connectivity=6)[1] == 4


def test_labels_by_hand_keep_type_and_order():
    labels, count = label_components(torch.tensor([[0, 1, 0], [1, 0, 1]]))
    assert labels.tolist() == [[0, 1, 0], [2, 0, 3]]
    assert labels.dtype == np.int32
    assert count == 3
    assert label_components([[0, 1, 0], [1, 0, 1]], connectivity=8)[1] == 1


def test_remove_small_keeps_the_limit(two_boxes):
    assert remove_small(two_boxes, min_elements=1).sum() == 25
    assert remove_small(two_boxes, min_elements=2).sum() == 24
    assert remove_small(two_boxes, min_elements=24).sum() == 24
    assert remove_small(two_boxes, min_elements=25).sum() == 0
    assert two_boxes.sum() == 25


MASKS = hnp.array_shapes(min_dims=2, max_dims=3, max_side=7).flatmap(
    lambda shape: hnp.arrays(bool, shape)
)


@settings(max_examples=80, deadline=None)
@given(MASKS, st.integers(0, 2), st.integers(1, 5))
def test_equals_scipy_and_scikit_image(mask, choice, min_elements):
    choices = CONNECTIVITIES[mask.ndim]
    connectivity = sorted(choices)[choice % len(choices)]
    differing = choices[connectivity]
    expected, count = label(mask, generate_binary_structure(mask.ndim, differing))
    assert (label_components(mask, connectivity=connectivity)[0] == expected).all()
    spacing = SPACING[: mask.ndim]
    found = measure_components(mask, spacing, connectivity=connectivity)
    assert len(found) == count
    for row, region in enumerate(regionprops(expected, spacing=spacing)):
        assert found.volumes[row] == pytest.approx(region.area)
        assert found.centroids_mm[row] == pytest.approx(region.centroid)
        assert found.boxes[row].T.ravel().tolist() == list(region.bbox)
    kept = remove_small(mask, min_elements=min_elements, connectivity=connectivity)
    expected = remove_small_objects(
        mask, max_size=min_elements - 1, connectivity=differing
    )
    assert (kept == expected).all()


def test_memory_order_does_not_matter(rng):
    mask = rng.random((6, 7, 8)) < 0.3
    expected = label_components(mask)[0]
    assert (label_components(np.asfortranarray(mask))[0] == expected).all()
    assert (label_components(mask[::-1].copy()[::-1])[0] == expected).all()


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: label_components(np.ones((2, 2)), connectivity=6), r'one of \[4, 8\]'),
        (lambda: label_components(np.ones((1, 1, 2, 2))), 'one to three axes'),
        (lambda: label_components(3 * np.ones(4)), 'binary mask'),
        (lambda: measure_components(np.ones((2, 2)), (1, 1, 1)), '2 finite lengths'),
        (
            lambda: measure_components(np.ones((2, 2)), (1, 1), affine=np.eye(4)),
            r'finite \(3, 3\)',
        ),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
