"""A U-Net of a few channels, and networks that echo their input."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import nn

from mmmed.registry import MODELS

CONFIG = Path(__file__).parents[2] / 'configs' / '_base_' / 'models' / 'unet2d.py'


@pytest.fixture(scope='session')
def unet_config() -> dict:
    """The base config at a width that takes milliseconds."""
    config = Config.fromfile(CONFIG).model
    config.backbone.base_channels = 4
    config.decode_head.in_channels = config.decode_head.channels = 4
    return config


@pytest.fixture
def build_unet(unet_config) -> Callable[..., nn.Module]:
    def build(test_cfg: dict | None = None, **head) -> nn.Module:
        config = copy.deepcopy(unet_config)
        config.decode_head.update(head)
        if test_cfg is not None:
            config.test_cfg = test_cfg
        init_default_scope('mmseg')
        torch.manual_seed(0)
        model = MODELS.build(config).eval()
        model.init_weights()
        return model

    return build


class EchoBackbone(nn.Module):
    def forward(self, x):
        return [x]


@pytest.fixture
def build_echo(build_unet) -> Callable[..., nn.Module]:
    """A model whose logits are its input: x, or (-x, x) for two channels."""

    def build(test_cfg: dict | None = None, out_channels: int = 1, **head) -> nn.Module:
        model = build_unet(
            test_cfg,
            out_channels=out_channels,
            in_channels=1,
            in_index=0,
            channels=1,
            num_convs=0,
            **head,
        )
        model.backbone = EchoBackbone()
        convolution = model.decode_head.conv_seg
        sign = [[-1.0], [1.0]] if out_channels == 2 else [[1.0]]
        convolution.weight.data = torch.tensor(sign)[..., None, None]
        convolution.bias.data.zero_()
        return model

    return build


@pytest.fixture
def make_sample() -> Callable[..., SegDataSample]:
    def make(shape: tuple[int, int], **meta) -> SegDataSample:
        meta = {'ori_shape': shape, 'img_shape': shape, **meta}
        return SegDataSample(metainfo=meta)

    return make
