import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.slice_warps import (
    build_affine_map,
    build_crop_map,
    build_elastic_map,
    build_grid_map,
    build_lens_map,
    compose_maps,
    fold_map,
    get_identity_map,
    warp_image,
    warp_labels,
)

SHAPES = [(9, 14), (1, 7), (5, 1), (1, 1), (2, 2)]
STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


def build_still(shape, kind):
    return {
        'affine': lambda: build_affine_map(shape, STILL),
        'crop': lambda: build_crop_map(shape, (0, 0), shape),
        'elastic': lambda: build_elastic_map(
            shape, alpha=0, sigma=3, rng=np.random.default_rng(0)
        ),
        'grid': lambda: build_grid_map(shape, [1.0] * 5, [1.0] * 5),
        'lens': lambda: build_lens_map(shape, 0.0),
    }[kind]()


@pytest.mark.parametrize('kind', ['affine', 'crop', 'elastic', 'grid', 'lens'])
def test_no_strength_changes_no_bit(rng, kind):
    for shape in SHAPES:
        source = build_still(shape, kind)
        assert source == pytest.approx(get_identity_map(shape), abs=1e-5)
        for img in (
            rng.integers(0, 256, (*shape, 6), dtype=np.uint8),
            rng.random((*shape, 1), dtype=np.float32) * 255,
        ):
            assert np.array_equal(warp_image(img, source), img)
        seg = rng.integers(0, 4, shape, dtype=np.uint8)
        assert np.array_equal(warp_labels(seg, source), seg)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 12),
    positions=st.lists(st.integers(-60, 60), min_size=1, max_size=8),
)
def test_the_world_beyond_is_mirrored(n, positions):
    """numpy.pad(mode='reflect') is the same mirror, written by others."""
    mirrored = np.pad(np.arange(n), 60, mode='reflect' if n > 1 else 'edge')
    source = np.zeros((2, 1, len(positions)), np.float32)
    source[1] = positions
    found = fold_map(source, (1, n))
    assert found[1, 0].tolist() == [mirrored[p + 60] for p in positions]
    assert not found[0].any()


def test_shift_by_hand():
    img = np.arange(12, dtype=np.float32).reshape(3, 4, 1) * 10
    # Two to the right and half a pixel down.
    forward = np.array([[1.0, 0, 2], [0, 1, 0.5]])
    out = warp_image(img, build_affine_map((3, 4), forward))[..., 0]
    # Row -0.5 is its mirror 0.5, the mean of rows 0 and 1; columns 2 1 0 1.
    assert out[0].tolist() == [40, 30, 20, 30]
    assert out[1].tolist() == [40, 30, 20, 30]
    assert out[2].tolist() == [80, 70, 60, 70]


def test_window_by_hand():
    img = np.array([[0, 10, 20, 30, 40, 50]], np.float32)[..., None]
    # Three pixels on six: centres at 2 + (i + 0.5) / 2 - 0.5, kept inside the window.
    out = warp_image(img, build_crop_map((1, 6), (0, 2), (1, 3)))[0, :, 0]
    assert out == pytest.approx([20, 22.5, 27.5, 32.5, 37.5, 40], abs=0.2)


def test_bands_by_hand():
    source = build_grid_map((4, 6), [1.0, 0.5], [1.5, 0.5, 1.0])
    assert source[0, :, 0].tolist() == [0, 1, 2, 2.5]
    assert source[1, 0].tolist() == pytest.approx([0, 1.5, 3, 3.5, 4, 5])


def test_lens_by_hand():
    source = build_lens_map((5, 11), 0.1)
    # Ends of the long axis lie 5/11 from the middle: r (1 + k r^2 + k r^4).
    r = 5 / 11
    moved = 5 * (1 + 0.1 * r**2 + 0.1 * r**4)
    assert source[1, 2, [0, 5, 10]] == pytest.approx([5 - moved, 5, 5 + moved])
    assert source[0, 2] == pytest.approx(2)
    shifted = build_lens_map((5, 11), 0.1, (1, -2))
    assert shifted[:, 3, 3] == pytest.approx([3, 3])


@pytest.mark.parametrize(('alpha', 'sigma'), [(30.0, 4.0), (300.0, 20.0)])
def test_elastic_displaces_as_the_formula_says(alpha, sigma):
    """Smoothed white noise of variance 1/3 has std 1 / (sqrt(12 pi) sigma)."""
    rng = np.random.default_rng(3)
    still = get_identity_map((96, 160))
    found = [
        build_elastic_map((96, 160), alpha=alpha, sigma=sigma, rng=rng) - still
        for _ in range(60)
    ]
    # Away from the mirrored borders, which double the variance.
    rough = np.array(found)[:, :, 40:56, 60:100]
    expected = alpha / (np.sqrt(12 * np.pi) * sigma)
    assert rough.std() == pytest.approx(expected, rel=0.15)
    assert abs(rough.mean()) < 0.2 * expected
    lag = int(sigma)
    near = (rough[..., lag:] * rough[..., :-lag]).mean() / (rough**2).mean()
    assert near == pytest.approx(np.exp(-(lag**2) / (4 * sigma**2)), abs=0.12)


def test_one_map_for_two_is_two_maps():
    ys, xs = np.mgrid[:61, :83]
    img = (np.sin(ys / 7) + np.cos(xs / 9))[..., None].astype(np.float32)
    seg = ((ys - 30) ** 2 + (xs - 40) ** 2 < 150).astype(np.uint8)
    angle = np.radians(12)
    turn = np.array(
        [[np.cos(angle), np.sin(angle), -3], [-np.sin(angle), np.cos(angle), 8]]
    )
    first = build_lens_map((61, 83), 0.3, (2, -3))
    second = build_affine_map((61, 83), turn)
    once = compose_maps(first, second)
    twice = warp_image(warp_image(img, first), second)
    difference = np.abs(warp_image(img, once) - twice)
    # Where the mirror begins, two interpolations round its edge off.
    assert np.quantile(difference, 0.98) < 0.02
    assert difference.max() < 0.1
    moved = warp_labels(warp_labels(seg, first), second)
    assert (warp_labels(seg, once) != moved).mean() < 0.005
    still = get_identity_map((61, 83))
    assert compose_maps(still, first) == pytest.approx(fold_map(first, (61, 83)))
    assert compose_maps(first, still) == pytest.approx(first, abs=1e-4)


def test_label_is_that_of_the_nearest_pixel(rng):
    seg = rng.integers(0, 200, (13, 9), dtype=np.uint8)
    source = rng.random((2, 13, 9), dtype=np.float32) * [[[12]], [[8]]]
    source = source.astype(np.float32)
    row, column = np.rint(source).astype(int)
    assert np.array_equal(warp_labels(seg, source), seg[row, column])


def test_refuses():
    with pytest.raises(ValueError, match='cannot be inverted'):
        build_affine_map((3, 3), np.zeros((2, 3)))
    with pytest.raises(ValueError, match='sigma is 0'):
        build_elastic_map((3, 3), alpha=1, sigma=0, rng=np.random.default_rng(0))
