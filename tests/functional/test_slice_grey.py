import numpy as np
import pytest

from mmmed.functional.slice_grey import (
    add_noise,
    bend_grey,
    blur_slice,
    build_bias_field,
    change_contrast,
    change_gamma,
    erase_boxes,
    multiply_field,
    multiply_noise,
)


@pytest.fixture
def img(rng):
    return rng.random((7, 10, 6), dtype=np.float32) * 255


def test_no_strength_changes_no_bit(img, rng):
    flat = build_bias_field((7, 10), [0.5] * 10, (1.0, 1.0))
    for same in (
        blur_slice(img, 1),
        change_contrast(img, 1, 0),
        change_gamma(img, 1),
        add_noise(img, 0, rng),
        multiply_noise(img, 1, 1, rng),
        multiply_field(img, flat),
        erase_boxes(img, [], 0),
    ):
        assert same.dtype == np.float32
        assert np.array_equal(same, img)


def test_contrast_and_gamma_by_hand():
    img = np.array([[[0], [51], [102], [255]]], np.uint8)
    out = change_contrast(img, 1.2, -0.1)[0, :, 0]
    assert out == pytest.approx([0, 35.7, 96.9, 255])
    squared = change_gamma(img, 2.0)[0, :, 0]
    assert squared == pytest.approx([0, 10.2, 40.8, 255], rel=1e-5)


def test_blur_is_the_mean_of_the_neighbours(img):
    out = blur_slice(img, 3)
    assert out[3, 4] == pytest.approx(img[2:5, 3:6].mean(axis=(0, 1)), rel=1e-5)
    corner = np.pad(img, ((1, 1), (1, 1), (0, 0)), mode='reflect')[:3, :3]
    assert out[0, 0] == pytest.approx(corner.mean(axis=(0, 1)), rel=1e-5)
    assert blur_slice(img[:1, :1], 7) == pytest.approx(img[:1, :1])


def test_noise_has_its_variance(rng):
    flat = np.full((200, 150, 2), 128, np.uint8)
    noise = add_noise(flat, 7.0, rng) - 128
    assert noise.std() == pytest.approx(7, rel=0.02)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03
    assert not np.array_equal(noise, np.rint(noise))
    factors = multiply_noise(flat, 0.9, 1.1, rng) / 128
    assert (factors.min(), factors.max()) == pytest.approx((0.9, 1.1), abs=1e-3)


def test_coil_changes_along_both_axes_and_either_way():
    # 1, y, y^2, x, xy, x^2: rows decide, then columns, then both with their sign.
    shape, gain = (5, 8), (0.8, 1.2)
    rows = build_bias_field(shape, [9, 1, 0, 0, 0, 0], gain)
    assert rows[:, 3] == pytest.approx([0.8, 0.9, 1.0, 1.1, 1.2])
    columns = build_bias_field(shape, [0, 0, 0, -1, 0, 0], gain)
    assert columns[2] == pytest.approx(np.linspace(1.2, 0.8, 8))
    both = build_bias_field(shape, [0, 0, 0, 0, 1, 0], gain)
    assert both[[0, 0, 4, 4], [0, 7, 0, 7]] == pytest.approx([1.2, 0.8, 0.8, 1.2])
    assert np.array_equal(build_bias_field((1, 1), [1, 2, 3], gain), [[1]])
    with pytest.raises(ValueError, match='4 coefficients'):
        build_bias_field(shape, [1, 2, 3, 4], gain)


def test_holes_are_where_they_are(img):
    out = erase_boxes(img, [(1, 2, 3, 4), (6, 9, 1, 1)], 5)
    assert (out == 5).all(axis=2).sum() == 13
    assert (out[1:4, 2:6] == 5).all()
    assert (out[6, 9] == 5).all()
    assert not (img == 5).all(axis=2).any()


def test_a_curve_moves_tissue_and_leaves_air():
    img = np.array([[0, 25.5, 127.5], [255, 191.25, 300]], np.float32)[..., None]
    # Through (0, 0), (127.5, 255) and (255, 51).
    bent = bend_grey(img, [255, 51])[..., 0]
    assert bent.tolist() == [[0, 51, 255], [51, 153, 51]]
    same = bend_grey(img, [63.75, 127.5, 191.25, 255])
    np.testing.assert_allclose(same, np.clip(img, 0, 255), atol=1e-4)
    assert bend_grey(img, [102])[..., 0].tolist()[1] == [102, 76.5, 102]
