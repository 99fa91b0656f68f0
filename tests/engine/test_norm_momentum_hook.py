"""Running statistics follow as told."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmmed.engine import NormMomentumHook


def test_every_batch_norm_follows():
    model = nn.Sequential(
        nn.BatchNorm2d(2, momentum=0.01), nn.InstanceNorm2d(2), nn.BatchNorm3d(2)
    )
    runner = SimpleNamespace(model=model, logger=MMLogger.get_current_instance())
    NormMomentumHook(0.5).before_train(runner)
    model[0](torch.full((1, 2, 3, 5), 4.0))
    # Half of the new mean and half of the old one, which was 0.
    torch.testing.assert_close(model[0].running_mean, torch.full((2,), 2.0))
    assert model[1].momentum == 0.1
    assert model[2].momentum == 0.5


@pytest.mark.parametrize('momentum', [0, 1.1, -0.1])
def test_an_impossible_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match='expected a share in'):
        NormMomentumHook(momentum)
