import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.functional.slice_fit import SliceFit, remove_margins


@pytest.mark.parametrize(
    ('source', 'size', 'spacing', 'pixel_mm', 'inner', 'margins'),
    [
        ((20, 30), None, (3.0, 0.5), 1.0, (60, 15), (0, 0, 0, 0)),
        ((20, 30), (64, 16), (3.0, 0.5), 1.0, (60, 15), (0, 1, 2, 2)),
        ((20, 30), (50, 10), (3.0, 0.5), 1.0, (60, 15), (-3, -2, -5, -5)),
        ((20, 30), (50, 20), (3.0, 0.5), 1.0, (60, 15), (2, 3, -5, -5)),
        ((20, 30), (40, 40), None, None, (27, 40), (0, 0, 6, 7)),
        ((20, 30), None, None, None, (20, 30), (0, 0, 0, 0)),
        ((1, 1), (3, 4), (0.1, 0.1), 1.0, (1, 1), (1, 2, 1, 1)),
    ],
)
def test_geometry_by_hand(source, size, spacing, pixel_mm, inner, margins):
    fit = SliceFit.fit(source, size, spacing=spacing, pixel_mm=pixel_mm)
    assert (fit.inner, fit.margins) == (inner, margins)
    assert fit.outer == (size or inner)
    img = np.ones((*source, 6), np.float32)
    assert fit.apply_to_img(img).shape == (*fit.outer, 6)
    assert fit.apply_to_seg(np.ones(source, np.uint8)).shape == fit.outer
    assert fit.restore_logits(torch.zeros(1, 2, *fit.outer)).shape[2:] == source


def test_a_square_in_mm_is_a_square_in_pixels():
    # 12 x 12 mm on pixels of 3 x 0.5 mm.
    img = np.zeros((20, 80, 1), np.float32)
    img[8:12, 28:52] = 100
    fit = SliceFit.fit((20, 80), (32, 32), spacing=(3.0, 0.5), pixel_mm=1.0)
    found = fit.apply_to_img(img)[..., 0]
    # The edges blur along the axis that is enlarged; half of the height is the edge.
    assert found[16].tolist().count(100) == 12
    assert (found[:, 16] >= 50).sum() == 12
    assert found.sum() == pytest.approx(100 * 144, rel=1e-3)
    seg = fit.apply_to_seg((img[..., 0] > 0).astype(np.uint8))
    assert (seg == 1).sum() == 144
    assert np.array_equal(np.unique(seg), [0, 1])


def test_padding_is_black_and_ignored_and_nothing_is_copied_without_need():
    fit = SliceFit.fit((2, 3), (4, 5), spacing=(1, 1), pixel_mm=1)
    img = np.full((2, 3, 2), 7, np.uint8)
    assert fit.apply_to_img(img).sum() == img.sum()
    assert (fit.apply_to_seg(img[..., 0]) == 255).sum() == 14
    same = SliceFit.fit((2, 3))
    assert same.apply_to_img(img) is img


@settings(max_examples=40, deadline=None)
@given(
    source=st.tuples(st.integers(2, 24), st.integers(2, 24)),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
)
def test_what_was_not_cut_comes_back(source, size):
    """Whole pixels: fitting and restoring is exact inside, background outside."""
    fit = SliceFit.fit(source, size, spacing=(0.7, 0.7), pixel_mm=0.7)
    values = np.arange(1.0, source[0] * source[1] + 1, dtype=np.float32)
    fed = fit.apply_to_img(values.reshape(*source, 1))
    logits = torch.from_numpy(fed).permute(2, 0, 1)[None].repeat(1, 2, 1, 1)
    back = fit.restore_logits(logits)
    is_shown = back[0, 1] > 0
    shown = min(source[0], size[0]) * min(source[1], size[1])
    assert int(is_shown.sum()) == shown
    expected = torch.from_numpy(values.reshape(source))
    assert torch.equal(back[0, 1][is_shown], expected[is_shown])
    assert (back[0, 0][~is_shown] == 20).all()
    assert (back[0, 1][~is_shown] == -20).all()


def test_one_channel_is_background_where_it_was_cut():
    whole = remove_margins(torch.ones(1, 1, 2, 4), (1, -1, 0, 0))
    assert whole.tolist() == [[[[1, 1, 1, -20], [1, 1, 1, -20]]]]


@pytest.mark.parametrize(
    ('spacing', 'pixel_mm', 'message'),
    [
        (None, 1.0, 'no spacing'),
        ((1.0, np.nan), 1.0, 'expected mm > 0'),
        ((1.0, 0.0), 1.0, 'expected mm > 0'),
        ((1.0, 1.0, 1.0), 1.0, 'two'),
        ((1e6, 1.0), 1.0, 'at most 16384'),
    ],
)
def test_refuses(spacing, pixel_mm, message):
    with pytest.raises(ValueError, match=message):
        SliceFit.fit((10, 10), spacing=spacing, pixel_mm=pixel_mm)
