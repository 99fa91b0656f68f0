import numpy as np
import pytest

from mmmed.datasets.transforms.letterbox import Letterbox


@pytest.mark.parametrize(
    ('source', 'size', 'inner', 'padding'),
    [
        ((650, 650), (512, 512), (512, 512), (0, 0, 0, 0)),
        ((64, 48), (32, 32), (32, 24), (4, 4, 0, 0)),
        ((48, 64), (32, 33), (25, 33), (0, 0, 3, 4)),
        ((64, 48), (32, 33), (32, 24), (4, 5, 0, 0)),
        ((20, 10), (20, 10), (20, 10), (0, 0, 0, 0)),
        ((10, 20), (30, 40), (20, 40), (0, 0, 5, 5)),
        ((1000, 2), (10, 10), (10, 1), (4, 5, 0, 0)),
        ((1, 1), (8, 4), (4, 4), (0, 0, 2, 2)),
    ],
)
def test_fit(source, size, inner, padding):
    box = Letterbox.fit(source, size)
    assert (box.inner, box.padding) == (inner, padding)
    seg = box.apply_to_seg(np.zeros(source, np.uint8))
    assert seg.shape == size
    assert (seg == 0).sum() == inner[0] * inner[1]
    assert set(np.unique(seg)) <= {0, 255}


@pytest.mark.parametrize('channels', [1, 2, 3])
def test_image_shrinks_by_area_mean_on_black(channels):
    # Blocks of 2 x 2 pixels with a mean that is a whole number.
    blocks = np.arange(32 * 24, dtype=np.int64).reshape(32, 24) % 200 + 10
    fine = np.repeat(np.repeat(blocks, 2, 0), 2, 1)
    fine[::2] += 4
    fine[1::2] -= 4
    img = np.stack([fine + c for c in range(channels)], -1).astype(np.uint8)
    out = Letterbox.fit((64, 48), (32, 34)).apply_to_img(img)
    assert out.shape == (32, 34, channels)
    for c in range(channels):
        assert np.array_equal(out[:, 5:29, c], blocks + c)
    assert not out[:, :5].any()
    assert not out[:, 29:].any()


def test_labels_and_image_stay_aligned():
    # A bar far from the centre, shrunk by 650 / 512: its middle must agree.
    img = np.zeros((650, 520, 1), np.uint8)
    img[600:630, 20:80] = 200
    box = Letterbox.fit((650, 520), (512, 512))
    seg = box.apply_to_seg((img[..., 0] > 0).astype(np.uint8))
    half = box.apply_to_img(img)[..., 0] >= 100
    for found in (seg == 1, half):
        ys, xs = np.nonzero(found)
        scale = 512 / 650
        # Centre of pixel k lies at k + 1/2.
        assert ys.mean() + 0.5 == pytest.approx(615 * scale, abs=0.3)
        assert xs.mean() + 0.5 == pytest.approx(50 * scale + box.padding[0], abs=0.3)


def test_enlarging_keeps_labels():
    seg = np.array([[0, 3], [7, 0], [0, 255]], np.uint8)
    out = Letterbox.fit((3, 2), (6, 4)).apply_to_seg(seg)
    assert np.array_equal(out, np.repeat(np.repeat(seg, 2, 0), 2, 1))


def test_scale_is_rows_then_columns():
    box = Letterbox.fit((48, 64), (32, 33))
    assert box.scale == (25 / 48, 33 / 64)
