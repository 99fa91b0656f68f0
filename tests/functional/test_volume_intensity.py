"""Changes of intensity whose results can be computed by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mmmed.functional.volume_intensity import (
    NOISE_BANK_SIZE,
    IntensityChange,
    change_intensity,
)

SHAPE = (1, 2, 9, 12, 10)


@pytest.fixture
def img():
    return torch.from_numpy(
        np.random.default_rng(0).normal(3, 2, SHAPE).astype(np.float32)
    )


def test_no_change_is_a_copy(img):
    result = change_intensity(img, [IntensityChange()])
    assert torch.equal(result, img)
    assert result.data_ptr() != img.data_ptr()


def test_gain_and_offset_act_on_each_channel_about_its_mean(img):
    result = change_intensity(img, [IntensityChange(gain=1.5, offset=0.2)])
    mean = img.mean(dim=(2, 3, 4), keepdim=True)
    std = img.std(dim=(2, 3, 4), keepdim=True, correction=0)
    torch.testing.assert_close(result, (img - mean) * 1.5 + mean + 0.2 * std)


@pytest.mark.parametrize('invert', [False, True])
def test_gamma_keeps_the_ends_of_the_range(img, invert):
    result = change_intensity(img, [IntensityChange(gamma=1.7, invert=invert)])
    low, high = img.amin(dim=(2, 3, 4)), img.amax(dim=(2, 3, 4))
    torch.testing.assert_close(result.amin(dim=(2, 3, 4)), low)
    torch.testing.assert_close(result.amax(dim=(2, 3, 4)), high)
    share = (img - low[..., None, None, None]) / (high - low)[..., None, None, None]
    bent = 1 - (1 - share) ** 1.7 if invert else share**1.7
    expected = low[..., None, None, None] + bent * (high - low)[..., None, None, None]
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)


def test_gamma_of_a_constant_is_the_constant():
    flat = torch.full((1, 1, 3, 4, 5), 7.0)
    result = change_intensity(flat, [IntensityChange(gamma=0.5)])
    torch.testing.assert_close(result, flat)


def test_blur_agrees_with_scipy_inside(img):
    sigma = (0.8, 1.0, 0.6)
    big = torch.from_numpy(
        np.random.default_rng(1).normal(size=(1, 1, 20, 24, 22)).astype(np.float32)
    )
    result = change_intensity(big, [IntensityChange(blur=sigma)])[0, 0]
    expected = ndimage.gaussian_filter(big[0, 0].numpy(), sigma, truncate=8)
    inner = (slice(6, -6),) * 3
    np.testing.assert_allclose(result[inner], expected[inner], atol=1e-5)


def test_detail_loss_keeps_a_constant_and_the_type(img):
    change = IntensityChange(zoom=(0.5, 0.6, 1.0), blur=(0.0, 1.0, 2.0))
    flat = change_intensity(torch.full(SHAPE, 2.5), [change])
    torch.testing.assert_close(flat, torch.full(SHAPE, 2.5))
    assert change_intensity(img, [change]).dtype == torch.float32


def test_half_resolution_of_a_ramp_is_the_ramp_inside():
    ramp = torch.arange(12.0).expand(1, 1, 3, 4, 12)
    result = change_intensity(ramp, [IntensityChange(zoom=(1.0, 1.0, 0.5))])
    # Voxel 2 k + 1 stands for the pair (2 k, 2 k + 1), whose middle is 2 k + 0.5.
    expected = ramp[0, 0, 0, 0] + 0.5
    torch.testing.assert_close(result[0, 0, 1, 2, 1:-1], expected[1:-1])


def test_noise_is_white_and_repeats_for_the_same_place():
    zero = torch.zeros(1, 1, 40, 40, 40)
    change = IntensityChange(noise_std=0.3, noise_at=1000)
    result = change_intensity(zero, [change])
    assert float(result.std()) == pytest.approx(0.3, rel=0.02)
    assert abs(float(result.mean())) < 0.01
    assert torch.equal(result, change_intensity(zero, [change]))
    other = change_intensity(zero, [IntensityChange(noise_std=0.3, noise_at=2000)])
    assert abs(np.corrcoef(result.flatten(), other.flatten())[0, 1]) < 0.02


def test_noise_goes_on_where_the_bank_ends():
    zero = torch.zeros(1, 1, 4, 4, 4)
    at = NOISE_BANK_SIZE - 10
    late = change_intensity(zero, [IntensityChange(noise_std=1.0, noise_at=at)])
    first = change_intensity(zero, [IntensityChange(noise_std=1.0)])
    assert torch.equal(late.flatten()[10:], first.flatten()[:-10])


def test_each_volume_has_its_own_change(img):
    pair = torch.cat([img, img])
    result = change_intensity(pair, [IntensityChange(), IntensityChange(gamma=2.0)])
    assert torch.equal(result[0], img[0])
    assert not torch.equal(result[1], img[0])
    with pytest.raises(ValueError, match='1 changes'):
        change_intensity(pair, [IntensityChange()])
