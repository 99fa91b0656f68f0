import numpy as np
import pytest
import torch

from mmmed.functional.letterbox import Letterbox


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


@pytest.mark.parametrize(
    'shape', [(650, 650), (40, 40), (31, 57), (57, 31), (64, 48), (1, 9), (100, 3)]
)
@pytest.mark.parametrize('channels', [1, 2, 3])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_scans_are_fitted_as_training_images_are(shape, channels, dtype, rng):
    img = rng.integers(0, 256, (*shape, channels)).astype(dtype)
    fit = Letterbox.fit(shape, (64, 48))
    assert fit.outer == (64, 48)
    planes = fit.apply_to_planes(img.transpose(2, 0, 1))
    assert planes.dtype == dtype
    together = fit.apply_to_img(img).transpose(2, 0, 1)
    # Bytes, as training has them, to the bit. OpenCV adds floats of several channels
    # up in another order than those of one.
    np.testing.assert_allclose(
        planes, together, rtol=0, atol=0 if dtype == np.uint8 else 1e-3
    )


def test_planes_may_be_many(rng):
    planes = rng.integers(0, 256, (7, 9, 20), dtype=np.uint8)
    fit = Letterbox.fit((9, 20), (8, 8))
    one_by_one = [fit.apply_to_planes(planes[k : k + 1])[0] for k in range(7)]
    np.testing.assert_array_equal(fit.apply_to_planes(planes), np.stack(one_by_one))


def test_nothing_happens_without_a_size(rng):
    planes = rng.normal(size=(2, 13, 7)).astype(np.float32)
    fit = Letterbox.fit((13, 7), None)
    assert fit.apply_to_planes(planes) is planes
    logits = torch.from_numpy(planes)[None]
    assert torch.equal(fit.restore_logits(logits, align_corners=False), logits)


def test_margins_come_and_go_without_a_trace(rng):
    planes = rng.normal(size=(1, 13, 8)).astype(np.float32)
    fit = Letterbox.fit((13, 8), (13, 11))  # an odd margin: more at the end
    fitted = fit.apply_to_planes(planes)
    assert fitted.shape == (1, 13, 11)
    assert np.array_equal(fitted[..., 1:9], planes)
    assert not fitted[..., [0, 9, 10]].any()
    logits = torch.from_numpy(fitted)[None]
    assert np.array_equal(fit.restore_logits(logits, align_corners=False)[0], planes)


def test_logits_return_by_bilinear_interpolation():
    fit = Letterbox.fit((20, 10), (10, 8))
    assert (fit.inner, fit.padding) == ((10, 5), (1, 2, 0, 0))
    ramp = torch.arange(10.0).view(1, 1, 10, 1).repeat(1, 1, 1, 8)
    back = fit.restore_logits(ramp, align_corners=False)[0, 0]
    assert back.shape == (20, 10)
    assert back[:4, 3].tolist() == [0.0, 0.25, 0.75, 1.25]
