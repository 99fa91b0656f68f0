"""Winograd's convolutions against the direct ones, shape by shape."""

import pytest
import torch
from torch import nn

from mmmed.models.networks import RAXNet, fold_for_inference
from mmmed.models.networks.winograd import WinogradConv2d, has_winograd, use_winograd

pytestmark = pytest.mark.skipif(not has_winograd(), reason='built without NNPACK')


@pytest.mark.parametrize('size', [(23, 31), (40, 17), (6, 5), (104, 120)])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('images', [1, 3])
def test_results_agree(size, layout, images):
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 48, 3, padding=1).to(memory_format=layout)
    x = torch.randn(images, 32, *size).to(memory_format=layout)
    with torch.inference_mode():
        expected, result = conv(x), WinogradConv2d(conv)(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=5e-5)
    assert result.is_contiguous(memory_format=layout)


def test_only_eligible_convolutions_are_replaced():
    convs = [
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Conv2d(32, 32, 3),
        nn.Conv2d(32, 32, 3, padding=1, stride=2),
        nn.Conv2d(32, 32, 3, padding=1, groups=32),
        nn.Conv2d(8, 32, 3, padding=1),
        nn.Conv2d(32, 32, 1),
        nn.Conv2d(32, 32, 3, padding=1, padding_mode='reflect'),
    ]
    replaced = use_winograd(nn.ModuleList(convs))
    kinds = [isinstance(layer, WinogradConv2d) for layer in replaced]
    assert kinds == [True] + [False] * 6
    assert isinstance(convs[0], nn.Conv2d)


def test_a_folded_network_keeps_its_logits():
    torch.manual_seed(0)
    model = RAXNet(base_channels=16).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    x = torch.rand(1, 1, 101, 117)
    fast = use_winograd(fold_for_inference(model)).to(memory_format=torch.channels_last)
    assert any(isinstance(part, WinogradConv2d) for part in fast.modules())
    with torch.inference_mode():
        expected = model(x)
        result = fast(x.to(memory_format=torch.channels_last))
    scale = float(expected.abs().max())
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4 * scale)
