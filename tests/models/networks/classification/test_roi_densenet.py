"""Where a dense layer puts what it finds."""

import torch

from mmmed.models.networks.classification.roi_densenet import DenseLayer


def test_new_channels_come_first():
    x = torch.rand(2, 5, 6, 7)
    y = DenseLayer(2, 5, 3)(x)
    assert y.shape == (2, 8, 6, 7)
    assert torch.equal(y[:, 3:], x)
