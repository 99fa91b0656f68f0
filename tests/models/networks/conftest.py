"""Small networks, and numbers of a network that its source published."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from mmmed.registry import MODELS

NETWORKS = {'RAXNet': 1, 'XNet': 1, 'CLCINet': 1, 'DUNet': 4}


@pytest.fixture(params=sorted(NETWORKS))
def name(request) -> str:
    return request.param


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """A registered network, at a width that takes milliseconds unless said."""

    def build(name: str, base_channels: int = 4, **settings) -> nn.Module:
        torch.manual_seed(0)
        config = {'type': f'mmmed.{name}', 'base_channels': base_channels, **settings}
        return MODELS.build(config)

    return build


@pytest.fixture
def make_images() -> Callable[..., torch.Tensor]:
    def make(name: str, *size: int, n: int = 2) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.rand(n, NETWORKS[name], *size, generator=generator)

    return make


@pytest.fixture
def stir() -> Callable[[nn.Module], nn.Module]:
    """Norms as after training: no scale is 1, no shift and no mean is 0."""

    def stir(model: nn.Module) -> nn.Module:
        torch.manual_seed(2)
        for part in model.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                nn.init.normal_(part.running_mean, std=0.3)
                nn.init.uniform_(part.running_var, 0.5, 2)
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, std=0.3)
        return model

    return stir


def _count(model: nn.Module) -> tuple[int, int]:
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    buffers = dict(model.named_buffers())
    running = sum(b.numel() for key, b in buffers.items() if 'running_' in key)
    return trainable, running


@pytest.fixture
def count() -> Callable[[nn.Module], tuple[int, int]]:
    """Trainable parameters and running statistics."""
    return _count


@pytest.fixture
def count_macs() -> Callable[..., dict[str, float]]:
    """Multiply-accumulations of each convolution in one forward pass, by its name."""

    def measure(model: nn.Module, images: torch.Tensor) -> dict[str, float]:
        macs: dict[str, float] = {}
        hooks = []
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Conv3d):

                def hook(layer, _, output, name=name):
                    work = output.numel() * layer.weight[0].numel()
                    macs[name] = macs.get(name, 0) + work

                hooks.append(layer.register_forward_hook(hook))
        with torch.no_grad():
            model.eval()(images)
        for hook in hooks:
            hook.remove()
        return macs

    return measure
