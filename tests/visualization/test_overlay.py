"""Overlays: windows by hand, colours where masks say so, anatomy visible."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from mmmed.visualization.figure import encode_figure
from mmmed.visualization.overlay import find_detail, find_window, plot_overlay


def make_case() -> tuple:
    img = np.zeros((60, 80), np.uint8)
    img[5:55, 10:70] = 120
    target = np.zeros((60, 80), np.uint8)
    target[20:30, 30:45] = 1
    pred = np.roll(target, 5, axis=1)
    return img, pred, target


def render(*args: object, **options: object) -> np.ndarray:
    data = encode_figure(plot_overlay(*args, **options), 'png', dpi=100)
    return (imread(io.BytesIO(data))[..., :3] * 255).round().astype(int)


def count_near(pixels: np.ndarray, color: tuple, tolerance: int = 8) -> int:
    return int((np.abs(pixels - color).max(-1) <= tolerance).sum())


def test_window_by_hand() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:12, 50:55] = True
    assert find_window(mask, margin=3) == (7, 15, 47, 58)
    assert find_window(mask, margin=20) == (0, 32, 30, 60)


def test_window_of_nothing_is_everything() -> None:
    assert find_window(np.zeros((4, 7), bool)) == (0, 4, 0, 7)


def test_detail_keeps_the_shape_of_the_whole() -> None:
    mask = np.zeros((200, 400), bool)
    mask[100:104, 200:204] = True
    top, bottom, left, right = find_detail(mask, (0, 200, 0, 400))
    assert (bottom - top, right - left) == (50, 100)
    assert (top + bottom) // 2 == 102
    assert (left + right) // 2 == 202


def test_detail_stays_inside_the_whole() -> None:
    mask = np.zeros((200, 400), bool)
    mask[12:14, 390:392] = True
    assert find_detail(mask, (10, 190, 20, 396)) == (10, 55, 302, 396)


@pytest.mark.parametrize('rows', [slice(0, 0), slice(5, 195)])
def test_no_detail_of_nothing_or_of_almost_all(rows: slice) -> None:
    mask = np.zeros((200, 400), bool)
    mask[rows, 20] = True
    assert find_detail(mask, (0, 200, 0, 400)) == (0, 200, 0, 400)


def test_colors_of_truth_prediction_and_both_appear() -> None:
    pixels = render(*make_case())
    grey = 120
    for color in ((0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73)):
        filled = tuple(round(0.35 * c + 0.65 * grey) for c in color)
        assert count_near(pixels, filled) > 200


def test_anatomy_stays_visible_under_masks() -> None:
    """A step edge inside the lesion is still a step in the filled area."""
    img, pred, target = make_case()
    img[25:] = 200
    low = tuple(round(0.35 * c + 0.65 * 120) for c in (0x00, 0x9E, 0x73))
    high = tuple(round(0.35 * c + 0.65 * 200) for c in (0x00, 0x9E, 0x73))
    pixels = render(img, pred, target)
    assert count_near(pixels, low, 4) > 100
    assert count_near(pixels, high, 4) > 100


def test_perfect_prediction_shows_no_error_color() -> None:
    img, _, target = make_case()
    pixels = render(img, target, target)
    only_truth = tuple(round(0.35 * c + 0.65 * 120) for c in (0x56, 0xB4, 0xE9))
    assert count_near(pixels, only_truth, 4) < 20


def test_texts_of_the_figure() -> None:
    img, pred, target = make_case()
    figure = plot_overlay(
        img, pred, target, title='case $1', spacing=(0.5, 0.5), sides=('R', 'L')
    )
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert {'R', 'L', '5 mm'} <= set(texts)
    assert figure.get_suptitle() == 'case $1'
    titles = [axis.get_title('left') for axis in figure.axes]
    assert titles[:3] == ['image', 'truth', 'prediction']


def test_unknown_sides_and_spacing_claim_nothing() -> None:
    figure = plot_overlay(*make_case())
    texts = {text.get_text() for axis in figure.axes for text in axis.texts}
    assert {'image left', 'image right', '10 px'} <= texts
    assert not any(text.endswith('mm') for text in texts)


def test_anisotropic_pixels_are_shown_in_proportion() -> None:
    figure = plot_overlay(*make_case(), spacing=(2.0, 1.0))
    assert all(axis.get_aspect() == 2.0 for axis in figure.axes)


def test_ignored_pixels_are_not_drawn_as_missed() -> None:
    img, _, target = make_case()
    nothing = np.zeros_like(target)
    figure = plot_overlay(img, nothing, target * 255)
    assert not any(axis.collections for axis in figure.axes)


@pytest.mark.parametrize('columns', [1, 2, 4])
def test_layouts(columns: int) -> None:
    figure = plot_overlay(*make_case(), columns=columns)
    assert figure.get_size_inches()[0] == pytest.approx(2.6 * columns)


def test_color_images_floats_and_single_pixels_work() -> None:
    img, _, target = make_case()
    nothing = np.zeros_like(target)
    nothing[0, 0] = 1
    render(np.stack([img] * 3, -1), nothing, target)
    render(img.astype(np.float32) - 500, nothing, target)


def test_wrong_input_is_refused() -> None:
    img, pred, target = make_case()
    with pytest.raises(ValueError, match='same size'):
        plot_overlay(img[1:], pred, target)
    with pytest.raises(ValueError, match='columns'):
        plot_overlay(img, pred, target, columns=3)
