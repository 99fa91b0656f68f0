"""Padding by hand on a ramp, where symmetric padding gives other numbers."""

import pytest
import torch
from torch.nn import functional

from mmmed.models.networks.same_padding import (
    SameConv2d,
    SameMaxPool2d,
    compute_same_padding,
)


@pytest.mark.parametrize(
    ('size', 'kernel', 'stride', 'dilation', 'expected'),
    [
        (208, 3, 1, 1, (1, 1)),
        (208, 3, 2, 1, (0, 1)),
        (209, 3, 2, 1, (1, 1)),
        (208, 3, 4, 1, (0, 0)),  # the stride passes over pixels
        (208, 3, 16, 1, (0, 0)),
        (208, 2, 1, 1, (0, 1)),
        (208, 1, 2, 1, (0, 0)),
        (13, 3, 1, 6, (6, 6)),
        (7, 5, 3, 1, (2, 2)),
        (1, 3, 2, 1, (1, 1)),
    ],
)
def test_margins(size, kernel, stride, dilation, expected):
    found = compute_same_padding(
        size, kernel_size=kernel, stride=stride, dilation=dilation
    )
    assert found == expected


@pytest.fixture
def ramp():
    """Rows grow by 10, columns by 1: 4 x 6, values 0..35, all different."""
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing='ij')
    return (10 * y + x)[None, None]


def sum_filter(kernel, **settings):
    convolution = SameConv2d(1, 1, kernel, bias=False, **settings)
    torch.nn.init.ones_(convolution.weight)
    return convolution


def test_strided_convolution_begins_at_the_first_pixel(ramp):
    found = sum_filter(3, stride=2)(ramp)[0, 0]
    # Window of rows 0..2, columns 0..2: 9 values of mean 11; last: rows 2, 3 and
    # columns 4, 5 only.
    assert found.shape == (2, 3)
    assert found[0, 0] == 99
    assert found[1, 2] == 24 + 25 + 34 + 35
    symmetric = functional.conv2d(ramp, torch.ones(1, 1, 3, 3), stride=2, padding=1)
    assert symmetric[0, 0, 0, 0] == 0 + 1 + 10 + 11


def test_even_kernel_looks_forward(ramp):
    found = sum_filter(2)(ramp)[0, 0]
    assert found.shape == (4, 6)
    assert found[0, 0] == 0 + 1 + 10 + 11
    assert found[3, 5] == 35


def test_long_strides_skip_pixels():
    image = torch.arange(256.0).view(1, 1, 16, 16)
    found = sum_filter(3, stride=8)(image)
    expected = [
        [image[0, 0, y : y + 3, x : x + 3].sum() for x in (0, 8)] for y in (0, 8)
    ]
    torch.testing.assert_close(found[0, 0], torch.tensor(expected))


def test_pointwise_stride_takes_even_pixels(ramp):
    torch.testing.assert_close(sum_filter(1, stride=2)(ramp), ramp[..., ::2, ::2])


def test_pooling_pads_after_and_never_with_zeros(ramp):
    pool = SameMaxPool2d(3, stride=2)
    expected = torch.tensor([[22.0, 24, 25], [32, 34, 35]])
    torch.testing.assert_close(pool(ramp)[0, 0], expected)
    torch.testing.assert_close(pool(ramp - 100)[0, 0], expected - 100)
    odd = ramp[..., :3, :5] - 100  # now one row and column before
    torch.testing.assert_close(
        pool(odd)[0, 0], torch.tensor([[11.0, 13, 14], [21, 23, 24]]) - 100
    )


def test_pooling_works_in_half_precision(ramp):
    found = SameMaxPool2d(3, stride=2)(-ramp.bfloat16())
    assert torch.isfinite(found).all()


@pytest.mark.parametrize('size', [(8, 12), (9, 12), (7, 5), (4, 3)])
@pytest.mark.parametrize(('kernel', 'stride'), [(3, 2), (2, 2), (5, 3), (2, 4)])
def test_pooling_is_that_of_a_padded_image(size, kernel, stride):
    image = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)) - 3
    margins = [compute_same_padding(n, kernel_size=kernel, stride=stride) for n in size]
    padded = functional.pad(image, (*margins[1], *margins[0]), value=-torch.inf)
    expected = functional.max_pool2d(padded, kernel, stride)
    assert expected.shape[2:] == tuple(-(-n // stride) for n in size)
    torch.testing.assert_close(SameMaxPool2d(kernel, stride=stride)(image), expected)
