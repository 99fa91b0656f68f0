import numpy as np
import pytest
import torch

from mmmed.functional.stack_recipes import (
    blur_stack,
    build_affine,
    crop_center,
    draw_base_side,
    draw_erased_box,
    draw_resized_box,
    find_homography,
    resize_short_side,
    warp_stack,
)


@pytest.fixture
def stack(rng):
    return torch.from_numpy(rng.random((2, 9, 12), dtype=np.float32))


def test_a_square_is_cut_or_padded_about_the_middle(stack):
    cut = crop_center(stack, 5)
    torch.testing.assert_close(cut, stack[:, 2:7, 3:8])
    padded = crop_center(stack, 11)
    torch.testing.assert_close(padded[:, 1:10], stack[:, :, :11])
    assert not padded[:, 0].any()
    assert not padded[:, 10].any()


@pytest.mark.parametrize(
    ('size_px', 'low', 'high'),
    [(12, 50, 70), (20, 50, 70), (25, 62, 87), (40, 100, 140)],
)
def test_published_sides(size_px, low, high):
    sides = {draw_base_side(size_px, 0.0, pick) for pick in np.linspace(0, 0.9999, 400)}
    assert (min(sides), max(sides)) == (low, high)
    assert draw_base_side(40, 0.63, 0) is None  # with probability 0.625
    assert draw_base_side(40, 0.62, 0) == 100
    assert draw_base_side(50, 0.0, 0) is None


def test_resized_boxes_have_the_measured_share_of_the_area():
    rng = np.random.default_rng(0)
    boxes = [draw_resized_box(rng, (128, 128)) for _ in range(3000)]
    shares = np.array([rows * columns / 128**2 for _, _, rows, columns in boxes])
    # Measured of the source: 10.8 % whole images, mean 0.88, least 0.79.
    assert np.mean(shares == 1) == pytest.approx(0.108, abs=0.02)
    assert shares.mean() == pytest.approx(0.88, abs=0.005)
    assert 0.78 < shares.min() < 0.81
    assert all(t >= 0 and t + h <= 128 for t, _, h, _ in boxes)


def test_erased_boxes_are_within_their_range():
    rng = np.random.default_rng(0)
    boxes = [draw_erased_box(rng, (80, 80)) for _ in range(500)]
    shares = np.array([b[2] * b[3] / 6400 for b in boxes if b is not None])
    assert shares.min() > 0.015
    assert shares.max() < 0.34


def test_a_homography_takes_its_points():
    start = np.array([[0, 0], [9, 0], [9, 7], [0, 7]], float)
    end = np.array([[1, 1], [8, 0.5], [9, 6], [0.5, 7]], float)
    matrix = find_homography(start, end)
    moved = np.column_stack([start, np.ones(4)]) @ matrix.T
    np.testing.assert_allclose(moved[:, :2] / moved[:, 2:], end, atol=1e-9)
    with pytest.raises(ValueError, match='on a line'):
        find_homography(np.zeros((4, 2)), end)


def test_turns_and_shifts_are_exact_on_pixels():
    stack = torch.arange(2 * 8 * 8, dtype=torch.float32).view(2, 8, 8)
    turned = warp_stack(stack, build_affine(90, (0, 0), (8, 8)), is_nearest=True)
    torch.testing.assert_close(turned, stack.rot90(-1, (1, 2)))
    shifted = warp_stack(stack, build_affine(0, (2, 3), (8, 8)))
    torch.testing.assert_close(shifted[:, 2:, 3:], stack[:, :6, :5])
    assert not shifted[:, :2].any()


def test_blur_keeps_a_plain_image_and_the_short_side_is_resized(stack):
    plain = torch.full((1, 9, 9), 3.0)
    torch.testing.assert_close(blur_stack(plain, 2.0), plain)
    assert resize_short_side(stack, 18).shape == (2, 18, 24)
    assert resize_short_side(stack.mT, 18).shape == (2, 24, 18)
